"""Lists of arrays as tables of addresses, so that one compiled call runs over all of them.

A call from Python costs some microseconds, which for the many small arrays of a network is more than their arithmetic.
Row r of a table holds the addresses of arrays that belong together (a parameter, its gradient, its momentum), which
have the same elements in the same order. The rows lie one behind the other in one long range of elements, which is
divided among the threads; `ends` says where each row ends in it.
"""

import ctypes

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from ..arrays import FLOAT_DTYPES
from .compile import compiled
from .parallel import count_parts, run
from .rows import flat_view

__all__ = ["Table", "addresses_of", "locate", "piece", "tabulate"]

BLOCK = 2048  # elements that several loops in turn find in the first-level cache
SMALL = 1 << 17  # elements that one thread has done before it could have shared them


@intrinsic
def _pointer(typing_context, address):
    """The int64 `address` as a pointer."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(address), generate


class _ArrayInterface(ctypes.Structure):
    """NumPy's description of an array for C: numpy.org/doc/stable/reference/arrays.interface.html, C-struct access."""

    _fields_ = (
        ("two", ctypes.c_int),
        ("nd", ctypes.c_int),
        ("typekind", ctypes.c_char),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_int),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
    )


DATA = _ArrayInterface.data.offset
_struct_of = ctypes.pythonapi.PyCapsule_GetPointer
_struct_of.restype, _struct_of.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


@compiled
def _read_addresses(structs, addresses):
    for i in range(len(structs)):
        addresses[i] = numba.carray(_pointer(structs[i] + DATA), 1, np.int64)[0]


def addresses_of(arrays):
    """Where the elements of each array begin: int64 (arrays,). `array.ctypes.data`, in a quarter of the time."""
    capsules = [array.__array_struct__ for array in arrays]  # they own the structs
    structs = np.array([_struct_of(capsule, None) for capsule in capsules], np.int64)
    addresses = np.empty(len(structs), np.int64)
    _read_addresses(structs, addresses)
    return addresses


@compiled
def piece(address, first, size, like):
    """The array of `size` elements, in the dtype of `like`, from element `first` of the array at `address`."""
    return numba.carray(_pointer(address + first * like.itemsize), size, like.dtype)


@compiled
def locate(ends, start, stop):
    """(row, first, size): where the elements from `start` on lie, up to `stop`, the end of the row or a block of them.

    They are `size` elements of the row from number `first` on.
    """
    row = np.searchsorted(ends, start, "right")
    return row, start - (ends[row - 1] if row > 0 else 0), min(stop, ends[row], start + BLOCK) - start


class Table:
    """Rows of arrays as addresses.

    columns: lists of arrays, which the table keeps alive, or None. Arrays of one row have one size, all one dtype.
    addresses: int64 (rows, columns), 0 for a column that is None. ends: int64 (rows,), where each row ends among all
    elements.
    """

    def __init__(self, columns):
        self.columns, self.dtype = columns, columns[0][0].dtype
        self.addresses = np.zeros((len(columns[0]), len(columns)), np.int64)
        for i, arrays in enumerate(columns):
            if arrays is not None:
                self.addresses[:, i] = addresses_of(arrays)
        self.ends = np.cumsum([a.size for a in columns[0]], dtype=np.int64)
        self.size = int(self.ends[-1])

    def overlaps(self):
        """Whether two of the arrays share memory, if only a part of it."""
        sizes = np.diff(self.ends, prepend=0)[:, None] * self.dtype.itemsize * (self.addresses != 0)
        starts, sizes = self.addresses[sizes > 0], sizes[sizes > 0]
        order = np.argsort(starts)
        starts, stops = starts[order], (starts + sizes)[order]
        return bool((stops[:-1] > starts[1:]).any())

    @property
    def parts(self):
        """How many parts `run` makes: kernels that add up need a partial sum for each."""
        return 1 if self.size <= SMALL else count_parts(self.size)

    def run(self, kernel, *arguments):
        """Call the compiled `kernel(start, stop, part, addresses, ends, *arguments)` on parts of range(self.size)."""
        if self.size <= SMALL:
            kernel(0, self.size, 0, self.addresses, self.ends, *arguments)
        else:
            run(kernel, self.size, self.addresses, self.ends, *arguments)


def tabulate(columns, written):
    """Which rows a compiled pass can take: (a Table of them, or None if there are none; the numbers of the others).

    columns: lists, of one length, of what should be arrays, or None in place of a list; nothing has been checked yet,
    and a row in which something is wrong is left to the others. written: for each column, whether it will be written
    to.

    A row is taken if its first array lies in memory without gaps, and the others have its shape, dtype and memory
    order; an array that is only read is copied if its memory order is another. Where arrays overlap in memory, as
    those of parameters that share it, the order of the updates matters, and no row is taken.
    """
    count = len(columns[0])
    if not _alike(columns, written):
        columns, others = _fitting_rows(columns, written)
    else:
        others = []
    table = Table(columns) if columns[0] else None
    if table is not None and any(written) and table.overlaps():
        return None, range(count)
    return table, others


def _alike(columns, written):
    """Whether all rows can be taken as they are: what is usual, found out column by column, which is quick."""
    first = columns[0]
    if not first or not all(map(_is_dense, first)):
        return False
    dtypes, shapes, strides = [first[0].dtype] * len(first), [a.shape for a in first], [a.strides for a in first]
    for arrays, writes in zip(columns, written, strict=True):
        if arrays is not None and not (
            all([type(a) is np.ndarray for a in arrays])
            and [a.dtype for a in arrays] == dtypes
            and [a.shape for a in arrays] == shapes
            and [a.strides for a in arrays] == strides
            and all([a.flags.behaved if writes else a.flags.aligned for a in arrays])
        ):
            return False
    return True


def _fitting_rows(columns, written):
    """The rows that can be taken, as columns, and the numbers of the others: the same, row by row."""
    taken, others, dtype = [], [], None
    for i in range(len(columns[0])):
        first = columns[0][i]
        row = [None if arrays is None else arrays[i] for arrays in columns]
        if _is_dense(first) and (dtype is None or first.dtype == dtype):
            fitting = [None if a is None else _fit(a, first, writes) for a, writes in zip(row, written, strict=True)]
            if all((a is None) == (b is None) for a, b in zip(fitting, columns, strict=True)):
                dtype = first.dtype
                taken.append(fitting)
                continue
        others.append(i)
    fitting = [[row[k] for row in taken] if arrays is not None else None for k, arrays in enumerate(columns)]
    return fitting, others


def _is_dense(array):
    """Whether it is a floating array that fills its memory without gaps."""
    if type(array) is not np.ndarray or array.dtype not in FLOAT_DTYPES:
        return False
    return array.flags.forc or flat_view(array) is not None


def _fit(array, first, writes):
    """`array` in the memory order of `first`, or None if it does not fit."""
    if type(array) is not np.ndarray or array.shape != first.shape or array.dtype != first.dtype:
        return None
    if array.strides == first.strides and (array.flags.behaved if writes else array.flags.aligned):
        return array
    if writes:
        return None
    ordered = np.empty_like(first)
    ordered[...] = array
    return ordered
