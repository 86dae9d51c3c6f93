"""Max pooling in one pass over memory, the images divided among the threads. Contracts: `reference/pool.py`."""

import numpy as np

from .. import checks
from ..layout import empty_images, zeros_images
from ..reference import pool as reference
from ..threads import run_parts
from .compile import compiled
from .rows import as_pixels

__all__ = ["max_pool2d", "max_pool2d_backward"]

BYTE_TAPS = 256


@compiled
def _first_inside(start, kernel, dilation):
    """First tap of the window that begins at pixel `start` that is inside the image, else the last tap."""
    tap = 0
    while tap < kernel - 1 and start + tap * dilation < 0:
        tap += 1
    return tap


@compiled
def _max_pool(pixels, kh, kw, sh, sw, ph, pw, dh, dw, best, taps):
    images, h, w, channels = pixels.shape
    _, oh, ow, _ = best.shape
    for n in range(images):
        for y in range(oh):
            for x in range(ow):
                first = _first_inside(y * sh - ph, kh, dh) * kw + _first_inside(x * sw - pw, kw, dw)
                for c in range(channels):
                    best[n, y, x, c] = -np.inf
                    taps[n, y, x, c] = first
                for i in range(kh):
                    iy = y * sh - ph + i * dh
                    if not 0 <= iy < h:
                        continue
                    for j in range(kw):
                        ix = x * sw - pw + j * dw
                        if not 0 <= ix < w:
                            continue
                        tap = i * kw + j
                        for c in range(channels):
                            value = pixels[n, iy, ix, c]
                            # PyTorch's rule: a NaN replaces anything, and is replaced only by a NaN.
                            better = (value > best[n, y, x, c]) | (value != value)
                            if better:
                                best[n, y, x, c] = value
                            if better:
                                taps[n, y, x, c] = tap


@compiled
def _max_pool_backward(grad, taps, kh, kw, sh, sw, ph, pw, dh, dw, out):
    images, h, w, channels = out.shape
    _, oh, ow, _ = grad.shape
    zero = grad.dtype.type(0)
    for n in range(images):
        for y in range(oh):
            for x in range(ow):
                for i in range(kh):
                    iy = y * sh - ph + i * dh
                    if not 0 <= iy < h:
                        continue
                    for j in range(kw):
                        ix = x * sw - pw + j * dw
                        if not 0 <= ix < w:
                            continue
                        tap = i * kw + j
                        for c in range(channels):
                            out[n, iy, ix, c] += grad[n, y, x, c] if taps[n, y, x, c] == tap else zero


def _numbers(rows, columns):
    """Kernel, stride, padding and dilation of both axes, as the compiled loops take them."""
    return (
        rows.kernel, columns.kernel, rows.stride, columns.stride,
        rows.padding, columns.padding, rows.dilation, columns.dilation,
    )  # fmt: skip


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `reference.max_pool2d`."""
    checks.floating("max_pool2d", x=x)
    rows, columns = reference.pool_axes(
        "max_pool2d", "x", x.shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    shape = reference.pooled_shape(x.shape, rows, columns)
    best = empty_images(np, shape, x.dtype)
    taps = empty_images(np, shape, np.uint8 if rows.kernel * columns.kernel <= BYTE_TAPS else np.int32)
    pixels, numbers = as_pixels(x), _numbers(rows, columns)
    best_pixels, tap_pixels = as_pixels(best), as_pixels(taps)
    run_parts(lambda i, j: _max_pool(pixels[i:j], *numbers, best_pixels[i:j], tap_pixels[i:j]), len(x))
    return best, taps


def max_pool2d_backward(grad_output, taps, x_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `reference.max_pool2d_backward`."""
    name = "max_pool2d_backward"
    rows, columns = reference.check_max_backward(
        name, grad_output, taps, x_shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    grad_x = zeros_images(np, x_shape, grad_output.dtype)
    grad, tap_pixels, out = as_pixels(grad_output), as_pixels(taps), as_pixels(grad_x)
    numbers = _numbers(rows, columns)
    run_parts(lambda i, j: _max_pool_backward(grad[i:j], tap_pixels[i:j], *numbers, out[i:j]), len(grad_x))
    return grad_x
