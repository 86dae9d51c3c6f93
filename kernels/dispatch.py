"""The one place that decides which version of a kernel runs.

A kernel has one name and one signature in up to three homes: `reference` (NumPy, the textbook), `cpu` (Numba)
and `cuda` (CUDA C++). NumPy arrays go to `cpu`, CuPy arrays to `cuda`; a kernel that its home lacks runs as the
reference version on the same device. It is also the one place where somebody may look on: `observe`.
"""

import functools
import importlib
from contextlib import contextmanager
from contextvars import ContextVar

from . import reference
from .arrays import array_module

HOMES = ("reference", "cpu")

_forced = ContextVar("forced_kernels", default=None)
_observer = ContextVar("observer", default=None)


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


@contextmanager
def observe(observer):
    """Inside the `with` block, call `observer(subject, function, args, kwargs)` instead of every kernel.

    The observer has to return `function(*args, **kwargs)`. subject: the name of the kernel. Who calls kernels may
    announce in the same way what he does (see `watched`), so that the observer knows on whose behalf they run. Raises
    TypeError for an observer that cannot be called.
    """
    if not callable(observer):
        raise TypeError(f"observe: observer must be callable, got {observer!r}")
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def watched(subject, function, /, *args, **kwargs):
    """`function(*args, **kwargs)`, by way of the observer where there is one."""
    observer = _observer.get()
    return function(*args, **kwargs) if observer is None else observer(subject, function, args, kwargs)


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
        function, observer = _find(_home_of(args[0] if args else None), name), _observer.get()
        return function(*args, **kwargs) if observer is None else observer(name, function, args, kwargs)

    return kernel
