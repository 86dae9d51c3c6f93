"""Compilation with Numba: cached on disk where possible, without the GIL."""

import numba

# Products and sums may be contracted to fused multiply-adds, which round once; nothing else is relaxed.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def compiled(function, cache=True):
    """Compile `function` with Numba at its first call, for the argument types of that call.

    The machine code is cached beside the source, or in the user's cache folder if that cannot be written (or in
    NUMBA_CACHE_DIR); if nothing can be written, or `cache` is false, it is compiled anew in every process.
    """
    if cache:
        try:
            return numba.njit(cache=True, **OPTIONS)(function)
        except RuntimeError:  # no folder to cache in
            pass
    return numba.njit(**OPTIONS)(function)


def is_cached(function):
    """Whether a compiled function keeps its machine code on disk."""
    return function.stats.cache_path is not None
