"""The joint 2-norm of many arrays, and their common factor, in one pass. Contracts: `reference/norm.py`."""

import numpy as np

from .. import checks
from ..reference import norm as reference
from .compile import compiled, compiled_sum
from .tables import locate, piece, tabulate

__all__ = ["scale_all", "sum_of_squares"]


@compiled_sum
def _sum_of_squares(start, stop, part, addresses, ends, like, sums):
    total = 0.0
    while start < stop:
        row, first, size = locate(ends, start, stop)
        x = piece(addresses[row, 0], first, size, like)
        for i in range(size):
            wide = np.float64(x[i])
            total += wide * wide
        start += size
    sums[part] = total


@compiled
def _scale(start, stop, part, addresses, ends, factor):
    while start < stop:
        row, first, size = locate(ends, start, stop)
        x = piece(addresses[row, 0], first, size, factor)
        for i in range(size):
            x[i] *= factor[0]
        start += size


def _divide(name, arrays, written):
    """(Table of the arrays that the compiled kernels can take or None, the other arrays), all checked."""
    checks.list_of_arrays(name, "arrays", arrays)
    table, others = tabulate([arrays], [written])
    if others:
        reference.check_arrays(name, arrays, written)
    return table, [arrays[i] for i in others]


@reference.quiet
def sum_of_squares(arrays):
    """See `reference.sum_of_squares`."""
    table, others = _divide("sum_of_squares", arrays, written=False)
    total = reference.sum_of_squares(others)
    if table is not None:
        sums = np.zeros(table.parts)
        table.run(_sum_of_squares, np.empty(0, table.dtype), sums)
        total += float(sums.sum())
    return total


@reference.quiet
def scale_all(arrays, factor):
    """See `reference.scale_all`."""
    factor = checks.real("scale_all", "factor", factor)
    table, others = _divide("scale_all", arrays, written=True)
    if table is not None:
        table.run(_scale, np.array([factor], table.dtype))
    reference.scale_all(others, factor)
