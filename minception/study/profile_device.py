"""What profiling has to know of the device: when it has finished, and the memory that a step takes there."""

import tracemalloc
from contextlib import contextmanager

from .. import cuda
from ..kernels.transfer import on_device

__all__ = ["device_of_parameters", "memory_traced", "synchronize"]


def device_of_parameters(model):
    """The device of the first parameter of a module; "cpu" for one without."""
    return next((parameter.device for parameter in model.parameters()), "cpu")


def synchronize(device):
    """Wait until a GPU has done all that it was given; the CPU has."""
    if device != "cpu":
        cuda.synchronize(device)


@contextmanager
def memory_traced(device):
    """Context that gives a function: the most bytes, beyond those of before, that arrays took since its beginning.

    On the CPU by tracemalloc, to which NumPy tells its allocations. On a GPU that is what CuPy's pool of memory took
    from it: freed memory stays in the pool and is used again, so the size of the pool is the peak, with its gaps.
    """
    if device == "cpu":
        was_tracing = tracemalloc.is_tracing()
        if not was_tracing:
            tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            yield lambda: tracemalloc.get_traced_memory()[1] - before
        finally:
            if not was_tracing:
                tracemalloc.stop()
        return
    import cupy

    with on_device(device):
        pool = cupy.get_default_memory_pool()
        pool.free_all_blocks()
        before = pool.used_bytes()
        yield lambda: pool.total_bytes() - before
