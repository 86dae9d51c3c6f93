"""Large arrays of the CPU in memory that is used again, with a ceiling on what is kept for that.

A training step makes the same large arrays again and again. The C library returns large blocks to the system when they
are freed, and pages fresh from the system cost more time than the arithmetic on them: each is filled with zeros first.
So the memory of a large array goes to a list when the last array on it dies, and the next array of that size takes it
from there; after its first step, training asks the system for nothing.
"""

import os
import threading
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np

__all__ = ["empty", "empty_cache", "get_workspace_limit", "nothing_kept", "owns_memory", "set_workspace_limit"]

SMALLEST = 1 << 20  # bytes; below, the C library keeps memory too
LINE = 64  # bytes of a line of the cache: a vector of AVX-512 that lies across two takes twice as long to load
STEPS = 8  # sizes of blocks between two powers of two: at most an eighth of a block is left over


class _Free:
    """Blocks that no array uses, by their size; the size that was not asked for the longest first."""

    def __init__(self, limit):
        self.limit = limit
        self.kept = 0
        self.blocks = OrderedDict()
        self.lock = threading.RLock()  # the collector may end an array while this thread holds it

    def take(self, size):
        with self.lock:
            blocks = self.blocks.get(size)
            if not blocks:
                return None
            self.blocks.move_to_end(size)
            self.kept -= size
            return blocks.pop()

    def give(self, memory):
        with self.lock:
            self.blocks.setdefault(memory.size, []).append(memory)
            self.kept += memory.size
            if self.kept > self.limit:
                self.shrink(self.limit)

    def shrink(self, limit):
        with self.lock:
            while self.kept > limit:
                size, blocks = next(iter(self.blocks.items()))
                if blocks:
                    blocks.pop()
                    self.kept -= size
                if not blocks:
                    del self.blocks[size]


def _quarter_of_memory():
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    except (AttributeError, OSError, ValueError):  # not on this system
        return 1 << 30


_free = _Free(_quarter_of_memory())


class _Memory:
    """A block of memory: bytes, and where the first line of the cache begins in them."""

    __slots__ = ("address", "array", "size")

    def __init__(self, size):
        self.array = np.empty(size + LINE, np.uint8)
        address = self.array.ctypes.data
        self.address = address + -address % LINE, False
        self.size = size


class _Owner:
    """What an array in a block of memory names as its owner; it dies with the last array in it."""

    __slots__ = ("__array_interface__", "memory")

    def __init__(self, memory, shape, dtype):
        self.memory = memory
        self.__array_interface__ = {"data": memory.address, "shape": shape, "typestr": dtype.str, "version": 3}

    def __del__(self):
        if _free is not None:  # else the interpreter ends
            _free.give(self.memory)


def _block_size(size):
    step = 1 << max(0, (size - 1).bit_length() - 1 - (STEPS.bit_length() - 1))
    return -(-size // step) * step


def empty(shape, dtype):
    """`numpy.empty(shape, dtype)`, in memory that was used before if there is some of this size."""
    dtype = np.dtype(dtype)
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    if size < SMALLEST:
        return np.empty(shape, dtype)
    size = _block_size(size)
    memory = _free.take(size)
    if memory is None:
        if size > _free.limit:
            return np.empty(shape, dtype)
        memory = _Memory(size)
    return np.asarray(_Owner(memory, tuple(shape), dtype))


def owns_memory(array):
    """Whether nothing else than this array and its views lies in its memory."""
    return array.base is None or type(array.base) is _Owner


def get_workspace_limit():
    """How many bytes of freed memory may be kept for the next large arrays on the CPU."""
    return _free.limit


def set_workspace_limit(limit):
    """Keep at most `limit` bytes of freed memory for the next large arrays on the CPU; 0 keeps none.

    It is a quarter of the machine's memory unless set. What arrays in use occupy does not count.

    Raises TypeError unless `limit` is an integer, ValueError if it is negative.
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"set_workspace_limit: limit must be an integer, got {limit!r}")
    if limit < 0:
        raise ValueError(f"set_workspace_limit: limit must not be negative, got {limit}")
    with _free.lock:
        _free.limit = limit
        _free.shrink(limit)


@contextmanager
def nothing_kept():
    """Every array in memory of its own meanwhile, so that allocations can be counted."""
    limit = _free.limit
    set_workspace_limit(0)
    try:
        yield
    finally:
        set_workspace_limit(limit)


def empty_cache():
    """Return all memory that is kept for the next large arrays to the system. As `torch.cuda.empty_cache`."""
    _free.shrink(0)
