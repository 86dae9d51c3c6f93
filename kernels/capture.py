"""What kernels have to know while a CUDA graph is captured (`minception.cuda.graph`).

A capture writes down what a stream is given to do, and does none of it. So there are no values to be looked at, what
comes from the host comes only once, and CuPy refuses to call cuBLAS.
"""

from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Capture", "capturing", "current_capture", "uses_cublas", "without_cublas"]

_current = ContextVar("capture", default=None)
_without = ContextVar("without_cublas", default=False)


class Capture:
    """The draws of random numbers in what is captured: each replay has to draw anew.

    draws: pairs of a NumPy generator and the array on the device where its numbers are expected.
    """

    def __init__(self):
        self.draws = []


@contextmanager
def capturing(capture):
    """In the `with` block kernels are captured, by this thread."""
    token = _current.set(capture)
    try:
        yield
    finally:
        _current.reset(token)


def current_capture():
    """The Capture that is going on, or None."""
    return _current.get()


@contextmanager
def without_cublas():
    """Let our own kernels make all products of matrices in the `with` block, as in a capture: to the same bits."""
    token = _without.set(True)
    try:
        yield
    finally:
        _without.reset(token)


def uses_cublas():
    """Whether products of matrices may be left to cuBLAS."""
    return _current.get() is None and not _without.get()
