"""Reductions over axes. `dim` is None (all axes), an axis or a tuple of axes, as in PyTorch."""

import math
from typing import NamedTuple

import numpy as np

from ..autograd import Function
from ..kernels.arrays import array_module
from ..kernels.checks import integer, real
from ..kernels.transfer import on_device_of
from ..tensor import Tensor, as_tensor
from .broadcasting import cast, total


def normalize_axes(name, dim, ndim):
    """Sorted tuple of non-negative axes, all of them for None or (); raises IndexError out of range, ValueError
    if one is repeated, TypeError for what is no integer.
    """
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    axes = tuple(integer(name, "dim", axis) for axis in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    for axis in axes:
        if not -max(ndim, 1) <= axis < max(ndim, 1):
            raise IndexError(f"{name}: dim {axis} is out of range for {ndim} dimensions")
    axes = tuple(sorted(axis % ndim for axis in axes)) if ndim else ()
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name}: an axis appears twice in dim {dim}")
    return axes


class Sum(Function):
    """y = sum of x over axes;  dx = dy, repeated along them"""

    def forward(self, x, axes, keepdim):
        self.shape = x.shape
        self.kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return total(x, axes, keepdim)

    def backward(self, grad_output):
        return array_module(grad_output).broadcast_to(grad_output.reshape(self.kept), self.shape)


class Variance(Function):
    """y = sum((x - mean)**2) / (K - correction) over K elements;  dx = 2 dy (x - mean) / (K - correction)"""

    def forward(self, x, axes, correction, keepdim):
        self.kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        count = math.prod(x.shape[axis] for axis in axes)
        self.factor = np.divide(x.dtype.type(1), x.dtype.type(max(count - correction, 0)))
        centred = x - total(x, axes, keepdims=True) / x.dtype.type(count)
        centred -= total(centred, axes, keepdims=True) / x.dtype.type(count)  # what rounding the mean left over
        self.save(centred=centred)
        return total(centred * centred, axes, keepdim) * self.factor

    def backward(self, grad_output):
        return (2 * self.factor * grad_output).reshape(self.kept) * self.saved.centred


class Amax(Function):
    """y = maximum (or minimum) of x over axes; elements that tie for it share the gradient equally"""

    def forward(self, x, axes, keepdim, largest):
        y = (x.max if largest else x.min)(axis=axes, keepdims=True)
        self.kept = y.shape
        self.axes = axes
        self.save(x=x, y=y)
        return y if keepdim else y.reshape([s for axis, s in enumerate(x.shape) if axis not in axes])

    def backward(self, grad_output):
        chosen = self.saved.x == self.saved.y
        return chosen * (grad_output.reshape(self.kept) / chosen.sum(axis=self.axes, keepdims=True)).astype(
            grad_output.dtype
        )


class TakeAlong(Function):
    """y = x taken along one axis at `indices` (kept as size 1);  dx = dy put back there"""

    def forward(self, x, indices, axis):
        self.save(indices=indices)
        self.shape, self.axis = x.shape, axis
        return array_module(x).take_along_axis(x, indices, axis)

    def backward(self, grad_output):
        xp = array_module(grad_output)
        grad = xp.zeros(self.shape, grad_output.dtype)
        xp.put_along_axis(grad, self.saved.indices, grad_output, self.axis)
        return grad


class Extreme(NamedTuple):
    """Result of `max` or `min` along one axis."""

    values: Tensor
    indices: Tensor


def reduce_sum(x, dim=None, keepdim=False):
    """Sum over `dim`; integers and bools sum to int64."""
    x = as_tensor(x)
    if not x.is_floating_point():
        x = cast(x, np.dtype(np.int64))
    return Sum.apply(x, axes=normalize_axes("sum", dim, x.ndim), keepdim=keepdim)


def reduce_mean(x, dim=None, keepdim=False):
    """Mean over `dim` of a floating tensor; of no elements it is NaN."""
    x = as_tensor(x)
    if not x.is_floating_point():
        raise RuntimeError(f"mean: the tensor must be floating, got {x.dtype}")
    count = math.prod(x.shape[axis] for axis in normalize_axes("mean", dim, x.ndim))
    return reduce_sum(x, dim, keepdim) / float(count)


def reduce_var(x, dim=None, correction=1, keepdim=False):
    """Variance over `dim`, divided by the count less `correction` (1: unbiased, PyTorch's default)."""
    x = as_tensor(x)
    if not x.is_floating_point():
        raise RuntimeError(f"var: the tensor must be floating, got {x.dtype}")
    axes, correction = normalize_axes("var", dim, x.ndim), real("var", "correction", correction)
    return Variance.apply(x, axes=axes, correction=correction, keepdim=keepdim)


def _nonempty_axes(name, x, dim):
    """`normalize_axes`, none of them of size 0."""
    axes = normalize_axes(name, dim, x.ndim)
    if any(x.shape[axis] == 0 for axis in axes):
        raise ValueError(f"{name}: there is no {name} of no elements, dim {dim} of shape {x.shape}")
    return axes


def _one_axis(name, x, dim):
    """`dim` counted from the front, not of size 0."""
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"{name}: dim must be an integer or None, got {dim!r}")
    return (_nonempty_axes(name, x, dim) or (0,))[0]


def _amax(name, x, dim, keepdim, largest):
    x = as_tensor(x)
    return Amax.apply(x, axes=_nonempty_axes(name, x, dim), keepdim=keepdim, largest=largest)


def _extreme(name, x, dim, keepdim, largest):
    x = as_tensor(x)
    if dim is None:
        return _amax(name, x, None, False, largest)
    axis = _one_axis(name, x, dim)
    if x.ndim == 0:
        return Extreme(x, Tensor(0, device=x.device))
    xp = array_module(x._array)
    with on_device_of(x._array):
        indices = xp.expand_dims((xp.argmax if largest else xp.argmin)(x._array, axis=axis), axis)
    values = TakeAlong.apply(x, indices=indices, axis=axis)
    if keepdim:
        return Extreme(values, Tensor._wrap(indices))
    return Extreme(values.squeeze(axis), Tensor._wrap(indices.squeeze(axis)))


def reduce_max(x, dim=None, keepdim=False):
    """The maximum of all elements, or, with `dim`, (values, indices) along one axis."""
    return _extreme("max", x, dim, keepdim, True)


def reduce_min(x, dim=None, keepdim=False):
    """The minimum of all elements, or, with `dim`, (values, indices) along one axis."""
    return _extreme("min", x, dim, keepdim, False)


def amax(x, dim=None, keepdim=False):
    """Maximum over `dim`; elements that tie share the gradient."""
    return _amax("amax", x, dim, keepdim, True)


def amin(x, dim=None, keepdim=False):
    """Minimum over `dim`; elements that tie share the gradient."""
    return _amax("amin", x, dim, keepdim, False)


def argmax(x, dim=None, keepdim=False):
    """Index of the first maximum: of the flattened tensor, or along the axis `dim`. Never recorded."""
    x = as_tensor(x)
    axis = _one_axis("argmax", x, dim)
    axis = axis if dim is not None and x.ndim else None
    with on_device_of(x._array):
        return Tensor._wrap(array_module(x._array).argmax(x._array, axis=axis, keepdims=keepdim))
