"""Convolution and its gradients as matrix products, see `conv.cu`. Contracts: `reference/conv.py`.

A 1x1 convolution that reads each pixel once is a product of matrices that are there, (pixels, C) and (C, O), which
cuBLAS makes (`product.py`). All others gather the windows tile by tile.
"""

import math
from itertools import product
from typing import NamedTuple

from .. import checks
from ..arrays import array_module
from ..conv_geometry import check_add_to, check_grad_output, conv2d_geometry, quiet
from ..layout import to_nhwc, zeros_images
from ..reference.pool import Axis
from ..settings import get_precision
from .launch import axis_arguments, blocks_for, launch, pieces_of
from .memory import empty_images, images_in_memory, rows_in_memory
from .product import can_multiply, multiply_into

__all__ = ["conv2d", "conv2d_backward_input", "conv2d_backward_weight"]

SOURCE = "conv.cu"
TENSOR_CORES = {"tf32": "conv_tf32.cu", "bfloat16": "conv_bfloat16.cu", "float16": "conv_float16.cu"}
THREADS, HEIGHT = 256, 128  # of a block; windows of a tile
LEAST_PIECE = 256  # windows that a block sums up at least, for the gradient of the weights


class _Class(NamedTuple):
    """Windows along one axis whose results lie `step` pixels apart in the output, from pixel `first` on.

    windows: how they read, of which taps of the kernel `taps` is a slice.
    """

    windows: Axis
    taps: slice
    size: int
    first: int = 0
    step: int = 1


def _forward(geometry):
    """The rows' and the columns' windows of a convolution."""
    return [_Class(axis, slice(None), axis.count) for axis in _axes(geometry)]


def _axes(geometry):
    x_size, kernel, stride = geometry.x_shape[2:], geometry.kernel_size, geometry.stride
    before, dilation, output = (first for first, _ in geometry.padding), geometry.dilation, geometry.output_size
    return list(map(Axis, x_size, kernel, stride, before, dilation, output))


def _backward(axis):
    """The classes of input pixels along an axis: those that the same taps reach, and how they gather from the outputs.

    Tap i of window q sees pixel p where q * stride = p + padding - i * dilation (Dumoulin and Visin 2016, section 4.5).
    So pixels `first`, `first` + stride, ... are seen by the same taps, which lie at equal distances from each other,
    and their windows move by one. Classes that nothing reaches are left out.
    """
    for first in range(min(axis.stride, axis.size)):
        # From the last tap to the first, so that the outputs that are read ascend.
        distances = {i: first + axis.padding - i * axis.dilation for i in reversed(range(axis.kernel))}
        taps = [i for i, distance in distances.items() if distance % axis.stride == 0]
        if taps:
            reads = [distances[i] // axis.stride for i in taps]
            between, tap_step = (reads[1] - reads[0], taps[0] - taps[1]) if len(taps) > 1 else (1, axis.kernel)
            count = -(-(axis.size - first) // axis.stride)
            windows = Axis(axis.count, len(taps), 1, -reads[0], between, count)
            yield _Class(windows, slice(taps[0], None, -tap_step), axis.size, first, axis.stride)


def _width(outputs, dtype):
    """(name, width) of the narrowest tiles that hold so many outputs, or of the widest ones."""
    for width in (32, 64):
        if outputs <= width:
            return width, width
    return "wide", 128 if dtype.itemsize == 4 else 64


def _correlate(x, weights, bias, output, groups, rows, columns, adding=False, relu=False):
    """Launch a correlation. weights: (G, KH, KW, C/G, O/G), any strides; output: channels-last, without gaps."""
    xp, (n, channels), outputs = array_module(x), x.shape[:2], output.shape[1]
    name, width = _width(outputs // groups, x.dtype)
    windows = n * rows.windows.count * columns.windows.count
    grid = -(-windows // HEIGHT) * -(-(outputs // groups) // width) * groups
    launch(
        _source(x.dtype), f"correlation_{name}", x.dtype, (grid,), (THREADS,), images_in_memory(x),
        xp.ascontiguousarray(weights), None if bias is None else xp.ascontiguousarray(bias), to_nhwc(output),
        n, channels, outputs, groups,
        *axis_arguments(rows.windows, columns.windows), *rows[2:], *columns[2:], int(adding), int(relu),
    )  # fmt: skip


def _source(dtype):
    """The file with the kernels for arrays of this dtype, in the precision that is set."""
    return TENSOR_CORES.get(get_precision(), SOURCE) if dtype.itemsize == 4 else SOURCE


def _is_product(x, geometry, groups):
    """Whether all windows are the pixels, one each, so that the images are the matrix of windows."""
    return (
        x.size > 0
        and can_multiply(x)
        and groups == 1
        and geometry.kernel_size == geometry.stride == (1, 1)
        and geometry.padded_size == geometry.x_shape[2:]
    )


@quiet
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d`."""
    return convolve("conv2d", x, weight, bias, stride, padding, dilation, groups)


def convolve(name, x, weight, bias, stride, padding, dilation, groups, relu=False):
    """`reference.conv2d`, with a ReLU after it if `relu`. name: of the kernel, for messages."""
    checks.floating(name, {"bias": bias}, x=x, weight=weight)
    geometry, groups = conv2d_geometry(name, x.shape, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        checks.shape(name, "bias", bias, weight.shape[:1], "one per output channel")
    xp, (outputs, channels, *kernel) = array_module(x), weight.shape
    output = empty_images(xp, (x.shape[0], outputs, *geometry.output_size), x.dtype)
    if _is_product(x, geometry, groups):
        pixels = rows_in_memory(output)
        multiply_into(pixels, rows_in_memory(x), _matrix(weight).T)  # (M, C) @ (C, O)
        if bias is not None:
            pixels += bias
        if relu:
            xp.maximum(pixels, 0, out=pixels)  # NaN stays NaN
        return output
    weights = weight.reshape(groups, outputs // groups, channels, *kernel).transpose(0, 3, 4, 2, 1)
    _correlate(x, weights, bias, output, groups, *_forward(geometry), relu=relu)
    return output


@quiet
def conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1, groups=1, add_to=None):
    """See `reference.conv2d_backward_input`."""
    name = "conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, groups = conv2d_geometry(name, x_shape, weight.shape, stride, padding, dilation, groups, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    check_add_to(name, add_to, grad_output, geometry.x_shape)
    xp, (outputs, channels, *kernel) = array_module(grad_output), weight.shape
    if add_to is not None and not to_nhwc(add_to).flags.c_contiguous:
        add_to += conv2d_backward_input(grad_output, weight, x_shape, stride, padding, dilation, groups)
        return add_to
    if _is_product(grad_output, geometry, groups):
        grad_x = empty_images(xp, geometry.x_shape, grad_output.dtype) if add_to is None else add_to
        # (M, O) @ (O, C)
        multiply_into(rows_in_memory(grad_x), rows_in_memory(grad_output), _matrix(weight), adding=add_to is not None)
        return grad_x
    classes = list(product(*map(_backward, _axes(geometry))))
    reached = sum(rows.windows.count * columns.windows.count for rows, columns in classes)
    if add_to is not None:
        grad_x = add_to
    elif reached < math.prod(geometry.x_shape[2:]):
        grad_x = zeros_images(xp, geometry.x_shape, grad_output.dtype)
    else:
        grad_x = empty_images(xp, geometry.x_shape, grad_output.dtype)
    weights = weight.reshape(groups, outputs // groups, channels, *kernel).transpose(0, 3, 4, 1, 2)
    for rows, columns in classes:
        part = weights[:, rows.taps, columns.taps]  # (G, taps, taps, O/G, C/G)
        _correlate(grad_output, part, None, grad_x, groups, rows, columns, adding=add_to is not None)
    return grad_x


def _matrix(weight):
    """The weights of a 1x1 convolution, (O, C, 1, 1), as a contiguous matrix (O, C)."""
    return array_module(weight).ascontiguousarray(weight.reshape(weight.shape[:2]))


@quiet
def conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d_backward_weight`."""
    name = "conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, groups = conv2d_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, groups, weight="weight_shape"
    )
    outputs, channels, *kernel = weight_shape
    check_grad_output(name, grad_output, geometry, outputs)
    xp, grad_weight = array_module(x), array_module(x).empty(tuple(weight_shape), x.dtype)
    if _is_product(x, geometry, groups):
        # (O, M) @ (M, C)
        multiply_into(grad_weight.reshape(outputs, channels), rows_in_memory(grad_output).T, rows_in_memory(x))
        return grad_weight
    taps, of_group = math.prod(kernel), outputs // groups
    width_name, width = _width(of_group, x.dtype)
    tiles = -(-taps * channels // HEIGHT) * -(-of_group // width) * groups
    piece, pieces = pieces_of(len(x) * math.prod(geometry.output_size), LEAST_PIECE, tiles)
    sums = xp.empty((pieces, groups, taps * channels, of_group), x.dtype)
    launch(
        _source(x.dtype), f"weight_gradient_pieces_{width_name}", x.dtype, (tiles, pieces), (THREADS,),
        images_in_memory(grad_output), images_in_memory(x), sums, piece, *x.shape[:2], outputs, groups,
        *axis_arguments(*_axes(geometry)),
    )  # fmt: skip
    launch(
        _source(x.dtype), "weight_gradient", x.dtype, *blocks_for(grad_weight.size), sums, grad_weight, pieces, groups,
        taps, channels, of_group,
    )  # fmt: skip
    return grad_weight
