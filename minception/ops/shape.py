"""Operations that move elements without changing them."""

import math

import numpy as np

from .. import kernels
from ..autograd import Function
from ..kernels.arrays import FLOAT_DTYPES, array_module
from ..kernels.checks import integer, real
from ..kernels.placement import join
from ..promotion import result_dtype
from .arguments import axis_index, operands, require_tensors, size_list
from .broadcasting import cast, unbroadcast
from .indexing import checked_index, raw_index, split_index


class Reshape(Function):
    """Same elements in row-major order, other shape;  dx = dy in the old shape"""

    def forward(self, x, shape):
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, grad_output):
        return grad_output.reshape(self.shape)


class Clone(Function):
    """y = x, in memory of its own"""

    def forward(self, x):
        return x.copy(order="K")

    def backward(self, grad_output):
        return grad_output


class Permute(Function):
    """Axes in another order;  dx = dy with the inverse order"""

    def forward(self, x, axes):
        self.inverse = tuple(axes.index(axis) for axis in range(len(axes)))
        return x.transpose(axes)

    def backward(self, grad_output):
        return grad_output.transpose(self.inverse)


class Expand(Function):
    """Broadcast to a larger shape;  dx = dy summed over the repeats"""

    def forward(self, x, shape):
        self.shape = x.shape
        return array_module(x).broadcast_to(x, shape)

    def backward(self, grad_output):
        return unbroadcast(grad_output, self.shape)


class Slice(Function):
    """y = x[index];  dx = zeros with dy added at the index (an index array may name an element twice)"""

    def forward(self, x, index):
        self.save(index=index)
        self.shape = x.shape
        try:
            index = checked_index(index, x)
            y = x[index]
        except IndexError as error:
            raise IndexError(f"tensor[index]: shape {x.shape}: {error}") from None
        if isinstance(y, np.generic):  # NumPy hands out a single element as a copy; with an Ellipsis as a view
            y = x[(*index, Ellipsis)]
        return y

    def backward(self, grad_output):
        xp = array_module(grad_output)
        grad = xp.zeros(self.shape, grad_output.dtype)
        index = self.saved.index
        if any(isinstance(part, (list, np.ndarray)) for part in index):
            xp.add.at(grad, index, grad_output)
        else:
            grad[index] = grad_output
        return grad


class Pad(Function):
    """Constants around the array;  dx = the middle of dy"""

    def forward(self, x, widths, value):
        self.middle = tuple(
            slice(before, before + size) for (before, _), size in zip(widths, x.shape, strict=True)
        )
        return array_module(x).pad(x, widths, constant_values=value)

    def backward(self, grad_output):
        return grad_output[self.middle]


class Concatenate(Function):
    """Arrays joined along one axis;  each gets its slice of dy"""

    def forward(self, *arrays, axis):
        self.axis = axis
        self.sizes = [array.shape[axis] for array in arrays]
        if arrays[0].dtype not in FLOAT_DTYPES:
            return array_module(*arrays).concatenate(arrays, axis)
        joined = join(arrays, axis)  # without a copy, if they lie side by side in memory
        return kernels.concatenate(arrays, axis) if joined is None else joined

    def backward(self, grad_output):
        return tuple(kernels.concatenate_backward(grad_output, self.sizes, self.axis))


def reshape(x, *shape):
    """The elements of `x` in another shape; one size may be -1. Raises ValueError if the sizes do not
    fit, TypeError if they are not integers.
    """
    require_tensors("reshape", x=x)
    shape = size_list("reshape", shape)
    known = math.prod(size for size in shape if size != -1)
    fits = (x.numel() % known == 0 if known else x.numel() == 0) if -1 in shape else x.numel() == known
    if not fits or shape.count(-1) > 1 or (known == 0 and -1 in shape) or min(shape, default=0) < -1:
        raise ValueError(f"reshape: {x.numel()} elements of shape {x.shape} do not fit shape {shape}")
    return Reshape.apply(x, shape=shape)


def clone(x):
    """A copy of `x` that is part of the graph."""
    return Clone.apply(x)


def flatten(x, start_dim=0, end_dim=-1):
    """Join the axes from `start_dim` to `end_dim` (inclusive) into one."""
    require_tensors("flatten", x=x)
    start, end = axis_index("flatten", start_dim, x.ndim), axis_index("flatten", end_dim, x.ndim)
    if x.ndim == 0:
        return reshape(x, 1)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(x, *x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])


def squeeze(x, dim=None):
    """Drop axes of size 1: all of them, or those in `dim` that have size 1."""
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    drop = {axis_index("squeeze", d, x.ndim) for d in dims}
    return reshape(x, tuple(s for axis, s in enumerate(x.shape) if s != 1 or axis not in drop))


def unsqueeze(x, dim):
    """Insert an axis of size 1 at `dim`."""
    axis = axis_index("unsqueeze", dim, x.ndim + 1)
    return reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def permute(x, *dims):
    """Axes in the order `dims`."""
    require_tensors("permute", x=x)
    dims = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    axes = tuple(axis_index("permute", dim, x.ndim) for dim in dims)
    if sorted(axes) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {dims} must name each of the {x.ndim} axes once")
    return Permute.apply(x, axes=axes)


def transpose(x, dim0, dim1):
    """Exchange two axes."""
    require_tensors("transpose", x=x)
    a, b = axis_index("transpose", dim0, x.ndim), axis_index("transpose", dim1, x.ndim)
    return permute(x, [{a: b, b: a}.get(axis, axis) for axis in range(x.ndim)])


def expand(x, *shape):
    """Repeat axes of size 1 to `shape` (-1 keeps a size) without copying."""
    shape = size_list("expand", shape)
    added = len(shape) - x.ndim
    old = (1,) * added + x.shape
    new = tuple(o if s == -1 else s for o, s in zip(old, shape, strict=False))
    if added < 0 or -1 in shape[:added] or any(o not in (1, s) for o, s in zip(old, new, strict=True)):
        raise ValueError(f"expand: shape {x.shape} does not expand to {shape}")
    return Expand.apply(x, shape=new)


def getitem(x, index):
    """x[index] for integers, slices, None, Ellipsis, index arrays and masks; IndexError for what is out of range."""
    first, second = split_index(raw_index(index), x.ndim)
    y = Slice.apply(x, index=_as_tuple(first))
    return y if second is None else Slice.apply(y, index=_as_tuple(second))


def _as_tuple(index):
    return index if isinstance(index, tuple) else (index,)


def pad(x, padding, value=0.0):
    """Constants around the last axes. `padding` = (before, after) of the last axis, then of the one before it...

    Raises ValueError for a padding that is negative or has too many sides or an odd number, TypeError for what are no
    integers, or a value that is not a real number.
    """
    require_tensors("pad", x=x)
    if not isinstance(padding, (tuple, list)):
        raise TypeError(f"pad: padding must be a tuple of integers, got {padding!r}")
    padding = tuple(integer("pad", "padding", size) for size in padding)
    if not isinstance(value, bool):
        real("pad", "value", value)
    if len(padding) % 2 or len(padding) > 2 * x.ndim or min(padding, default=0) < 0:
        raise ValueError(f"pad: padding must be non-negative pairs, at most one for each axis, got {padding!r}")
    pairs = list(zip(padding[::2], padding[1::2], strict=True))
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    return Pad.apply(x, widths=widths, value=value)


def concatenate(tensors, dim=0):
    """Join tensors along the axis `dim`; their other sizes must agree. Dtypes are promoted.

    Raises ValueError for no tensors, 0-d tensors or sizes that differ, IndexError for a `dim` out of range.
    """
    tensors = operands("cat", tensors)
    if not tensors:
        raise ValueError("cat: expected at least one tensor")
    if any(t.ndim == 0 for t in tensors):
        raise ValueError("cat: 0-d tensors have no axis to join, stack them instead")
    axis = axis_index("cat", dim, tensors[0].ndim)
    first = tensors[0].shape
    for position, t in enumerate(tensors):
        if t.shape[:axis] + t.shape[axis + 1 :] != first[:axis] + first[axis + 1 :] or t.ndim != len(first):
            raise ValueError(
                f"cat: tensors[{position}] must have the shape {first} of tensors[0] but for dim {axis}, got {t.shape}"
            )
    dtype = result_dtype(*(t._array for t in tensors))
    return Concatenate.apply(*(cast(t, dtype) for t in tensors), axis=axis)


def stack(tensors, dim=0):
    """Join tensors of one shape along a new axis `dim`.

    Raises ValueError for no tensors or different shapes, IndexError for a `dim` out of range.
    """
    tensors = operands("stack", tensors)
    if not tensors:
        raise ValueError("stack: expected at least one tensor")
    axis = axis_index("stack", dim, tensors[0].ndim + 1)
    for position, t in enumerate(tensors):
        if t.shape != tensors[0].shape:
            raise ValueError(
                f"stack: tensors[{position}] must have the shape {tensors[0].shape} of tensors[0], got {t.shape}"
            )
    return concatenate([unsqueeze(t, axis) for t in tensors], axis)
