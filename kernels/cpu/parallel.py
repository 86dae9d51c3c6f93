"""Division of a compiled kernel's work among the threads."""

from ..threads import get_num_threads, run_parts, split

__all__ = ["count_parts", "run"]


def count_parts(size):
    """How many parts `run` makes of range(size): kernels that add up allocate one partial sum for each."""
    return len(split(size, get_num_threads()))


def run(kernel, size, *arguments):
    """Call `kernel(start, stop, part, *arguments)` on each part of range(size), one for each thread.

    kernel: compiled, writes to memory that is disjoint for disjoint parts. `part` counts the parts from 0.
    """
    parts = split(size, get_num_threads())
    run_parts(lambda first, last: [kernel(*parts[i], i, *arguments) for i in range(first, last)], len(parts))
