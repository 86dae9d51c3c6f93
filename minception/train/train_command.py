"""`minception train`: set up a run, or take one up again, and carry it through."""

import platform
import shlex
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

import minception as mc
from minception import models
from minception.kernels.transfer import on_device
from minception.memory import keep_freed_memory

from . import datasets, resume
from .arguments import add_arguments, given_settings
from .build import build_state
from .compile_ahead import compile_ahead
from .config import TrainConfig, option
from .device import describe, explaining_memory, find_device, find_kernels
from .errors import Interrupted, NonFiniteError, RunError
from .evaluation import evaluate
from .folder import RunFolder
from .graphed_passes import GraphedPasses
from .interruption import Interruption
from .loop import train
from .nonfinite import check_before_saving
from .progress import Progress, note
from .whitening import IMAGES, whiten_first_convolution

__all__ = ["add_arguments", "run"]

INTERRUPTED = 130  # exit status of a program ended by Ctrl-C: 128 + SIGINT


def run(arguments):
    """Run the command; return its exit status.

    Raises ConfigError, CheckpointError or RunError, whose messages are for the user.
    """
    if arguments.resume is None:
        config, folder, saved = _new_run(arguments)
    else:
        config, folder, saved = _resumed_run(arguments)
        if saved["epoch"] >= config.epochs:
            note(f"The run in {folder.path} has finished its {config.epochs} epochs; nothing to do.")
            return 0
    keep_freed_memory()
    mc.set_num_threads(config.threads)
    with explaining_memory(config.device, config.batch_size, "a smaller --width"), on_device(config.device):
        return _run(arguments, config, folder, saved)


def _run(arguments, config, folder, saved):
    try:
        data = _load_data(config, saved, show=not arguments.no_progress)
        state = _prepare(config, data, folder, saved)
    except BaseException:
        folder.discard()
        raise
    _announce(config, data, state, folder)
    again = f"{arguments.command} --resume {shlex.quote(str(folder.path))}"
    # The loop itself checks every loss.
    with mc.use_kernels(config.kernels), _settings(config), np.errstate(all="ignore"):
        return _carry_through(state, data, config, folder, not arguments.no_progress, again)


def _new_run(arguments):
    config = _checked(replace(TrainConfig(), **_given(arguments)))
    path = arguments.output or f"runs/{config.model}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = RunFolder(path)
    folder.create()
    return config, folder, None


def _resumed_run(arguments):
    path = resume.find_checkpoint(arguments.resume, arguments.output)
    saved = resume.read_checkpoint(path)
    before = TrainConfig.from_dict(saved["run"]["config"])
    config = _checked(before.changed(_given(arguments), saved["run"]["data"]["name"], path))
    if saved["epoch"] > config.epochs:
        raise RunError(f"--epochs {config.epochs}: the run has done {saved['epoch']} epochs already")
    settings = ("device", "threads", "kernels", "precision", "cuda_graph")
    changed = [name for name in settings if getattr(config, name) != getattr(before, name)]
    for name in changed[:1] if "device" in changed else changed:
        note(f"With {option(name)} changed, the weights will differ in the last bits from an uninterrupted run.")
    return config, RunFolder(path.parent), saved


def _given(arguments):
    given = given_settings(arguments)
    if "data_dir" in given:  # a resumed run may start in another folder
        given["data_dir"] = str(Path(given["data_dir"]).expanduser().absolute())
    return given


def _checked(config):
    config.validate(models.names())
    device = find_device(config.device)
    find_kernels(config.kernels, device)
    config = replace(config, device=device).resolve(available_threads=mc.get_num_threads())
    config.check_kernels()
    return config


def _load_data(config, saved, show):
    name = config.data if saved is None else saved["run"]["data"]["name"]
    data = datasets.select(name, config.data_dir, config.limit_train, config.limit_test, note, show)
    if saved is not None:
        resume.check_data(data.record(), saved["run"]["data"])
    return data


def _prepare(config, data, folder, saved):
    """Build the state, fill it from the checkpoint of a resumed run, and bring the folder up to date."""
    state = build_state(config, data.train.num_classes, len(data.train_loader(config, 0)))
    if config.whiten:
        whiten_first_convolution(state.model, data.standardised(IMAGES))
    if saved is not None:
        resume.restore(state, saved, folder.checkpoint)
    versions = {"minception": mc.__version__, "numpy": np.__version__, "python": platform.python_version()}
    if config.device != "cpu":
        import cupy

        versions |= {"cupy": cupy.__version__, "gpu": describe(config.device)}
    if config.cuda_graph:
        state.graphed_passes = GraphedPasses(state, config)
    folder.begin({"config": config.to_dict(), "data": data.record(), "versions": versions}, state)
    return state


def _announce(config, data, state, folder):
    weights = sum(parameter.numel() for parameter in state.model.parameters())
    note(
        f"{config.model}, {weights:,} parameters, on {data.name}: {len(data.train.labels):,} training and "
        f"{len(data.test.labels):,} test images; {describe(config.device)}, {config.threads} threads; "
        f"output in {folder.path}"
    )
    if state.epoch or state.batch:
        note(f"Resumed after epoch {state.epoch}" + (f" and {state.batch} batches" if state.batch else ""))


def _carry_through(state, data, config, folder, show, again):
    """Train; on an early end, say what was saved and how to go on. Returns the exit status."""
    try:
        compile_ahead(state, config, data.train.images.shape[1:], data.train.num_classes, show)
        with Interruption() as interruption:
            train(state, data, config, folder, Progress(show), interruption)
            mirrored = _mirrored(state, data, config, interruption)
    except Interrupted:
        check_before_saving(state)
        folder.save_checkpoint(state)
        batches = len(data.train_loader(config, state.epoch))
        note(f"Saved {folder.checkpoint} after epoch {state.epoch} and {state.batch} of {batches} batches.")
        note(f"Continue with:\n  {again}")
        return INTERRUPTED
    except KeyboardInterrupt:
        note(f"Stopped without saving. Continue from the last checkpoint with:\n  {again}")
        return INTERRUPTED
    except NonFiniteError as error:
        raise NonFiniteError(f"{error}\nThe last good checkpoint is kept in {folder.checkpoint}.") from error
    except MemoryError:
        note(f"The last good checkpoint is kept in {folder.checkpoint}.")
        raise
    last, best = state.history[-1], state.best
    note(
        f"Finished: test accuracy {last['test_accuracy']:.2%}{mirrored}, best {best['test_accuracy']:.2%} after epoch "
        f"{best['epoch']}. Log, curves and weights are in {folder.path}"
    )
    return 0


@contextmanager
def _settings(config):
    """The squares of Winograd's algorithm and the precision of the config, in the `with` block.

    Runs from before there was the choice have None for the squares, which leaves them as they are.
    """
    squares, precision = mc.get_winograd(), mc.get_precision()
    mc.set_winograd(squares if config.winograd is None else config.winograd)
    mc.set_precision(config.precision)
    try:
        yield
    finally:
        mc.set_winograd(squares)
        mc.set_precision(precision)


def _mirrored(state, data, config, interruption):
    """What to say of the test images seen twice, where the network was trained on mirrored images too."""
    if config.augment == "none":
        return ""
    test = evaluate(
        state.model, data.test_loader(config.batch_size), lambda images: interruption.check(), mirrored=True
    )
    return f" ({test.accuracy:.2%} averaged over each image and its mirror image)"
