"""Reuse of freed memory by the C allocator."""

import ctypes

# Parameters of mallopt in glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def keep_freed_memory():
    """Ask glibc to keep freed arrays for the next allocation instead of returning them to the system.

    A training step allocates the same large arrays again and again; fetching fresh pages for each costs more time
    than the arithmetic on them. It holds for the whole process, so a program calls it, not a library. Returns
    whether the C library took both settings; where it is not glibc, nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
