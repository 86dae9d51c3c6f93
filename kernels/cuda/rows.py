"""Tables of arrays that a kernel takes all at once, see `rows.cuh`."""

import numpy as np

from ..arrays import FLOAT_DTYPES, array_module
from .launch import launch

__all__ = ["CHUNK", "Table", "divide"]

CHUNK, THREADS = 2048, 256  # elements and threads of a block


class Table:
    """Rows of arrays of one dtype, which the kernels get as addresses. It keeps the arrays alive.

    rows: tuples of contiguous arrays of one size, or None.
    """

    def __init__(self, rows):
        self.rows, self.dtype, self.module = rows, rows[0][0].dtype, array_module(rows[0][0])
        self.addresses = np.array([[_address(array) for array in row] for row in rows], np.int64)
        self.ends = np.cumsum([row[0].size for row in rows])
        self.blocks = -(-int(self.ends[-1]) // CHUNK)

    def overlaps(self):
        """Whether two of the arrays share memory, if only a part of it: then the order of changes matters."""
        sizes = np.diff(self.ends, prepend=0)[:, None] * self.dtype.itemsize * (self.addresses != 0)
        starts, sizes = self.addresses[sizes > 0], sizes[sizes > 0]
        order = np.argsort(starts)
        return bool((starts[order][:-1] + sizes[order][:-1] > starts[order][1:]).any())

    def run(self, source, kernel, *arguments, block=(THREADS,)):
        """Launch a kernel of the file `source` over all rows."""
        table = self.module.asarray(self.addresses), self.module.asarray(self.ends)
        launch(source, kernel, self.dtype, (self.blocks,), block, *table, len(self.rows), *arguments)


def divide(rows, read_only=None):
    """([a Table for each dtype], rows that no kernel can take).

    A kernel takes float32 and float64 arrays of one dtype and shape in each row, contiguous, and writable except for
    those at the place `read_only`. Rows that share memory are for no kernel either, if some are written.
    """
    by_dtype, others = {}, []
    for row in rows:
        if _fits(row, read_only):
            by_dtype.setdefault(row[0].dtype, []).append(_in_memory(row, read_only))
        else:
            others.append(row)
    tables = [Table(fitting) for fitting in by_dtype.values()]
    written = any(len(row) > (read_only is not None) for row in rows)
    if written and any(map(Table.overlaps, tables)):
        return [], rows
    return tables, others


def _fits(row, read_only):
    first, module = row[0], array_module(row[0])
    for place, array in enumerate(row):
        if array is None:
            continue
        if type(array) is not module.ndarray or array.dtype != first.dtype or array.shape != first.shape:
            return False
        if place != read_only and not (array.flags.c_contiguous and getattr(array.flags, "writeable", True)):
            return False
    return first.dtype in FLOAT_DTYPES


def _in_memory(row, read_only):
    """The row with a contiguous copy of what is only read, where that has gaps."""
    return tuple(
        array_module(array).ascontiguousarray(array) if place == read_only and array is not None else array
        for place, array in enumerate(row)
    )


def _address(array):
    """Where the elements of an array begin, on its device; 0 for None."""
    if array is None:
        return 0
    return array.ctypes.data if array_module(array) is np else array.data.ptr
