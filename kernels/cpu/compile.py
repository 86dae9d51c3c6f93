"""Compilation with Numba: cached on disk where possible, without the GIL."""

import numba

OPTIONS = {"nogil": True, "error_model": "numpy"}


def compiled(function):
    """Compile `function` with Numba at its first call, for the argument types of that call.

    Products and sums may be contracted to fused multiply-adds, which round once; nothing else is relaxed.

    The machine code is cached beside the source, or in the user's cache folder if that cannot be written (or in
    NUMBA_CACHE_DIR); if nothing can be written it is compiled anew in every process.
    """
    return _compiled(function, fastmath={"contract"})


def compiled_exactly(function):
    """`compiled`, with every product and sum rounded by itself: the bits are those of the same formula in NumPy."""
    return _compiled(function)


def compiled_sum(function):
    """`compiled`, with the terms of sums in any order: many beside each other. It is the same order in every run."""
    return _compiled(function, fastmath={"contract", "reassoc"})


def _compiled(function, **options):
    try:
        return numba.njit(cache=True, **OPTIONS, **options)(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(**OPTIONS, **options)(function)
