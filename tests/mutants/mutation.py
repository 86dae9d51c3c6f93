"""A mutant: one function of the package with its text changed, put in the place of the right one for a while."""

import importlib
import inspect
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass

import numba


@dataclass(frozen=True)
class Mutant:
    """A mistake.

    name: what is wrong, in a few words; function: "module:qualified.name" below `minception`; old, new: the change to
    its text; rows: names of rows of the table whose tests should notice; tests: other tests that should, as
    "module:function" below `tests`, functions without arguments (or with hypothesis's alone).
    """

    name: str
    function: str
    old: str
    new: str
    rows: tuple = ()
    tests: tuple = ()


def mistakes(function, *changes, rows=(), tests=()):
    """Several mutants of one function: each change is (name, old, new), and may end with rows of its own."""
    return [
        Mutant(name, function, old, new, tuple(own[0]) if own else tuple(rows), tuple(tests))
        for name, old, new, *own in changes
    ]


def locate(function):
    """(owner, attribute, value) of "module:qualified.name"."""
    module, _, path = function.partition(":")
    owner = importlib.import_module(f"minception.{module}")
    *outer, attribute = path.split(".")
    for name in outer:
        owner = getattr(owner, name)
    return owner, attribute, vars(owner)[attribute]


def bare(value):
    """The plain Python function inside decorators, class and static methods, and Numba's compilation."""
    value = getattr(value, "__func__", value)
    return inspect.unwrap(getattr(value, "py_func", value))


def changed_source(mutant):
    """The text of the mutated function, from its `def` on."""
    source = textwrap.dedent(inspect.getsource(bare(locate(mutant.function)[2])))
    source = source[source.index("def ") if source.startswith("@") else 0 :]
    times = source.count(mutant.old)
    assert times == 1, f"{mutant.name}: {mutant.old!r} is {times} times in\n{source}"
    return source.replace(mutant.old, mutant.new)


@contextmanager
def applied(mutant):
    """The package with the mutant in place.

    The code of a Python function is exchanged inside the function object, so that every name for it is wrong at once;
    compiled functions are compiled anew, without the cache, and so are those of the same module that call them.
    """
    owner, attribute, value = locate(mutant.function)
    function = bare(value)
    namespace = dict(function.__globals__)
    exec(compile(changed_source(mutant), inspect.getsourcefile(function), "exec"), namespace)
    wrong = namespace[function.__name__]
    if hasattr(value, "py_func"):
        callers = {name: other for name, other in vars(owner).items() if _calls(other, attribute)}
        setattr(owner, attribute, _compiled(wrong))
        for name, caller in callers.items():
            setattr(owner, name, _compiled(caller.py_func))
        try:
            yield
        finally:
            for name, right in {attribute: value, **callers}.items():
                setattr(owner, name, right)
    else:
        right, function.__code__ = function.__code__, wrong.__code__
        _forget_results(function)
        try:
            yield
        finally:
            function.__code__ = right
            _forget_results(function)


def _compiled(function):
    return numba.njit(nogil=True, error_model="numpy")(function)


def _calls(value, name):
    """Whether a value is a compiled function in whose text the name stands."""
    return hasattr(value, "py_func") and name in value.py_func.__code__.co_names


def _forget_results(function):
    """Empty the caches of the module's functions: they hold what was right, or wrong, before the exchange."""
    for value in vars(importlib.import_module(function.__module__)).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
