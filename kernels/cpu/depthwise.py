"""Depthwise convolution along the channels of each pixel. Contracts: `reference/depthwise.py`.

As in `correlation.py`, the convolution and its input gradient are one computation: windows over the lines of an image,
with a border of zeros where they overhang. Kernels of 3x3 at stride 1 have loops of their own (`depthwise_square.py`).
Depth multipliers above 1 run as the reference version.
"""

from itertools import product

import numpy as np

from .. import checks
from ..conv_geometry import check_grad_output, depthwise_geometry, quiet
from ..layout import empty_images, zeros_images
from ..placement import new_images
from ..reference import depthwise as reference
from .axis import axes_of, forward_axes, gradient_axes
from .compile import compiled
from .correlation import SPARE, chunk_of, describe, gather, layout_of
from .depthwise_square import correlate_squares, correlate_weights_squares, is_square
from .depthwise_tile import PIXELS, TAPS, correlate_pixels, gradient_of_taps
from .parallel import count_parts, run
from .vectors import lanes
from .windows import pixels_of

__all__ = ["depthwise_conv2d", "depthwise_conv2d_backward_input", "depthwise_conv2d_backward_weight", "run_correlation"]

PIXELS_AT_ONCE = 256
CHUNK_NUMBERS = 1 << 16  # numbers of the source that their windows may span: they stay in the second-level cache


@compiled
def _correlate(start, stop, part, source, known, at_once, offsets, weights, bias, floor, buffers, tables, target):
    """Output lines [start, stop) of all images. weights (taps, channels); bias (channels,) or empty."""
    buffer, direct, channels = buffers[part], known[17], known[2]
    starts, targets = tables[part, 0], tables[part, 1]
    for first in range(start, stop, at_once):
        pixels = gather(first, min(first + at_once, stop), source, known, buffer, starts, targets)
        windows = source if direct else buffer
        for p in range(0, pixels, PIXELS):
            correlate_pixels(windows, starts, offsets, len(offsets), weights, channels, target, targets, p)
        if bias.size:
            for p in range(pixels):
                for c in range(channels):
                    target[targets[p] + c] += bias[c]
        if floor > -np.inf:
            least = target.dtype.type(floor)
            for p in range(pixels):
                for c in range(channels):
                    value = target[targets[p] + c]
                    target[targets[p] + c] = least if value < least else value  # NaN stays NaN


@compiled
def _weights(start, stop, part, source, known, at_once, offsets, grad, taps, buffers, tables, totals):
    """totals[part] (taps, channels) in float64 over the output lines [start, stop); within a chunk in grad's dtype."""
    buffer, direct, channels, out_w = buffers[part], known[17], known[2], known[13]
    starts, grad_starts, total = tables[part, 0], tables[part, 1], totals[part]
    sums = np.empty(TAPS * channels, grad.dtype)
    total[:] = 0
    for first in range(start, stop, at_once):
        pixels = gather(first, min(first + at_once, stop), source, known, buffer, starts, grad_starts)
        windows = source if direct else buffer
        lines = pixels // out_w
        for q in range(lines):  # only where each line begins
            starts[q] = starts[q * out_w]
            grad_starts[q] = grad_starts[q * out_w]
        for t in range(0, taps, TAPS):
            step, grad_step = known[7] * known[18], known[16]
            gradient_of_taps(
                grad, grad_starts, grad_step, windows, starts, step, offsets, t, lines, out_w, channels, sums
            )
            for i in range(min(TAPS, taps - t)):
                for c in range(channels):
                    total[t + i, c] += sums[i * channels + c]


def _prepare(x, rows, columns, other):
    """What both kernels need: (source, known, at_once, offsets, buffers, tables) for windows over x, and `other`."""
    n, channels, *size = x.shape
    source, target = pixels_of(x), pixels_of(other)
    layout = layout_of(rows, columns, source, channels, size, merge=False)
    lines = n * rows.count
    at_once, numbers = chunk_of(rows, columns, channels, lines, PIXELS_AT_ONCE, CHUNK_NUMBERS)
    parts = count_parts(lines)
    known = describe(rows, columns, source, channels, size, layout, target, 2 * lanes(x.dtype))
    offsets = [offset for offset, _, _ in layout.runs]
    offsets = np.array(offsets + offsets[-1:] * (-len(offsets) % TAPS))
    buffers = np.empty((parts, 0 if layout.direct else numbers), x.dtype)
    tables = np.empty((parts, 2, at_once * columns.count + SPARE), np.int64)
    return source, target, known, at_once, offsets, buffers, tables


def run_correlation(x, weight, bias, rows, columns, output, floor=-np.inf):
    """Write the windows of each channel of x, times its taps, plus `bias` or None, at least `floor`, into `output`."""
    taps = np.ascontiguousarray(weight[:, 0][:, rows.taps][:, :, columns.taps].transpose(1, 2, 0)).reshape(-1)
    if is_square(rows, columns):
        bias = np.zeros(x.shape[1], x.dtype) if bias is None else np.ascontiguousarray(bias)
        correlate_squares(x, taps, bias, rows, columns, output, floor)
        return
    source, target, known, at_once, offsets, buffers, tables = _prepare(x, rows, columns, output)
    count = len(rows.taps) * len(columns.taps)
    bias = np.empty(0, x.dtype) if bias is None else np.ascontiguousarray(bias)
    flat = target.flat[rows.first * target.lines + columns.first * target.step :]
    run(
        _correlate, len(x) * rows.count, source.flat, known, at_once, offsets[:count], taps, bias, floor,
        buffers, tables, flat,
    )  # fmt: skip


@quiet
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d`."""
    name = "depthwise_conv2d"
    checks.floating(name, {"bias": bias}, x=x, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x.shape, weight.shape, stride, padding, dilation)
    if multiplier > 1 or x.size == 0:
        return reference.depthwise_conv2d(x, weight, bias, stride, padding, dilation)
    if bias is not None:
        checks.shape(name, "bias", bias, weight.shape[:1], "one per output channel")
    output = new_images((x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    run_correlation(x, weight, bias, *forward_axes(geometry), output)
    return output


@quiet
def depthwise_conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d_backward_input`."""
    name = "depthwise_conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x_shape, weight.shape, stride, padding, dilation, x="x_shape")
    if multiplier > 1 or grad_output.size == 0:
        return reference.depthwise_conv2d_backward_input(grad_output, weight, x_shape, stride, padding, dilation)
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    axes = zip(axes_of(geometry), geometry.x_shape[2:], strict=True)
    classes = list(product(*(gradient_axes(*axis, size) for axis, size in axes)))
    unread = any(axis is None for axes in classes for axis in axes)
    grad_x = (zeros_images if unread else empty_images)(np, geometry.x_shape, grad_output.dtype)
    for rows, columns in classes:
        if rows is not None and columns is not None:
            run_correlation(grad_output, weight, None, rows, columns, grad_x)
    return grad_x


@quiet
def depthwise_conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d_backward_weight`."""
    name = "depthwise_conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, multiplier = depthwise_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, weight="weight_shape"
    )
    if multiplier > 1 or x.size == 0:
        return reference.depthwise_conv2d_backward_weight(grad_output, x, weight_shape, stride, padding, dilation)
    check_grad_output(name, grad_output, geometry, weight_shape[0])
    rows, columns = forward_axes(geometry)
    if is_square(rows, columns):
        total = correlate_weights_squares(x, grad_output, rows, columns).T
        return np.ascontiguousarray(total.astype(x.dtype)).reshape(x.shape[1], 1, *geometry.kernel_size)
    source, target, known, at_once, offsets, buffers, tables = _prepare(x, rows, columns, grad_output)
    taps = len(rows.taps) * len(columns.taps)
    totals = np.empty((len(buffers), taps, x.shape[1]))
    run(
        _weights, len(x) * rows.count, source.flat, known, at_once, offsets, target.flat, taps, buffers, tables,
        totals,
    )  # fmt: skip
    total = totals.sum(axis=0).T  # (C, KH * KW)
    return np.ascontiguousarray(total.astype(x.dtype)).reshape(x.shape[1], 1, *geometry.kernel_size)
