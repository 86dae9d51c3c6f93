"""How many threads the kernels use, and how work is split among them.

The fast kernels split their images (or rows) into one contiguous part for each thread. BLAS itself is held to one
thread, because every part calls it at the same time; results are bit-reproducible for a fixed thread count.
"""

import contextvars
import functools
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from threadpoolctl import threadpool_limits

_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
_pool = None


def get_num_threads():
    """Number of threads that the kernels use; at first, all processors this process may run on."""
    return _num_threads


def set_num_threads(count):
    """Use `count` threads in the kernels. Raises TypeError or ValueError unless it is a positive integer."""
    global _num_threads, _pool
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"set_num_threads: count must be an integer, got {count!r}")
    if count < 1:
        raise ValueError(f"set_num_threads: count must be positive, got {count}")
    if count != _num_threads and _pool is not None:
        _pool.shutdown()
        _pool = None
    _num_threads = count


def split(size, parts):
    """Bounds (start, stop) of at most `parts` non-empty, nearly equal, contiguous parts of range(size)."""
    parts = max(1, min(parts, size))
    bounds = [size * part // parts for part in range(parts + 1)]
    return list(pairwise(bounds))


@functools.cache
def hold_blas_to_one_thread():
    """From the first call on, matrix products of NumPy run on the thread that asks for them."""
    threadpool_limits(limits=1, user_api="blas")


def run_parts(function, size):
    """Call `function(start, stop)` on parts of range(size), one for each thread; return the results in order.

    `function` must release the GIL for its work (compiled code, NumPy) and write to disjoint memory.
    """
    global _pool
    hold_blas_to_one_thread()
    bounds = split(size, _num_threads)
    if len(bounds) == 1:
        return [function(*bounds[0])]
    if _pool is None:
        _pool = ThreadPoolExecutor(_num_threads - 1, thread_name_prefix="minception")
    # Each part runs in a copy of the caller's context: NumPy keeps `errstate` there.
    others = [_pool.submit(contextvars.copy_context().run, function, *part) for part in bounds[1:]]
    first = function(*bounds[0])
    return [first, *(other.result() for other in others)]


def _forget_pool():
    """A forked child has none of its parent's threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
