"""Max and average pooling of image batches, forward and backward.

A window has KH x KW taps. Each kernel here is one loop over the taps, and each step handles that tap of
*all* windows at once: the pixels that tap (i, j) reads form a strided slice of the image, one pixel per
window. Windows whose tap lies in the padding are left out of the slices, so nothing is ever padded in
memory: for the maximum the padding counts as -inf, for the average as 0.

Shapes: x (N, C, H, W), output (N, C, OH, OW), with OH and OW from `window.output_size`. Inside, everything
is channels-last: images (N, H, W, C), windows (N, OH, OW, C). Sources: LeCun et al., "Gradient-based
learning applied to document recognition" (1998), section II.B, for averaging; Ranzato et al., "Unsupervised
learning of invariant feature hierarchies" (2007) for the maximum; edge rules as
`torch.nn.functional.max_pool2d` and `avg_pool2d`.

Common errors: `TypeError` for dtypes other than float32 and float64 or arguments that are not integers;
`ValueError` for wrong ranks and shapes, non-positive kernel, stride or dilation, padding negative or above
half the kernel, and images too small for a single window.
"""

from typing import NamedTuple

import numpy as np

from .. import checks
from ..arrays import array_module
from ..layout import to_nchw, to_nhwc, zeros_images
from ..window import output_size

__all__ = ["avg_pool2d", "avg_pool2d_backward", "max_pool2d", "max_pool2d_backward"]


class Axis(NamedTuple):
    """The windows along one image axis: `count` windows over `size` pixels."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    count: int

    def slices(self, tap):
        """Return (windows, pixels): the windows whose tap `tap` is inside the image, and the pixels it reads.

        Both are slices of equal length, possibly empty. Window o reads pixel o * stride + offset.
        """
        offset = tap * self.dilation - self.padding
        first = max(0, -(offset // self.stride))
        last = min(self.count - 1, (self.size - 1 - offset) // self.stride)
        if last < first:
            return slice(0, 0), slice(0, 0)
        start, stop = first * self.stride + offset, last * self.stride + offset + 1
        return slice(first, last + 1), slice(start, stop, self.stride)


def pool_axes(name, argument, x_shape, kernel_size, stride, padding, dilation, ceil_mode):
    """Check the arguments that all pools share; return the `Axis` of the rows and that of the columns.

    `argument` is what the caller calls `x_shape`.
    """
    x_shape = checks.sizes(name, argument, x_shape, "(N, C, H, W)", (0, 0, 0, 0))
    kernels = checks.pair(name, "kernel_size", kernel_size, 1)
    strides = kernels if stride is None else checks.pair(name, "stride", stride, 1)
    paddings = checks.pair(name, "padding", padding, 0)
    dilations = checks.pair(name, "dilation", dilation, 1)
    axes = []
    for i, label in enumerate(("height", "width")):
        size, kernel, stride = x_shape[2 + i], kernels[i], strides[i]
        padding, dilation = paddings[i], dilations[i]
        if 2 * padding > kernel:
            raise ValueError(
                f"{name}: padding must be at most half of kernel_size, "
                f"got padding {padding} and kernel_size {kernel} along the {label}"
            )
        if size == 0:
            raise ValueError(f"{name}: {argument} must have at least one pixel, got shape {x_shape}")
        count = output_size(size, kernel, stride, padding, padding, dilation, ceil_mode)
        if count < 1:
            raise ValueError(
                f"{name}: kernel_size {kernel} with dilation {dilation} does not fit into "
                f"{label} {size} with padding {padding}"
            )
        axes.append(Axis(size, kernel, stride, padding, dilation, count))
    return axes


def window_taps(rows, columns):
    """Yield, for each tap, its index i * KW + j, the slices of the windows, and those of their pixels."""
    for i in range(rows.kernel):
        window_rows, pixel_rows = rows.slices(i)
        for j in range(columns.kernel):
            window_columns, pixel_columns = columns.slices(j)
            windows = (slice(None), window_rows, window_columns)
            pixels = (slice(None), pixel_rows, pixel_columns)
            yield i * columns.kernel + j, windows, pixels


def pooled_shape(x_shape, rows, columns):
    """Shape of the output: (N, C, OH, OW)."""
    return (x_shape[0], x_shape[1], rows.count, columns.count)


def first_tap_inside(xp, axis):
    """Per window (count,): the first tap at or after the start of the image; the last tap if there is none."""
    in_padding = xp.maximum(axis.padding - xp.arange(axis.count) * axis.stride, 0)
    return xp.minimum(-(-in_padding // axis.dilation), axis.kernel - 1)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Maximum over each window: returns (output, taps), both (N, C, OH, OW).

    `taps` says which tap of the window was the maximum, as i * KW + j: uint8 if KH * KW <= 256, else int32.
    Among equal maxima the first tap in row-major order wins. Once a NaN is met, only a later NaN replaces
    it (torch's rule: the last NaN wins). A window of -inf alone answers with its first tap inside the
    image. A dilated window can miss the image altogether: it gives -inf, and no gradient.
    `stride=None` means kernel_size.
    """
    checks.floating("max_pool2d", x=x)
    rows, columns = pool_axes("max_pool2d", "x", x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    xp = array_module(x)
    images = to_nhwc(x)
    shape = (x.shape[0], rows.count, columns.count, x.shape[1])  # (N, OH, OW, C)

    best = xp.full(shape, -np.inf, x.dtype)
    taps = xp.empty(shape, np.uint8 if rows.kernel * columns.kernel <= 256 else np.int32)
    first = first_tap_inside(xp, rows)[:, None] * columns.kernel + first_tap_inside(xp, columns)
    taps[...] = first[:, :, None]  # (OH, OW, 1) over all images and channels

    for tap, windows, pixels in window_taps(rows, columns):
        candidate = images[pixels]
        better = (candidate > best[windows]) | xp.isnan(candidate)
        xp.maximum(best[windows], candidate, out=best[windows])  # NaN if either is NaN
        # taps come in rising order, so the larger one is the later one
        xp.maximum(taps[windows], better * taps.dtype.type(tap), out=taps[windows])
    return to_nchw(best), to_nchw(taps)


def check_max_backward(name, grad_output, taps, x_shape, kernel_size, stride, padding, dilation, ceil_mode):
    """Check the arguments of `max_pool2d_backward`; return the `Axis` of the rows and that of the columns."""
    checks.floating(name, grad_output=grad_output)
    checks.array(name, "taps", taps)
    rows, columns = pool_axes(name, "x_shape", x_shape, kernel_size, stride, padding, dilation, ceil_mode)
    expected = pooled_shape(x_shape, rows, columns)
    checks.shape(name, "grad_output", grad_output, expected, "the output of max_pool2d")
    checks.shape(name, "taps", taps, expected, "the taps of max_pool2d")
    if taps.dtype.kind not in "iu":
        raise TypeError(f"{name}: taps must be integers, got {taps.dtype}")
    return rows, columns


@np.errstate(over="ignore", invalid="ignore")
def max_pool2d_backward(
    grad_output, taps, x_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False
):
    """Gradient (N, C, H, W) of max pooling: each window sends its gradient to its maximum, and only there.

    grad_output and taps are (N, C, OH, OW), taps as `max_pool2d` returned them. Windows may overlap: a
    pixel that is the maximum of several windows receives the sum of their gradients.
    """
    rows, columns = check_max_backward(
        "max_pool2d_backward", grad_output, taps, x_shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    xp = array_module(grad_output)
    grad_x = zeros_images(xp, x_shape, grad_output.dtype)
    grad_images, grad_windows, taps = to_nhwc(grad_x), to_nhwc(grad_output), to_nhwc(taps)
    for tap, windows, pixels in window_taps(rows, columns):
        grad_images[pixels] += xp.where(taps[windows] == tap, grad_windows[windows], 0)
    return grad_x


def average_divisors(xp, rows, columns, count_include_pad, divisor_override, dtype):
    """What each window's sum is divided by, (OH, OW, 1): the one place that forward and backward both ask.

    A window that hangs over the end (`ceil_mode`) is first cut off at the end of the *padded* image. With
    `count_include_pad` its area then is the divisor; without, only the pixels inside the image count.
    """
    if divisor_override is not None:
        return xp.full((1, 1, 1), divisor_override, dtype)
    lengths = []
    for axis in (rows, columns):
        start = xp.arange(axis.count) * axis.stride - axis.padding
        end = xp.minimum(start + axis.kernel, axis.size + axis.padding)
        if not count_include_pad:
            start, end = xp.maximum(start, 0), xp.minimum(end, axis.size)
        lengths.append(end - start)
    return (lengths[0][:, None, None] * lengths[1][:, None]).astype(dtype)


def check_divisor(name, divisor_override):
    """Require None or an integer other than zero."""
    if divisor_override is not None and checks.integer(name, "divisor_override", divisor_override) == 0:
        raise ValueError(f"{name}: divisor_override must not be zero")


@np.errstate(over="ignore", invalid="ignore")
def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Average over each window, (N, C, OH, OW); see `average_divisors` for what the sums are divided by.

    `divisor_override` (a non-zero integer) replaces the divisor of every window. `stride=None` means
    kernel_size.
    """
    checks.floating("avg_pool2d", x=x)
    rows, columns = pool_axes("avg_pool2d", "x", x.shape, kernel_size, stride, padding, 1, ceil_mode)
    check_divisor("avg_pool2d", divisor_override)
    xp = array_module(x)
    images = to_nhwc(x)
    output = zeros_images(xp, pooled_shape(x.shape, rows, columns), x.dtype)
    sums = to_nhwc(output)
    for _, windows, pixels in window_taps(rows, columns):
        sums[windows] += images[pixels]
    sums /= average_divisors(xp, rows, columns, count_include_pad, divisor_override, x.dtype)
    return output


@np.errstate(over="ignore", invalid="ignore")
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
    """Gradient (N, C, H, W) of average pooling: every pixel of a window receives an equal share, 1 / divisor.

    grad_output is (N, C, OH, OW). Shares that fall into the padding are dropped.
    """
    name = "avg_pool2d_backward"
    checks.floating(name, grad_output=grad_output)
    rows, columns = pool_axes(name, "x_shape", x_shape, kernel_size, stride, padding, 1, ceil_mode)
    expected = pooled_shape(x_shape, rows, columns)
    checks.shape(name, "grad_output", grad_output, expected, "the output of avg_pool2d")
    check_divisor(name, divisor_override)
    xp = array_module(grad_output)
    dtype = grad_output.dtype
    divisors = average_divisors(xp, rows, columns, count_include_pad, divisor_override, dtype)
    shares = to_nhwc(grad_output) / divisors
    grad_x = zeros_images(xp, x_shape, dtype)
    grad_images = to_nhwc(grad_x)
    for _, windows, pixels in window_taps(rows, columns):
        grad_images[pixels] += shares[windows]
    return grad_x
