"""Finding the checkpoint that `--resume` means, and continuing from it."""

from pathlib import Path

from minception import checkpoint

from .arguments import LATEST
from .config import ConfigError
from .errors import RunError
from .folder import CHECKPOINT

RUNS = Path("runs")
KEYS = {"run", "model", "optimizer", "schedule", "generator", "epoch", "batch", "totals", "history"}


def find_checkpoint(resume, output):
    """Return the path of the checkpoint that --resume (a path or LATEST) and --output (a path or None) mean.

    Raises RunError if there is none, ConfigError if the two options name different folders.
    """
    if resume is LATEST:
        return _in_folder(Path(output)) if output is not None else _latest()
    path = Path(resume)
    found = path if path.is_file() else _in_folder(path)
    if output is not None and Path(output).resolve() != found.parent.resolve():
        raise ConfigError(
            f"--output {output} contradicts --resume {resume}: a resumed run goes on in its own folder; "
            "leave --output out"
        )
    return found


def read_checkpoint(path):
    """Read a training checkpoint; RunError or CheckpointError (which name the file) if it is none."""
    saved = checkpoint.load(path)
    if not isinstance(saved, dict) or not KEYS <= set(saved):
        raise RunError(f"{path}: a checkpoint, but not one of a training run")
    return saved


def restore(state, saved, path):
    """Load what `read_checkpoint` returned into a TrainingState; CheckpointError if the model does not fit."""
    checkpoint.load_into(state.model, saved["model"], path)
    state.load_state_dict(saved)


def check_data(record, saved_record):
    """Raise RunError unless the images are those that the run began with."""
    if record["crc32"] != saved_record["crc32"]:
        raise RunError(
            f"the images are not those that the run began with: it had {saved_record['train_images']} training and "
            f"{saved_record['test_images']} test images of {saved_record['name']}, found were "
            f"{record['train_images']} and {record['test_images']} with a different checksum. Name the folder with "
            "the original files with --data-dir."
        )


def _in_folder(folder):
    if not folder.exists():
        raise RunError(f"--resume: {folder} does not exist")
    if not (folder / CHECKPOINT).is_file():
        raise RunError(f"--resume: {folder} holds no {CHECKPOINT}; start the run again without --resume")
    return folder / CHECKPOINT


def _latest():
    found = sorted(RUNS.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise RunError(f"--resume: no run to continue under {RUNS}/; name the folder of one, as in --resume DIR")
    return found[-1]
