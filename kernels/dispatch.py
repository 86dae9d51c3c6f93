"""The one place that decides which version of a kernel runs.

A kernel has one name and one signature in up to three homes: `reference` (NumPy, the textbook), `cpu` (Numba)
and `cuda` (CUDA C++). NumPy arrays go to `cpu`, CuPy arrays to `cuda`; a kernel that its home lacks runs as the
reference version on the same device.
"""

import functools
import importlib
from contextlib import contextmanager
from contextvars import ContextVar

from . import reference
from .arrays import array_module

HOMES = ("reference", "cpu")

_forced = ContextVar("forced_kernels", default=None)


@contextmanager
def use_kernels(name):
    """Run every kernel inside the `with` block in the home `name`: "reference" or "cpu".

    Raises ValueError for an unknown name.
    """
    if name not in HOMES:
        raise ValueError(f"use_kernels: unknown kernels {name!r}, known are {', '.join(map(repr, HOMES))}")
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


@functools.cache
def _find(home, name):
    """The function `name` of a home, or the reference version where the home has none."""
    textbook = getattr(reference, name)
    if home == "reference":
        return textbook
    return getattr(importlib.import_module(f".{home}", __package__), name, textbook)


def _home_of(argument):
    """Home for a kernel call by its first argument, an array or a sequence of arrays."""
    forced = _forced.get()
    if forced is not None:
        return forced
    if isinstance(argument, (list, tuple)):
        argument = argument[0] if argument else None
    return "cpu" if array_module(argument).__name__ == "numpy" else "reference"


def dispatched(name):
    """Return the kernel `name` as a function that chooses its home at every call."""
    textbook = getattr(reference, name)

    @functools.wraps(textbook)
    def kernel(*args, **kwargs):
        return _find(_home_of(args[0] if args else None), name)(*args, **kwargs)

    return kernel
