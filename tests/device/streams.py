"""Streams and graphs of the stand-in for CuPy: what is captured is written down, done later, and as often as asked.

While the stand-in captures, its operations are done, because Python needs results to go on with; at the end every
array that was there before has its old values again, and those made meanwhile hold nothing of use. A graph does the
operations again on the same memory. What a GPU cannot capture raises what CuPy and the driver raise; what they would
capture wrongly is an AssertionError: numbers from the memory of the host, which are gone at the replay, and memory of
the pool that gives it to others when it is freed.
"""

import threading
from contextlib import contextmanager

import numpy as np

_current = threading.local()


class Recording:
    """What has been done since a capture began."""

    def __init__(self, live, default_pool):
        self.steps, self.made, self.default_pool = [], [], default_pool
        self.before = [(values, values.copy()) for values in live]

    def add(self, step):
        self.steps.append(step)

    def allocated(self, values, pool):
        assert pool is not self.default_pool, "memory of the default pool, which others get when it is freed"
        self.made.append(values)

    def end(self):
        for values, copy in self.before:
            np.copyto(values, copy)
        for values in self.made:
            _spoil(values)
        return Graph(self.steps, self.made)


def _spoil(values):
    if values.flags.writeable and values.size:
        values.fill(np.nan if values.dtype.kind == "f" else 1)


class Graph:
    """`cupy.cuda.graph.Graph`."""

    def __init__(self, steps, memory):
        self._steps, self._memory = steps, memory

    def launch(self, stream=None):
        assert recording() is None
        with np.errstate(all="ignore"):
            for step in self._steps:
                step()


def recording():
    """The Recording that is going on in this thread, or None."""
    return getattr(_current, "recording", None)


def record(step):
    """Add a function without arguments to the recording, if there is one."""
    if recording() is not None:
        recording().add(step)


def refuse_reading():
    """To be called where the host waits for a value."""
    if recording() is not None:
        from .stand_in import CUDARuntimeError

        raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")


def refuse_cublas():
    """To be called where CuPy calls cuBLAS."""
    if recording() is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def refuse_host_memory():
    assert recording() is None, "a copy from the host is captured, and would be repeated from memory that is gone"


class Stream:
    """`cupy.cuda.Stream`, in which everything is done at once."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        pass

    def __enter__(self):
        _current.streams = [*getattr(_current, "streams", []), self]
        return self

    def __exit__(self, *exception):
        _current.streams.pop()

    def synchronize(self):
        refuse_reading()

    def begin_capture(self, mode=None):
        from . import stand_in

        assert getattr(_current, "streams", [])[-1:] == [self], "what is captured is what the current stream gets"
        _current.recording = Recording(stand_in.live_values(), stand_in._pool)

    def end_capture(self):
        recorded = _current.recording
        _current.recording = None
        return recorded.end()


@contextmanager
def using_allocator(allocator=None):
    """`cupy.cuda.using_allocator`, with the `malloc` of a MemoryPool."""
    before = pool()
    _current.pool = allocator.__self__
    try:
        yield
    finally:
        _current.pool = before


def pool():
    """The pool that this thread allocates from, or None for the default one."""
    return getattr(_current, "pool", None)
