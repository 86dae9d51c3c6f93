"""Adaptive and global average pooling, forward and backward.

Adaptive pooling asks for an output size and derives the windows: along an axis of `size` pixels pooled to
`count` windows, window o averages the pixels

    floor(o * size / count) <= p < ceil((o + 1) * size / count).

Neighbouring windows may share pixels, and may differ by one pixel in length. The rule has a symmetry that the
backward pass rests on: window o contains pixel p exactly if

    floor(p * count / size) <= o < ceil((p + 1) * count / size),

the same rule with the roles exchanged. So the windows that contain a pixel are again consecutive, and the
adjoint of "sum `size` pixels into `count` windows" is "sum `count` windows into `size` pixels".

Shapes: x (N, C, H, W), output (N, C, OH, OW). Sources: He et al., "Spatial pyramid pooling in deep
convolutional networks" (2014), section 2.3, for windows from an output size; Lin et al., "Network in
network" (2014), section 3.2, for global average pooling; windows as
`torch.nn.functional.adaptive_avg_pool2d`.

Common errors: `TypeError` for dtypes other than float32 and float64 or sizes that are not integers,
`ValueError` for wrong ranks and shapes, images without pixels and output sizes below one.
"""

import numpy as np

from .. import checks
from ..arrays import array_module
from ..layout import to_nchw, to_nhwc

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
]


def window_bounds(xp, size, count):
    """Start and exclusive end of each of the `count` windows over `size` pixels, two (count,) arrays."""
    window = xp.arange(count)
    return window * size // count, -(-(window + 1) * size // count)


def sum_windows(xp, x, count, axis):
    """Sum the adaptive windows along one axis of x, whose length becomes `count`.

    One step per position inside a window: step t adds pixel start + t of all the windows that are that long.
    """
    size = x.shape[axis]
    starts, ends = window_bounds(xp, size, count)
    total = xp.take(x, starts, axis)  # every window has at least one pixel
    for t in range(1, size // count + 2):
        longer = xp.flatnonzero(starts + t < ends)
        total[(slice(None),) * axis + (longer,)] += xp.take(x, starts[longer] + t, axis)
    return total


def window_areas(xp, height, width, oh, ow, dtype):
    """Number of pixels in each window, (OH, OW, 1)."""
    top, bottom = window_bounds(xp, height, oh)
    left, right = window_bounds(xp, width, ow)
    return ((bottom - top)[:, None, None] * (right - left)[:, None]).astype(dtype)


def check_shape(name, argument, x_shape):
    """Require (N, C, H, W) with at least one pixel; `argument` is what the caller calls it."""
    x_shape = checks.sizes(name, argument, x_shape, "(N, C, H, W)", (0, 0, 0, 0))
    if x_shape[2] == 0 or x_shape[3] == 0:
        raise ValueError(f"{name}: {argument} must have at least one pixel, got shape {x_shape}")


def check_output_size(name, x, output_size):
    """(OH, OW) of `adaptive_avg_pool2d`, whose arguments these are."""
    check_shape(name, "x", x.shape)
    if not isinstance(output_size, (tuple, list)):
        output_size = (output_size, output_size)
    kept = x.shape[2:]
    if len(output_size) == 2:
        output_size = [kept[axis] if size is None else size for axis, size in enumerate(output_size)]
    return checks.pair(name, "output_size", output_size, 1)


def check_backward(name, grad_output, x_shape):
    """Require the arguments of `adaptive_avg_pool2d_backward`."""
    checks.floating(name, grad_output=grad_output)
    check_shape(name, "x_shape", x_shape)
    checks.rank(name, "grad_output", grad_output, 4, "(N, C, OH, OW)")
    oh, ow = grad_output.shape[2:]
    expected = (x_shape[0], x_shape[1], max(oh, 1), max(ow, 1))
    checks.shape(name, "grad_output", grad_output, expected, "N and C of x_shape, windows at least 1x1")


@np.errstate(over="ignore", invalid="ignore")
def adaptive_avg_pool2d(x, output_size):
    """Average x (N, C, H, W) into (N, C, OH, OW).

    `output_size` is an integer or a pair (OH, OW); None, alone or in the pair, keeps the size of x. The
    output may also be larger than the image, then windows repeat pixels.
    """
    name = "adaptive_avg_pool2d"
    checks.floating(name, x=x)
    oh, ow = check_output_size(name, x, output_size)

    xp = array_module(x)
    height, width = x.shape[2:]
    sums = sum_windows(xp, to_nhwc(x), oh, axis=1)  # (N, OH, W, C)
    sums = sum_windows(xp, sums, ow, axis=2)  # (N, OH, OW, C)
    return to_nchw(sums / window_areas(xp, height, width, oh, ow, x.dtype))


@np.errstate(over="ignore", invalid="ignore")
def adaptive_avg_pool2d_backward(grad_output, x_shape):
    """Gradient (N, C, H, W) for grad_output (N, C, OH, OW): each pixel sums its windows' shares."""
    check_backward("adaptive_avg_pool2d_backward", grad_output, x_shape)
    xp = array_module(grad_output)
    oh, ow = grad_output.shape[2:]
    height, width = x_shape[2:]
    shares = to_nhwc(grad_output) / window_areas(xp, height, width, oh, ow, grad_output.dtype)
    grad = sum_windows(xp, shares, height, axis=1)  # (N, H, OW, C)
    grad = sum_windows(xp, grad, width, axis=2)  # (N, H, W, C)
    return to_nchw(grad)


@np.errstate(over="ignore", invalid="ignore")
def global_avg_pool2d(x):
    """Mean over all pixels of each channel: x (N, C, H, W) to (N, C, 1, 1). Sums are kept in float64."""
    checks.floating("global_avg_pool2d", x=x)
    check_shape("global_avg_pool2d", "x", x.shape)
    mean = to_nhwc(x).mean(axis=(1, 2), keepdims=True, dtype=np.float64)  # (N, 1, 1, C)
    return to_nchw(mean.astype(x.dtype, order="C"))


def global_avg_pool2d_backward(grad_output, x_shape):
    """Gradient (N, C, H, W) for grad_output (N, C, 1, 1): every pixel receives 1 / (H * W) of it."""
    name = "global_avg_pool2d_backward"
    checks.floating(name, grad_output=grad_output)
    check_shape(name, "x_shape", x_shape)
    n, c, height, width = x_shape
    checks.shape(name, "grad_output", grad_output, (n, c, 1, 1), "the output of global_avg_pool2d")
    xp = array_module(grad_output)
    share = to_nhwc(grad_output) / (height * width)  # (N, 1, 1, C)
    return to_nchw(xp.ascontiguousarray(xp.broadcast_to(share, (n, height, width, c))))
