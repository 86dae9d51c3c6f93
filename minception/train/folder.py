"""The folder of a run: settings, log, curves, checkpoints, each file replaced as a whole."""

import contextlib
import csv
import io
import json
from pathlib import Path

from minception import checkpoint

from . import plots
from .errors import RunError

CHECKPOINT, WEIGHTS, BEST = "checkpoint.safetensors", "weights.safetensors", "best.safetensors"
CONFIG, LOG_CSV, LOG_JSONL, CURVES = "config.json", "log.csv", "log.jsonl", "curves.png"
FILES = (CHECKPOINT, WEIGHTS, BEST, CONFIG, LOG_CSV, LOG_JSONL, CURVES)


class RunFolder:
    """Writes the files of one run.

    record: what describes the run as a whole, a dictionary of plain values: it becomes config.json and goes into
    every checkpoint.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.record = None
        self._created = False

    @property
    def checkpoint(self):
        """Path of the file to resume from."""
        return self.path / CHECKPOINT

    def create(self):
        """Make the folder; RunError if it holds a run already or cannot be written."""
        present = [name for name in FILES if (self.path / name).exists()]
        if present:
            raise RunError(
                f"{self.path} holds a run already ({', '.join(present)}). Continue it with --resume, choose another "
                "--output, or remove it first."
            )
        with _writing(self.path):
            self._created = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".probe"
            checkpoint.write_atomically(probe, "")
            probe.unlink()

    def discard(self):
        """Remove the folder again if `create` made it and nothing was put in."""
        if self._created:
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def begin(self, record, state):
        """Write config.json, the log so far and a checkpoint: of a new run, or of one just resumed."""
        self.record = record
        with _writing(self.path):
            checkpoint.write_atomically(self.path / CONFIG, json.dumps(record, indent=2) + "\n")
            self._save_log(state.history)
        self.save_checkpoint(state)

    def save_checkpoint(self, state):
        """Save everything needed to resume."""
        with _writing(self.path):
            checkpoint.save(self.checkpoint, {"run": self.record, **state.state_dict()})

    def save_epoch(self, state):
        """Save the results of an epoch. The checkpoint comes after what can be derived from it or repeated."""
        with _writing(self.path):
            weights = state.model.state_dict()
            checkpoint.save_weights(self.path / WEIGHTS, weights)
            if state.best is state.history[-1]:
                checkpoint.save_weights(self.path / BEST, weights)
            self._save_log(state.history)
        self.save_checkpoint(state)
        with _writing(self.path):
            checkpoint.write_atomically(self.path / CURVES, plots.curves(state.history))

    def _save_log(self, history):
        checkpoint.write_atomically(self.path / LOG_JSONL, "".join(json.dumps(row) + "\n" for row in history))
        table = io.StringIO()
        if history:
            writer = csv.DictWriter(table, fieldnames=list(history[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
        checkpoint.write_atomically(self.path / LOG_CSV, table.getvalue())


@contextlib.contextmanager
def _writing(path):
    """Turn an OSError while writing into a RunError that names the folder."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write into {path}: {error.strerror or error}") from error
