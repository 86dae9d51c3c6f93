"""Indices of tensors, in the sense of PyTorch."""

import operator

import numpy as np

from ..kernels.arrays import array_module
from ..kernels.transfer import to_numpy
from ..tensor import Tensor


def raw_index(index):
    """An index with every tensor in it replaced by its array; arrays are copied, for backward to read.

    Index arrays are NumPy's, also of tensors on a GPU: how many elements a mask chooses, and whether all indices are
    in range, must be known here before anything is computed there.
    """
    if isinstance(index, tuple):
        return tuple(raw_index(item) for item in index)
    if isinstance(index, Tensor):
        index = index._array
    return np.array(to_numpy(index)) if hasattr(index, "strides") and hasattr(index, "dtype") else index


def checked_index(index, array):
    """The raw index; IndexError if an index array is out of range for a CuPy array, which would wrap it around."""
    if array_module(array) is not np:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, (list, np.ndarray)) for part in parts):
            np.broadcast_to(np.empty((), bool), array.shape)[index]
    return index


def split_index(index, ndim):
    """The raw index as two, applied one after the other: integers, slices and None first, then arrays and masks.

    That is PyTorch's order. NumPy takes an integer beside an array for an array itself, and moves the axis that they
    make to the front if a slice lies between them: x[0, :, [1, 2]] has shape (2, W) in NumPy and (W, 2) in PyTorch.
    The second index is None where the first says it all; NumPy then agrees, or raises its own error.
    """
    parts = [_plain(part) for part in (index if isinstance(index, tuple) else (index,))]
    if not any(isinstance(part, np.ndarray) for part in parts) or not any(isinstance(part, int) for part in parts):
        return index, None
    basic, advanced = [], []
    for part in _without_ellipsis(parts, ndim):
        if isinstance(part, np.ndarray):
            basic += [slice(None)] * (part.ndim if part.dtype == np.bool_ else 1)
            advanced.append(part)
        else:
            basic.append(part)
            if not isinstance(part, int):
                advanced.append(slice(None))
    return tuple(basic), tuple(advanced)


def _plain(part):
    """Integers as int, lists as arrays; what is neither stays, for NumPy to judge."""
    if isinstance(part, list):
        return np.array(part)
    if isinstance(part, (bool, slice)) or part is None or part is Ellipsis or np.ndim(part):
        return part
    try:
        return operator.index(part)
    except TypeError:
        return part


def _without_ellipsis(parts, ndim):
    """The parts with slices in the place of an Ellipsis."""
    places = [i for i, part in enumerate(parts) if part is Ellipsis]
    if len(places) != 1:
        return parts
    used = sum(_axes(part) for part in parts)
    (place,) = places
    return [*parts[:place], *[slice(None)] * (ndim - used), *parts[place + 1 :]]


def _axes(part):
    """How many axes a part of an index takes."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == np.bool_ else 1
