"""Compilation with Numba: cached on disk where possible, without the GIL."""

import numba


def compiled(function):
    """Compile `function` with Numba at its first call, for the argument types of that call.

    The machine code is cached beside the source, or in the user's cache folder if that cannot be written (or in
    NUMBA_CACHE_DIR); if nothing can be written it is compiled anew in every process.
    """
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(nogil=True, error_model="numpy")(function)
