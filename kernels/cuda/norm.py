"""The joint 2-norm of many arrays in one launch, and their common factor, see `norm.cu`.

Contracts: `reference/norm.py`.
"""

import numpy as np

from .. import checks
from ..reference import norm as reference
from ..transfer import to_numpy
from .rows import THREADS, divide

__all__ = ["scale_all", "sum_of_squares"]


@reference.quiet
def sum_of_squares(arrays):
    """See `reference.sum_of_squares`."""
    reference.check_arrays("sum_of_squares", arrays)
    tables, others = divide([(array,) for array in arrays], read_only=0)
    sums = []
    for table in tables:
        sums.append(table.module.empty(table.blocks, np.float64))
        table.run("norm.cu", "sum_of_squares", sums[-1], block=(1, THREADS))
    rest = reference.sum_of_squares([array for (array,) in others])
    return float(sum((to_numpy(part).sum() for part in sums), start=rest))


@reference.quiet
def scale_all(arrays, factor):
    """See `reference.scale_all`."""
    factor = checks.real("scale_all", "factor", factor)
    reference.check_arrays("scale_all", arrays, written=True)
    tables, others = divide([(array,) for array in arrays])
    for table in tables:
        table.run("norm.cu", "scale_all", float(factor))
    reference.scale_all([array for (array,) in others], factor)
