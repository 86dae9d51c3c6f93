"""Joining and adding arrays: concatenation, sum and scaled sum, forward and backward.

Concatenation along the channels joins the branches of an Inception module (Szegedy et al., "Going deeper with
convolutions", 2015, section 4); the sum closes a residual block (He et al., "Deep residual learning for image
recognition", 2016, equation 1); the scaled sum is the residual scaling of Inception-ResNet (Szegedy et al.,
"Inception-v4, Inception-ResNet and the impact of residual connections on learning", 2016, section 3.3).

No broadcasting: the arrays of `add` and `scaled_add` have one shape. Errors: `TypeError` for dtypes other
than float32 and float64, mixed dtypes, or a scale that is not a real number; `ValueError` for shapes that
do not fit.
"""

from collections.abc import Iterable

import numpy as np

from .. import checks
from ..arrays import array_module
from ..layout import empty_images

__all__ = ["add", "add_backward", "concatenate", "concatenate_backward", "scaled_add", "scaled_add_backward"]


def concatenate(arrays, axis=1):
    """Join arrays that agree in all axes but `axis`. Image batches (4 dimensions) come out channels-last."""
    arrays = check_arrays(arrays)
    return array_module(*arrays).concatenate(arrays, axis=axis, out=concatenated(arrays, axis))


def check_arrays(arrays):
    """Return the first argument of `concatenate` as a list of floating arrays, at least one."""
    if not isinstance(arrays, Iterable) or hasattr(arrays, "dtype"):
        raise TypeError(f"concatenate: arrays must be a list of arrays, got {type(arrays).__name__}")
    arrays = list(arrays)
    if not arrays:
        raise ValueError("concatenate: arrays must hold at least one array")
    checks.floating("concatenate", **{f"arrays[{i}]": array for i, array in enumerate(arrays)})
    return arrays


def concatenated(arrays, axis):
    """Check the shapes of the arrays that `concatenate` joins; return its output, not yet filled."""
    first = arrays[0]
    axis = checks.axis("concatenate", axis, first.ndim)
    total = 0
    for i, array in enumerate(arrays):
        expected = first.shape[:axis] + array.shape[axis : axis + 1] + first.shape[axis + 1 :]
        checks.shape("concatenate", f"arrays[{i}]", array, expected, f"that of arrays[0] but for axis {axis}")
        total += array.shape[axis]
    xp = array_module(*arrays)
    shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
    return empty_images(xp, shape, first.dtype) if first.ndim == 4 else xp.empty(shape, first.dtype)


def concatenate_backward(grad_output, sizes, axis=1):
    """Split grad_output at the joints: a tuple of views, one per joined array; `sizes` are their lengths."""
    name = "concatenate_backward"
    checks.floating(name, grad_output=grad_output)
    axis = checks.axis(name, axis, grad_output.ndim)
    if not isinstance(sizes, Iterable):
        raise TypeError(f"{name}: sizes must be a list of integers, got {sizes!r}")
    sizes = [checks.integer(name, "sizes", size) for size in sizes]
    if min(sizes, default=-1) < 0 or sum(sizes) != grad_output.shape[axis]:
        raise ValueError(
            f"{name}: sizes must be non-negative and sum to {grad_output.shape[axis]} "
            f"(axis {axis} of grad_output), got {sizes}"
        )
    views, start = [], 0
    for size in sizes:
        views.append(grad_output[(slice(None),) * axis + (slice(start, start + size),)])
        start += size
    return tuple(views)


@np.errstate(over="ignore", invalid="ignore")
def add(x, y):
    """x + y, arrays of one shape and dtype."""
    checks.floating("add", x=x, y=y)
    checks.shape("add", "y", y, x.shape, "that of x")
    return array_module(x).asarray(x + y)


def add_backward(grad_output):
    """Gradients (grad_x, grad_y): grad_output itself, twice, without a copy."""
    checks.floating("add_backward", grad_output=grad_output)
    return grad_output, grad_output


@np.errstate(over="ignore", invalid="ignore")
def scaled_add(x, y, scale):
    """x + scale * y, arrays of one shape and dtype, `scale` a real number."""
    checks.floating("scaled_add", x=x, y=y)
    checks.shape("scaled_add", "y", y, x.shape, "that of x")
    scale = checks.real("scaled_add", "scale", scale)
    return array_module(x).asarray(x + scale * y)


@np.errstate(over="ignore", invalid="ignore")
def scaled_add_backward(grad_output, scale):
    """Gradients (grad_x, grad_y) = (grad_output itself, scale * grad_output)."""
    checks.floating("scaled_add_backward", grad_output=grad_output)
    scale = checks.real("scaled_add_backward", "scale", scale)
    return grad_output, array_module(grad_output).asarray(scale * grad_output)
