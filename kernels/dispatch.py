"""The one place that decides which version of a kernel runs.

A kernel has one name and one signature in up to three homes: `reference` (NumPy, the textbook), `cpu` (Numba)
and `cuda` (CUDA C++). NumPy arrays go to `cpu`, CuPy arrays to `cuda`; a kernel that its home lacks runs as the
reference version on the same device. "cuda-emulated" is `cuda` for NumPy arrays, on the CPU, for tests. It is also the
one place where somebody may look on: `observe`.
"""

import functools
import importlib
from contextlib import contextmanager
from contextvars import ContextVar

from . import reference
from .arrays import array_module

HOMES = ("reference", "cpu", "cuda", "cuda-emulated")

OWNERS = {"cuda": "cupy", "cuda-emulated": "numpy"}  # whose arrays the kernels of these homes take

_forced = ContextVar("forced_kernels", default=None)
_observer = ContextVar("observer", default=None)


@contextmanager
def use_kernels(name):
    """Run every kernel inside the `with` block in the home `name`: "reference", "cpu", "cuda" or "cuda-emulated".

    "cuda" takes CuPy arrays. "cuda-emulated" runs the same kernels on the CPU, slowly, for NumPy arrays: for tests.

    Raises ValueError for an unknown name, RuntimeError for "cuda" without CuPy or a GPU and for "cuda-emulated" without
    a C++ compiler.
    """
    if name not in HOMES:
        raise ValueError(f"use_kernels: unknown kernels {name!r}, known are {', '.join(map(repr, HOMES))}")
    if name == "cuda":
        importlib.import_module(".cuda.device", __package__).require_gpu()
    elif name == "cuda-emulated":
        importlib.import_module(".cuda.emulated.build", __package__).find_compiler()
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
    module = "cuda" if home == "cuda-emulated" else home
    return getattr(importlib.import_module(f".{module}", __package__), name, textbook)


def _home_of(argument):
    """Home for a kernel call by its first argument, an array or a sequence of arrays."""
    forced = _forced.get()
    if forced in ("reference", "cpu"):
        return forced
    if isinstance(argument, (list, tuple)):
        argument = argument[0] if argument else None
    owner = array_module(argument).__name__
    if forced is None:
        return "cpu" if owner == "numpy" else "cuda"
    if owner != OWNERS[forced] and hasattr(argument, "dtype"):
        raise TypeError(f'the kernels "{forced}" compute with arrays of {OWNERS[forced]}, got one of {owner}')
    return forced


def dispatched(name):
    """Return the kernel `name` as a function that chooses its home at every call."""
    textbook = getattr(reference, name)

    @functools.wraps(textbook)
    def kernel(*args, **kwargs):
        function, observer = _find(_home_of(args[0] if args else None), name), _observer.get()
        return function(*args, **kwargs) if observer is None else observer(name, function, args, kwargs)

    return kernel
