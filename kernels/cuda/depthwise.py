"""Depthwise convolution, see `depthwise.cu`. Contracts: `reference/depthwise.py`."""

import math

from .. import checks
from ..arrays import array_module
from ..conv_geometry import check_grad_output, depthwise_geometry
from ..reference.pool import Axis
from .launch import axis_arguments, blocks_for, launch, pieces_of, tile
from .memory import empty_images, images_in_memory

__all__ = ["depthwise_conv2d", "depthwise_conv2d_backward_input", "depthwise_conv2d_backward_weight"]

SOURCE = "depthwise.cu"
BATCH = 16  # windows that a thread sums up in the dtype of the images, as in depthwise.cu


def _axes(geometry):
    """What a kernel is told of the rows and of the columns: AXIS parameters of `window.cuh`."""
    axes = []
    for i in range(2):
        (before, _), size = geometry.padding[i], geometry.x_shape[2 + i]
        axes.append(
            Axis(
                size, geometry.kernel_size[i], geometry.stride[i], before, geometry.dilation[i], geometry.output_size[i]
            )
        )
    return axis_arguments(*axes)


def _taps(weight):
    """(C * M, 1, KH, KW) -> (KH, KW, C * M), contiguous."""
    return array_module(weight).ascontiguousarray(weight[:, 0].transpose(1, 2, 0))


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d`."""
    name = "depthwise_conv2d"
    checks.floating(name, {"bias": bias}, x=x, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x.shape, weight.shape, stride, padding, dilation)
    xp = array_module(x)
    if bias is not None:
        checks.shape(name, "bias", bias, weight.shape[:1], "one per output channel")
        bias = xp.ascontiguousarray(bias)
    output = empty_images(xp, (x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    launch(
        SOURCE, name, x.dtype, *blocks_for(output.size), images_in_memory(x), _taps(weight), bias,
        images_in_memory(output), *x.shape[:2], multiplier, *_axes(geometry),
    )  # fmt: skip
    return output


def depthwise_conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d_backward_input`."""
    name = "depthwise_conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x_shape, weight.shape, stride, padding, dilation, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    grad_x = empty_images(array_module(grad_output), geometry.x_shape, grad_output.dtype)
    launch(
        SOURCE, name, grad_x.dtype, *blocks_for(grad_x.size), images_in_memory(grad_output), _taps(weight),
        images_in_memory(grad_x), *geometry.x_shape[:2], multiplier, *_axes(geometry),
    )  # fmt: skip
    return grad_x


def depthwise_conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d_backward_weight`."""
    name = "depthwise_conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, multiplier = depthwise_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, weight="weight_shape"
    )
    channels, _, *kernel = weight_shape
    check_grad_output(name, grad_output, geometry, channels)
    xp, block = array_module(x), tile(channels)
    windows = len(x) * math.prod(geometry.output_size)
    tiles = -(-channels // block[0])
    piece, pieces = pieces_of(windows, BATCH * block[1], tiles)
    sums = xp.empty((pieces, *kernel, channels), xp.float64)
    launch(
        SOURCE, f"{name}_pieces", x.dtype, (pieces, tiles), block, images_in_memory(grad_output), images_in_memory(x),
        sums, piece, *x.shape[:2], multiplier, *_axes(geometry),
    )  # fmt: skip
    grad_weight = xp.empty((channels, 1, *kernel), x.dtype)
    launch(
        SOURCE, name, x.dtype, *blocks_for(grad_weight.size), sums, grad_weight, pieces, math.prod(kernel), channels
    )
    return grad_weight
