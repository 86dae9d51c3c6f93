"""Division of a compiled kernel's work among the threads."""

import functools
import os
import threading

from ..threads import get_num_threads, hold_blas_to_one_thread, split
from .launch import launcher, new_board, serve

__all__ = ["count_parts", "run", "run_if_large"]

SMALL = 1 << 16  # numbers that one thread has passed over before it could have shared them
ROUNDS = 300  # for how long a thread stays awake without work: some hundred microseconds

_launcher = functools.cache(launcher)


class _Crew:
    """The threads that help the calling one. They sleep while there is nothing to do, and end with the process."""

    def __init__(self):
        hold_blas_to_one_thread()  # its threads would wait for processors on which these stay awake
        self.board, self.busy, self.helpers = new_board(), threading.Lock(), 0
        self.ear, self.bell = os.pipe()

    def grow(self, helpers):
        while self.helpers < helpers:
            self.helpers += 1
            job = (self.board, self.ear, ROUNDS)
            threading.Thread(target=serve, args=job, name=f"minception {self.helpers}", daemon=True).start()


_crew = None


def _get_crew(helpers):
    """The crew of this process, with at least so many helpers. A forked child has none of its parent's threads."""
    global _crew
    if _crew is None:
        _crew = _Crew()
    if _crew.helpers < helpers:
        _crew.grow(helpers)
    return _crew


def _forget_crew():
    global _crew
    _crew = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_crew)


def count_parts(size):
    """How many parts `run` makes of range(size): kernels that add up allocate one partial sum for each."""
    return len(split(size, get_num_threads()))


def run(kernel, size, *arguments):
    """Call `kernel(start, stop, part, *arguments)` on each part of range(size), one for each thread.

    kernel: compiled, raises nothing, writes to memory that is disjoint for disjoint parts. `part` counts the parts
    from 0. If another thread of the program is in the middle of a kernel, this one does all parts itself.
    """
    launch, parts = _launcher(kernel), max(1, min(size, get_num_threads()))
    crew = _get_crew(get_num_threads() - 1)
    if crew.busy.acquire(blocking=False):
        try:
            launch(crew.board, crew.bell, parts, size, *arguments)
        finally:
            crew.busy.release()
    else:
        launch(new_board(), crew.bell, parts, size, *arguments)


def run_if_large(kernel, size, numbers, *arguments):
    """`run` if the kernel passes over more than `SMALL` numbers in memory, else the same on this thread alone."""
    if numbers <= SMALL:
        kernel(0, size, 0, *arguments)
    else:
        run(kernel, size, *arguments)
