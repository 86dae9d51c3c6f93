"""Max and average pooling: a thread for each element, see `pool.cu`. Contracts: `reference/pool.py`."""

import numpy as np

from .. import checks
from ..arrays import array_module
from ..reference import pool as reference
from .launch import axis_arguments, blocks_for, launch
from .memory import empty_images, images_in_memory

__all__ = ["avg_pool2d", "avg_pool2d_backward", "max_pool2d", "max_pool2d_backward"]

BYTE_TAPS = 256


def _run(name, dtype, made, *arguments):
    """Launch a kernel of `pool.cu` with a thread for each element of the images that are made."""
    launch("pool.cu", name, dtype, *blocks_for(made.size), *arguments)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `reference.max_pool2d`."""
    checks.floating("max_pool2d", x=x)
    axes = reference.pool_axes("max_pool2d", "x", x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    rows, columns = axes
    xp, shape = array_module(x), reference.pooled_shape(x.shape, rows, columns)
    few = rows.kernel * columns.kernel <= BYTE_TAPS
    output, taps = empty_images(xp, shape, x.dtype), empty_images(xp, shape, np.uint8 if few else np.int32)
    _run(
        "max_pool2d" if few else "max_pool2d_many_taps", x.dtype, output,
        images_in_memory(x), images_in_memory(output), images_in_memory(taps), *x.shape[:2], *axis_arguments(*axes),
    )  # fmt: skip
    return output, taps


def max_pool2d_backward(grad_output, taps, x_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `reference.max_pool2d_backward`."""
    axes = reference.check_max_backward(
        "max_pool2d_backward", grad_output, taps, x_shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    grad_x = empty_images(array_module(grad_output), x_shape, grad_output.dtype)
    few = taps.dtype == np.uint8
    taps = images_in_memory(taps if few else taps.astype(np.int32))
    _run(
        "max_pool2d_backward" if few else "max_pool2d_backward_many_taps", grad_output.dtype, grad_x,
        images_in_memory(grad_output), taps, images_in_memory(grad_x), *x_shape[:2], *axis_arguments(*axes),
    )  # fmt: skip
    return grad_x


def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """See `reference.avg_pool2d`."""
    checks.floating("avg_pool2d", x=x)
    axes = reference.pool_axes("avg_pool2d", "x", x.shape, kernel_size, stride, padding, 1, ceil_mode)
    reference.check_divisor("avg_pool2d", divisor_override)
    output = empty_images(array_module(x), reference.pooled_shape(x.shape, *axes), x.dtype)
    _run(
        "avg_pool2d", x.dtype, output, images_in_memory(x), images_in_memory(output), *x.shape[:2],
        *axis_arguments(*axes), int(bool(count_include_pad)), divisor_override or 0,
    )  # fmt: skip
    return output


def avg_pool2d_backward(
    grad_output,
    x_shape,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """See `reference.avg_pool2d_backward`."""
    name = "avg_pool2d_backward"
    checks.floating(name, grad_output=grad_output)
    axes = reference.pool_axes(name, "x_shape", x_shape, kernel_size, stride, padding, 1, ceil_mode)
    checks.shape(name, "grad_output", grad_output, reference.pooled_shape(x_shape, *axes), "the output of avg_pool2d")
    reference.check_divisor(name, divisor_override)
    grad_x = empty_images(array_module(grad_output), x_shape, grad_output.dtype)
    _run(
        name, grad_output.dtype, grad_x, images_in_memory(grad_output), images_in_memory(grad_x), *x_shape[:2],
        *axis_arguments(*axes), int(bool(count_include_pad)), divisor_override or 0,
    )  # fmt: skip
    return grad_x
