"""Convolution and its gradients, see `conv.cu`. Contracts: `reference/conv.py`.

A 1x1 convolution that reads every pixel once is a product of matrices that lie in memory already: cuBLAS does that, by
way of `matmul`. All others gather their windows as they go.
"""

import functools
import math

import numpy as np

from .. import checks
from ..arrays import array_module
from ..axis import axes_of, forward_axes, gradient_axes
from ..conv_geometry import check_add_to, check_grad_output, conv2d_geometry
from ..transfer import device_of, to_device
from .launch import blocks_for, launch, pieces_of
from .memory import empty_images, images_in_memory, rows_in_memory

__all__ = ["conv2d", "conv2d_backward_input", "conv2d_backward_weight"]

SOURCE = "conv.cu"
THREADS, HIGH, WIDE, SUMMANDS = 256, 128, 64, 128  # as in conv.cu


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d`."""
    checks.floating("conv2d", {"bias": bias}, x=x, weight=weight)
    geometry, groups = conv2d_geometry("conv2d", x.shape, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        checks.shape("conv2d", "bias", bias, weight.shape[:1], "one per output channel")
    return convolved(x, weight, bias, geometry, groups)


def convolved(x, weight, bias, geometry, groups, floor=-math.inf):
    """max(conv2d(x, weight, bias), floor), of checked arguments."""
    xp = array_module(x)
    output = empty_images(xp, (x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    if groups == 1 and _every_pixel_once(geometry):
        rows = rows_in_memory(output)
        xp.matmul(rows_in_memory(x), xp.ascontiguousarray(weight[:, :, 0, 0]).T, out=rows)
        if bias is not None:
            rows += bias
        if floor > -math.inf:
            xp.maximum(rows, x.dtype.type(floor), out=rows)
        return output
    weights = _of_groups(weight, groups).transpose(0, 3, 4, 2, 1)  # (G, KH, KW, C / G, O / G)
    _correlate(x, weights, bias, output, forward_axes(geometry), floor=floor)
    return output


def conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1, groups=1, add_to=None):
    """See `reference.conv2d_backward_input`.

    The pixels of the input fall into stride x stride classes, each of which is read by taps of its own: the gradient of
    each class is a correlation of the gradient of the output with these taps.
    """
    name = "conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, groups = conv2d_geometry(name, x_shape, weight.shape, stride, padding, dilation, groups, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    check_add_to(name, add_to, grad_output, geometry.x_shape)
    xp = array_module(grad_output)
    if groups == 1 and _every_pixel_once(geometry):
        grad_x = empty_images(xp, geometry.x_shape, grad_output.dtype)
        xp.matmul(
            rows_in_memory(grad_output), xp.ascontiguousarray(weight[:, :, 0, 0]), out=rows_in_memory(grad_x)
        )
        return _added(add_to, grad_x)
    classes = [gradient_axes(*axis, size) for axis, size in zip(axes_of(geometry), geometry.x_shape[2:], strict=True)]
    in_place = add_to is not None and add_to.transpose(0, 2, 3, 1).flags.c_contiguous
    grad_x = add_to if in_place else empty_images(xp, geometry.x_shape, grad_output.dtype)
    if not in_place and any(axis is None for axes in classes for axis in axes):
        grad_x[...] = 0  # pixels that nothing reads
    weights = _of_groups(weight, groups).transpose(0, 3, 4, 1, 2)  # (G, KH, KW, O / G, C / G)
    for rows in filter(None, classes[0]):
        for columns in filter(None, classes[1]):
            taps = weights[:, _slice(rows.taps)][:, :, _slice(columns.taps)]
            _correlate(grad_output, taps, None, grad_x, (rows, columns), add_to=in_place)
    return grad_x if in_place else _added(add_to, grad_x)


def conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d_backward_weight`."""
    name = "conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, groups = conv2d_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, groups, weight="weight_shape"
    )
    o, c, kh, kw = weight_shape
    check_grad_output(name, grad_output, geometry, o)
    xp = array_module(x)
    if groups == 1 and _every_pixel_once(geometry):
        return xp.matmul(rows_in_memory(grad_output).T, rows_in_memory(x)).reshape(o, c, 1, 1)
    pixels = len(x) * math.prod(geometry.output_size)
    tiles = -(-kh * kw * c // HIGH), -(-o // groups // WIDE)
    piece, pieces = pieces_of(pixels, SUMMANDS, math.prod(tiles) * groups)
    sums = xp.empty((pieces, groups, kh * kw * c, o // groups), x.dtype)
    launch(
        SOURCE, f"{name}_pieces", x.dtype, (tiles[0], tiles[1] * pieces, groups), (THREADS,),
        images_in_memory(grad_output), images_in_memory(x), sums, piece, len(x), groups, c, o // groups,
        *_axis_arguments(x, forward_axes(geometry)),
    )  # fmt: skip
    grad_weight = xp.empty(weight_shape, x.dtype)
    launch(
        SOURCE, name, x.dtype, *blocks_for(grad_weight.size), sums, grad_weight, pieces, groups, kh * kw, c, o // groups
    )
    return grad_weight


def _correlate(x, weights, bias, output, axes, floor=-math.inf, add_to=False):
    """Write, or add, the pixels of `axes` of the output. weights: (G, taps of the rows, of the columns, read, made)."""
    xp = array_module(x)
    rows, columns = axes
    groups, _, _, channels, outputs = weights.shape
    tiles = -(-len(x) * rows.count * columns.count // HIGH), -(-outputs // WIDE), groups
    launch(
        SOURCE, "conv2d_correlate", x.dtype, tiles, (THREADS,), images_in_memory(x), xp.ascontiguousarray(weights),
        None if bias is None else xp.ascontiguousarray(bias), images_in_memory(output), len(x), groups, channels,
        outputs, *output.shape[2:], int(add_to), float(floor), *_axis_arguments(x, axes),
    )  # fmt: skip


def _axis_arguments(x, axes):
    """What a kernel is told of the rows and of the columns: AXIS parameters of conv.cu."""
    for axis, size in zip(axes, x.shape[2:], strict=True):
        stride = axis.stride if axis.count > 1 else 1  # which may not fit into an int where there is no next window
        yield from (size, axis.count, stride, axis.first, axis.step, len(axis.offsets))
        yield _on_device(axis.offsets, device_of(x))


@functools.lru_cache(maxsize=1024)
def _on_device(numbers, device):
    """A tuple of ints as an array there. Networks use the same few again and again."""
    return to_device(np.array(numbers, np.int32), device)


def _every_pixel_once(geometry):
    """Whether the windows are the pixels: a matrix product without copies."""
    return geometry.kernel_size == geometry.stride == (1, 1) and geometry.padded_size == geometry.x_shape[2:]


def _of_groups(weight, groups):
    """(O, C / G, KH, KW) -> (G, O / G, C / G, KH, KW)."""
    return weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])


def _slice(taps):
    """Taps that are evenly spaced, in falling order, as a slice."""
    step = taps[0] - taps[1] if len(taps) > 1 else 1
    return slice(taps[0], taps[-1] - 1 if taps[-1] > 0 else None, -step)


def _added(add_to, grad_x):
    if add_to is None:
        return grad_x
    add_to += grad_x
    return add_to
