"""Compilation with Numba: cached on disk where possible, without the GIL."""

import numba

OPTIONS = {"nogil": True, "error_model": "numpy"}


def compiled(function, cache=True, fastmath=("contract",)):
    """Compile `function` with Numba at its first call, for the argument types of that call.

    Products and sums may be contracted to fused multiply-adds, which round once; nothing else is relaxed.

    The machine code is cached beside the source, or in the user's cache folder if that cannot be written (or in
    NUMBA_CACHE_DIR); if nothing can be written, or `cache` is false, it is compiled anew in every process.
    """
    options = OPTIONS | {"fastmath": set(fastmath)}
    if cache:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no folder to cache in
            pass
    return numba.njit(**options)(function)


def compiled_exactly(function):
    """`compiled`, with every product and sum rounded by itself: the bits are those of the same formula in NumPy."""
    return compiled(function, fastmath=())


def compiled_sum(function):
    """`compiled`, with the terms of sums in any order, many beside each other. It is the same order in every run."""
    return compiled(function, fastmath=("contract", "reassoc"))


def is_cached(function):
    """Whether a compiled function keeps its machine code on disk."""
    return function.stats.cache_path is not None
