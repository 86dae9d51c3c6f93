"""The joint 2-norm of many arrays, and their common factor: what gradient clipping needs.

Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (arXiv:1211.5063),
Algorithm 1. Errors, raised before anything is written: TypeError for arguments that are neither lists nor tuples,
dtypes other than float32 and float64, and a factor that is not a real number; ValueError for an array to be written
that is read-only.
"""

import numpy as np

from .. import checks
from ..arrays import array_module

__all__ = ["scale_all", "sum_of_squares"]

quiet = np.errstate(over="ignore", invalid="ignore", under="ignore")


@quiet
def sum_of_squares(arrays):
    """The sum of the squares of all elements of the arrays, as a float: their joint 2-norm, squared.

    arrays: a list of float32 or float64 arrays of any shapes. Squares are formed and added in float64, in which those
    of finite float32 numbers do not overflow.
    """
    check_arrays("sum_of_squares", arrays)
    return float(sum((_sum_of_squares(array) for array in arrays), start=0.0))  # on a GPU, one wait for all


def _sum_of_squares(array):
    wide = array.astype(np.float64).reshape(-1)
    return array_module(array).dot(wide, wide)


@quiet
def scale_all(arrays, factor):
    """Multiply every array of a list by `factor`, in place; one that is listed twice is multiplied twice."""
    factor = checks.real("scale_all", "factor", factor)
    check_arrays("scale_all", arrays, written=True)
    for array in arrays:
        array *= factor


def check_arrays(name, arrays, written=False):
    """Require a list of floating arrays, that can be written to if they are to be `written`."""
    checks.list_of_arrays(name, "arrays", arrays)
    for i, array in enumerate(arrays):
        checks.floating(name, **{f"arrays[{i}]": array})
        if written:
            checks.writeable(name, f"arrays[{i}]", array)
