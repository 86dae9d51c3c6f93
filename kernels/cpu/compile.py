"""Compilation with Numba: cached on disk where possible, without the GIL."""

from contextlib import contextmanager

import numba
from numba.core import event
from numba.core.dispatcher import Dispatcher

from .cache import Cache

_declared = []  # every compiled function, in the order of their declaration

OPTIONS = {"nogil": True, "error_model": "numpy"}


def compiled(function, cache=True, fastmath=("contract",), inside=()):
    """Compile `function` with Numba at its first call, for the argument types of that call.

    Products and sums may be contracted to fused multiply-adds, which round once; nothing else is relaxed.

    The machine code is cached beside the source, or in the user's cache folder if that cannot be written (or in
    NUMBA_CACHE_DIR); if nothing can be written, or `cache` is false, it is compiled anew in every process. `inside`:
    compiled functions that it calls without naming them.
    """
    options = OPTIONS | {"fastmath": set(fastmath)}
    dispatcher = numba.njit(**options)(function)
    _declared.append(dispatcher)
    if cache and isinstance(dispatcher, Dispatcher):  # NUMBA_DISABLE_JIT leaves a Python function
        try:
            dispatcher._cache = Cache(function, sorted(fastmath), inside)  # what `cache=True` does, with Numba's own
        except RuntimeError:  # no folder to cache in
            pass
    return dispatcher


def compiled_exactly(function):
    """`compiled`, with every product and sum rounded by itself: the bits are those of the same formula in NumPy."""
    return compiled(function, fastmath=())


def compiled_sum(function):
    """`compiled`, with the terms of sums in any order, many beside each other. It is the same order in every run."""
    return compiled(function, fastmath=("contract", "reassoc"))


def is_cached(function):
    """Whether a compiled function keeps its machine code on disk."""
    return function.stats.cache_path is not None


def count_declared():
    """How many functions have been declared as compiled; most programs need only some of them."""
    return len(_declared)


@contextmanager
def watch_compilation(begins, ends):
    """Inside the `with` block, call `begins(function)` and `ends(function)` around every compilation of a function.

    What is found in the cache is not compiled, and costs nothing here. Compilations may lie inside each other.
    """

    class Listener(event.Listener):
        def on_start(self, happening):
            self.tell(begins, happening)

        def on_end(self, happening):
            self.tell(ends, happening)

        def tell(self, listener, happening):
            if any(function is happening.data["dispatcher"] for function in _declared):
                listener(happening.data["dispatcher"])

    with event.install_listener("numba:compile", Listener()):
        yield
