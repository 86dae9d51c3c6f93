"""Numba's cache of machine code, made so that a bad one costs time and nothing else.

Numba's own fails where its files are damaged or the disk is full; gives code for other argument types where two
processes have written at once (each numbers its files by an index that the other then replaces); and does not see that
a function called by the cached one, or a constant in it, has changed.
"""

import functools
import hashlib
from pathlib import Path
from types import CodeType

from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic

__all__ = ["Cache", "fingerprint"]


class Cache(FunctionCache):
    """The cache of one compiled function. Raises RuntimeError where there is no folder that could be written.

    options: with which the function is compiled. inside: compiled functions that it calls without naming them.
    """

    def __init__(self, function, options=(), inside=()):
        super().__init__(function)
        self._options, self._inside, self._fingerprint = options, inside, None

    def load_overload(self, sig, target_context):
        """The compiled code for a signature, or None."""
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # unpickling a damaged file can raise anything
            self._forget()
            return None
        return found if found is not None and found.signature.args == sig else None

    def save_overload(self, sig, data):
        """Keep compiled code, if the disk permits."""
        try:
            super().save_overload(sig, data)
        except Exception:
            self._forget()

    def _forget(self):
        """Begin the index anew, if the disk permits: a damaged one could not be added to."""
        try:
            self.flush()
        except OSError:
            pass

    def _index_key(self, sig, codegen):
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self._py_func, self._inside)
        return (*super()._index_key(sig, codegen), self._fingerprint, tuple(self._options))


def fingerprint(function, inside=()):
    """A hash of what the machine code of a function depends on: its code, and that of the functions it calls.

    inside: compiled functions that it calls without naming them. Constants are part of the code; those that are names
    of the module are followed too. An intrinsic generates its code with whatever functions and classes it likes, so it
    stands for all the source files beside it.
    """
    parts, pending, seen = [], [function, *(dispatcher.py_func for dispatcher in inside)], set()
    while pending:
        function = pending.pop(0)
        if function in seen:
            continue
        seen.add(function)
        for code in _all_code(function.__code__):
            parts += [code.co_code.hex(), *map(_spelled, code.co_consts)]
            for name in code.co_names:
                value = function.__globals__.get(name)
                if isinstance(value, Dispatcher):
                    pending.append(value.py_func)
                elif isinstance(value, _Intrinsic):
                    parts.append(_folder_hash(Path(value._defn.__code__.co_filename).parent))
                elif isinstance(value, (int, float, str, tuple)):
                    parts.append(f"{name} = {value!r}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def _folder_hash(folder):
    """Of the Python files in a folder, or empty if there are none to be read."""
    try:
        return hashlib.sha256(b"\n".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()
    except OSError:
        return ""


def _all_code(code):
    """A code object and those of the functions defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_code(constant)


def _spelled(constant):
    """A constant as text that is the same in every process, which the order of a set is not."""
    if isinstance(constant, CodeType):
        return ""
    return repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)
