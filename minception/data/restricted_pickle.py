"""Read the pickles of the official CIFAR "python version", and nothing else that a pickle can hold.

A pickle is a program: its GLOBAL opcode imports any name and REDUCE calls it, so `pickle.load` on a file from
elsewhere runs whatever the file says. Three walls stand here, each enough for the usual attacks:

1. `_scan` walks over the opcodes without running them. It lets pass only the opcodes that Python 2 (protocol 2, the
   official files) and Python 3 (protocols 2 to 4, numpy arrays saved again) write for dictionaries, lists, strings,
   bytes, integers and arrays, checks that every counted argument lies inside the file, and bounds what could make a
   small file use a large memory or a deep stack.
2. `find_class` knows the few global names that such files hold, and answers each with a stand-in of this module:
   neither numpy nor codecs is ever called with arguments from the file.
3. The stand-ins check types, dtype (uint8 only) and that the shape fits the bytes at hand, so no array is larger
   than the file that it came from.
"""

import io
import math
import pickle
import pickletools

import numpy as np

from .errors import CorruptDataError, ForbiddenPickleError

MAXIMUM_BYTES = 1 << 28  # the largest official file, CIFAR-100's `train`, has 155 million bytes
MAXIMUM_OPCODES = 2_000_000  # CIFAR-100's `train` has about 300,000
MAXIMUM_TUPLES = 64  # hashing a deeply nested tuple recurses without a limit; an array needs about six tuples
MAXIMUM_INTEGER_BYTES = 8  # longer ones can be made to collide in a dictionary
MAXIMUM_AXES = 4

ALLOWED_OPCODES = """
    PROTO FRAME STOP MARK MEMOIZE BINPUT LONG_BINPUT BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1
    SHORT_BINSTRING BINSTRING SHORT_BINBYTES BINBYTES BINBYTES8 SHORT_BINUNICODE BINUNICODE BINUNICODE8
    EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 TUPLE EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
    GLOBAL STACK_GLOBAL REDUCE BUILD
"""
# pickletools describes each opcode's argument by a size in bytes, or by one of these negative marks.
LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
OPCODE_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
ARGUMENT_SIZES = {
    ord(opcode.code): opcode.arg.n if opcode.arg else 0
    for opcode in pickletools.opcodes
    if opcode.name in ALLOWED_OPCODES.split()
}


def _codes(names):
    return frozenset(code for code, name in OPCODE_NAMES.items() if name in names.split())


(GLOBAL,), (STOP,), (FRAME,) = _codes("GLOBAL"), _codes("STOP"), _codes("FRAME")
(MEMOIZE,), (LONG1,) = _codes("MEMOIZE"), _codes("LONG1")
PUT_OPCODES, GET_OPCODES = _codes("MEMOIZE BINPUT LONG_BINPUT"), _codes("BINGET LONG_BINGET")
TUPLE_OPCODES = _codes("TUPLE TUPLE1 TUPLE2 TUPLE3")
# What these leave on top of the stack is new and no tuple. A tuple that is fetched twice from the memo could hold
# itself twice at each of many levels, and hashing it would take longer than a life.
SHARED_OPCODES = _codes(
    """
    SHORT_BINSTRING BINSTRING SHORT_BINBYTES BINBYTES BINBYTES8 SHORT_BINUNICODE BINUNICODE BINUNICODE8
    LONG1 EMPTY_LIST EMPTY_DICT GLOBAL STACK_GLOBAL REDUCE
    """
)


def loads(data, name):
    """Unpickle `data` (bytes), which must be a dictionary; values may be uint8 arrays, lists, str, bytes and int.

    `name` is what error messages call the file. Python 2 strings come back as bytes. Arrays are read-only.
    Raises ForbiddenPickleError for a pickle that asks for more than a CIFAR file needs, and CorruptDataError for
    one that is cut off or makes no sense. The file's program is not run at all in the first case, or not beyond the
    stand-ins.
    """
    _scan(data, name)
    try:
        value = _RestrictedUnpickler(data, name).load()
    except ForbiddenPickleError:
        raise
    except _RefusedError as error:
        raise ForbiddenPickleError(f"{name}: forbidden pickle: {error}") from error
    except Exception as error:
        raise CorruptDataError(f"{name}: damaged pickle: {type(error).__name__}: {error}") from error
    if type(value) is not dict:
        raise CorruptDataError(f"{name}: expected a pickled dictionary, found {type(value).__name__}")
    return {key: _finished(item, name) for key, item in value.items()}


def _scan(data, name):
    """Raise unless `data` consists of allowed opcodes, complete up to STOP, within the limits of this module."""
    if len(data) > MAXIMUM_BYTES:
        raise ForbiddenPickleError(f"{name}: {len(data)} bytes, no CIFAR file is larger than {MAXIMUM_BYTES}")
    position = tuples = previous = 0
    memo = {}  # index -> whether the value may be fetched
    for _ in range(MAXIMUM_OPCODES):
        if position >= len(data):
            raise CorruptDataError(f"{name}: truncated pickle: it ends before its STOP opcode")
        code = data[position]
        size = ARGUMENT_SIZES.get(code)
        if size is None:
            opcode = OPCODE_NAMES.get(code, f"0x{code:02x}")
            raise ForbiddenPickleError(f"{name}: forbidden pickle opcode {opcode} at byte {position}")
        start = position + 1
        if code == GLOBAL:
            position = _scan_global(data, start, name)
        elif size < 0:
            start += LENGTH_BYTES[size]
            position = start + int.from_bytes(data[start - LENGTH_BYTES[size] : start], "little")
            if code == LONG1 and position - start > MAXIMUM_INTEGER_BYTES:
                raise ForbiddenPickleError(f"{name}: forbidden integer of {position - start} bytes in a pickle")
        else:
            position = start + size
        if code in PUT_OPCODES or code in GET_OPCODES:
            index = len(memo) if code == MEMOIZE else int.from_bytes(data[start:position], "little")
            if index > MAXIMUM_OPCODES:
                raise ForbiddenPickleError(f"{name}: forbidden memo index at byte {start} of the pickle")
            if code in PUT_OPCODES:
                memo[index] = previous in SHARED_OPCODES
            elif not memo.get(index, True):
                raise ForbiddenPickleError(f"{name}: forbidden pickle: a tuple fetched from the memo at byte {start}")
        if position > len(data):
            raise CorruptDataError(f"{name}: truncated pickle: {OPCODE_NAMES[code]} runs past the end")
        if code != FRAME:  # which only divides the file
            previous = code
        tuples += code in TUPLE_OPCODES
        if tuples > MAXIMUM_TUPLES:
            raise ForbiddenPickleError(f"{name}: forbidden pickle: more than {MAXIMUM_TUPLES} tuples")
        if code == STOP:
            return
    raise ForbiddenPickleError(f"{name}: forbidden pickle: more than {MAXIMUM_OPCODES} opcodes")


def _scan_global(data, start, name):
    """Check the two lines of a GLOBAL opcode, module and attribute; return the position behind them."""
    lines = data[start : start + 256].split(b"\n", 2)
    if len(lines) < 3:
        raise CorruptDataError(f"{name}: truncated pickle: a GLOBAL opcode without its two lines")
    _stand_in(lines[0].decode("latin-1"), lines[1].decode("latin-1"), name)
    return start + len(lines[0]) + len(lines[1]) + 2


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, data, name):
        super().__init__(io.BytesIO(data), fix_imports=False, encoding="bytes")
        self.name = name

    def find_class(self, module, attribute):
        return _stand_in(module, attribute, self.name)


def _stand_in(module, attribute, name):
    """What a global name of the file means here. The class attributes of stand-ins cannot be set from a pickle."""
    try:
        return STAND_INS[module, attribute]
    except KeyError:
        shown = ascii(f"{module[:100]}.{attribute[:100]}")[1:-1]
        raise ForbiddenPickleError(
            f"{name}: forbidden global {shown} in a pickle; this is not an official CIFAR file"
        ) from None


class _RefusedError(Exception):
    """A stand-in was called with what no CIFAR file passes; `loads` adds the name of the file."""


class _NdarrayName:
    """Stands for the name numpy.ndarray, an argument of _reconstruct. Cannot be called."""

    __slots__ = ()


class _Reconstruct:
    """Stands for numpy's _reconstruct(ndarray, (0,), b"b"), the empty array that BUILD fills."""

    __slots__ = ()

    def __call__(self, subtype, shape, typecode):
        if type(subtype) is not _NdarrayName or shape != (0,) or typecode not in (b"b", "b"):
            raise _RefusedError("unusual arguments of numpy's _reconstruct")
        return _Array()


class _Dtype:
    """Stands for numpy.dtype("u1", align, copy)."""

    __slots__ = ()

    def __call__(self, code, align=0, copy=1):
        if code not in (b"u1", "u1"):
            shown = repr(code[:20]) if isinstance(code, bytes | str) else type(code).__name__  # a list may be endless
            raise _RefusedError(f"an array of dtype {shown}, CIFAR files hold only uint8 ('u1')")
        return _Uint8()


class _Encode:
    """Stands for _codecs.encode(text, "latin1"), Python 3's way of writing bytes at protocol 2."""

    __slots__ = ()

    def __call__(self, text, encoding):
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise _RefusedError("unusual arguments of _codecs.encode")
        return text.encode("latin-1")


class _Uint8:
    """The one dtype. Its BUILD state (version, byte order, no subarray, no fields, ...) changes nothing."""

    __slots__ = ()

    def __setstate__(self, state):
        if type(state) is not tuple or state[1:5] not in ((b"|", None, None, None), ("|", None, None, None)):
            raise _RefusedError("unusual state of a uint8 dtype")


class _Array:
    """An array under construction: BUILD passes (version, shape, dtype, is_fortran, bytes)."""

    __slots__ = ("value",)

    def __setstate__(self, state):
        _, shape, dtype, is_fortran, data = state
        if type(shape) is not tuple or len(shape) > MAXIMUM_AXES:
            raise _RefusedError(f"an array's shape is not a tuple of at most {MAXIMUM_AXES} sizes")
        if not all(type(extent) is int and extent >= 0 for extent in shape):
            raise _RefusedError("an array's shape is not a tuple of sizes")
        if type(dtype) is not _Uint8 or type(data) is not bytes:
            raise _RefusedError("an array's state lacks its dtype or its bytes")
        if math.prod(shape) != len(data):
            raise _RefusedError(f"an array of shape {shape} comes with {len(data)} bytes")
        self.value = np.frombuffer(data, np.uint8).reshape(shape, order="F" if is_fortran else "C")


STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy", "ndarray"): _NdarrayName(),
    ("numpy", "dtype"): _Dtype(),
    ("_codecs", "encode"): _Encode(),
}


def _finished(item, name):
    """The array in place of its construction; other values as they are."""
    if type(item) is not _Array:
        return item
    if not hasattr(item, "value"):
        raise CorruptDataError(f"{name}: damaged pickle: an array without contents")
    return item.value
