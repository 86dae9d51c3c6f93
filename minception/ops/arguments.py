"""Checks of what operations are called with, before any arithmetic; sizes and dtypes of images are the kernels' own."""

import numpy as np

from ..kernels.checks import integer
from ..kernels.transfer import to_device
from ..tensor import Tensor


def require_tensors(name, **tensors):
    """Raise a TypeError that names the argument unless all are tensors."""
    for argument, value in tensors.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: {argument} must be a Tensor, got {type(value).__name__}")


def operand(name, value):
    """`value` itself if it is a tensor, else a new tensor; errors name the operation."""
    if isinstance(value, Tensor):
        return value
    try:
        return Tensor(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def raw_array(value, device):
    """The array of a tensor, which stays where it is; what is no tensor, as an array on `device`."""
    return value._array if isinstance(value, Tensor) else to_device(_array(value), device)


def _array(value):
    return value if hasattr(value, "strides") and hasattr(value, "dtype") else np.asarray(value)


def operands(name, values):
    """`operand` for a list or another iterable of values."""
    try:
        values = list(values)
    except TypeError:
        raise TypeError(f"{name}: expected a list of tensors, got {type(values).__name__}") from None
    return [operand(name, value) for value in values]


def require_broadcast(name, *shapes):
    """Raise a ValueError unless arrays of these shapes can be combined elementwise."""
    if any(shape != shapes[0] for shape in shapes):
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast") from None


def size_list(name, sizes):
    """Sizes given as separate arguments or as one list, as a tuple of ints."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        (sizes,) = sizes
    return tuple(integer(name, "shape", size) for size in sizes)


def axis_index(name, dim, ndim):
    """The axis counted from the front. A 0-d tensor takes 0 and -1, as in PyTorch."""
    dim = integer(name, "dim", dim)
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise IndexError(f"{name}: dim {dim} is out of range for {ndim} dimensions")
    return dim % max(ndim, 1)
