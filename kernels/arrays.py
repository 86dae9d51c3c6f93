"""Where an array lives, and which dtypes the kernels compute in."""

import sys

import numpy as np

FLOAT_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def array_module(*arrays):
    """Return the module (`numpy` or `cupy`) that owns the arrays.

    CuPy is never imported here: an array can only be a CuPy array if somebody imported CuPy before.
    """
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(array, cupy.ndarray) for array in arrays):
        return cupy
    return np


def is_array(value):
    """Whether a value is an array of NumPy or CuPy."""
    return isinstance(value, array_module(value).ndarray)
