"""The command line in a process of its own, with the tiny network, and a signal at a chosen moment.

The processes are forked from a server that has imported everything already: starting one takes no time.
"""

import multiprocessing
import os
import signal
import sys
from typing import NamedTuple

from minception import checkpoint
from minception.cli import main
from minception.train import loop, plots
from tests.train import tiny

MOMENTS = {"step": (loop, "train_step"), "evaluation": (loop, "evaluate"), "replace": (checkpoint.os, "replace")}
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["minception.train.train_command", "minception.data"])


class Finished(NamedTuple):
    """How a process ended: its exit status, negative for a signal, and what it wrote."""

    status: int
    out: str
    err: str


def process(folder, *arguments, moment="step", count=0, signals=()):
    """Run the command in a process of its own in `folder`, and return how it Finished.

    In the `count`-th `moment` (a training step, an evaluation, the replacement of a file; 0 for never) the process
    sends itself the `signals`.
    """
    task = SERVER.Process(target=_work, args=(str(folder), [*map(str, arguments)], moment, count, signals))
    task.start()
    task.join(timeout=120)
    out, err = ((folder / name).read_text() for name in ("stdout.txt", "stderr.txt"))
    return Finished(task.exitcode, out, err)


def _work(folder, arguments, moment, count, signals):
    os.chdir(folder)
    for stream, name in ((sys.stdout, "stdout.txt"), (sys.stderr, "stderr.txt")):
        stream.flush()
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream.fileno())
    _interrupt(*MOMENTS[moment], count, signals)
    plots.curves = lambda history: b"no picture"
    tiny.register()
    sys.exit(main(arguments))


def _interrupt(owner, name, count, signals):
    """Make the `count`-th call of owner.name begin with the signals."""
    original = getattr(owner, name)
    calls = 0

    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == count:
            for each in signals:
                os.kill(os.getpid(), each)
        return original(*args, **kwargs)

    setattr(owner, name, wrapped)


SIGINT, SIGKILL = signal.SIGINT, signal.SIGKILL
