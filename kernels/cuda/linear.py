"""Fully connected layers: 1x1 convolutions of images of one pixel. Contracts: `reference/linear.py`."""

import math

from .. import reference
from ..conv_geometry import quiet
from ..reference.linear import as_rows, check_backward_input, check_backward_weight, check_forward
from .conv import conv2d_backward_input, conv2d_backward_weight, convolve

__all__ = ["linear", "linear_backward_input", "linear_backward_weight"]


def _as_images(array):
    """(..., K) as (rows, K, 1, 1)."""
    return as_rows(array)[:, :, None, None]


def _is_empty(*arrays):
    return any(array.size == 0 for array in arrays)


@quiet
def linear(x, weight, bias=None):
    """See `reference.linear`."""
    check_forward(x, weight, bias)
    if _is_empty(x, weight):
        return reference.linear(x, weight, bias)
    output = convolve("linear", _as_images(x), weight[:, :, None, None], bias, 1, 0, 1, 1)
    return output.reshape(*x.shape[:-1], len(weight))


def linear_backward_input(grad_output, weight):
    """See `reference.linear_backward_input`."""
    check_backward_input(grad_output, weight)
    if _is_empty(grad_output, weight):
        return reference.linear_backward_input(grad_output, weight)
    shape = math.prod(grad_output.shape[:-1]), weight.shape[1], 1, 1
    grad_x = conv2d_backward_input(_as_images(grad_output), weight[:, :, None, None], shape)
    return grad_x.reshape(*grad_output.shape[:-1], weight.shape[1])


def linear_backward_weight(grad_output, x):
    """See `reference.linear_backward_weight`."""
    check_backward_weight(grad_output, x)
    if _is_empty(grad_output, x):
        return reference.linear_backward_weight(grad_output, x)
    shape = grad_output.shape[-1], x.shape[-1]
    return conv2d_backward_weight(_as_images(grad_output), _as_images(x), (*shape, 1, 1)).reshape(shape)
