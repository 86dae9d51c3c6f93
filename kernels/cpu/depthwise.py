"""Depthwise convolution along the channels of each pixel. Contracts: `reference/depthwise.py`.

The channels of a pixel lie next to each other, so every kernel tap is a multiply-add of short vectors, and each
pass reads and writes its images once. Depth multipliers above 1 run as the reference version.
"""

import numpy as np

from .. import checks
from ..conv_geometry import check_grad_output, depthwise_geometry, quiet
from ..layout import empty_images
from ..reference import depthwise as reference
from ..threads import run_parts
from .compile import compiled
from .rows import as_pixels

__all__ = ["depthwise_conv2d", "depthwise_conv2d_backward_input", "depthwise_conv2d_backward_weight"]


@compiled
def _forward(pixels, taps, bias, before_h, before_w, sh, sw, dh, dw, out):
    """out (N, OH, OW, C) from pixels (N, H, W, C), taps (KH, KW, C), bias (C,)."""
    images, h, w, channels = pixels.shape
    kh, kw, _ = taps.shape
    _, oh, ow, _ = out.shape
    for n in range(images):
        for y in range(oh):
            for x in range(ow):
                for c in range(channels):
                    out[n, y, x, c] = bias[c]
                for i in range(kh):
                    iy = y * sh - before_h + i * dh
                    if not 0 <= iy < h:
                        continue
                    for j in range(kw):
                        ix = x * sw - before_w + j * dw
                        if not 0 <= ix < w:
                            continue
                        for c in range(channels):
                            out[n, y, x, c] += pixels[n, iy, ix, c] * taps[i, j, c]


@compiled
def _backward_input(grad, taps, before_h, before_w, sh, sw, dh, dw, out):
    """out (N, H, W, C): each pixel gathers from the windows that read it."""
    images, oh, ow, channels = grad.shape
    kh, kw, _ = taps.shape
    _, h, w, _ = out.shape
    for n in range(images):
        for iy in range(h):
            for ix in range(w):
                for c in range(channels):
                    out[n, iy, ix, c] = 0
                for i in range(kh):
                    y = iy + before_h - i * dh
                    if y < 0 or y % sh or y // sh >= oh:
                        continue
                    for j in range(kw):
                        x = ix + before_w - j * dw
                        if x < 0 or x % sw or x // sw >= ow:
                            continue
                        for c in range(channels):
                            out[n, iy, ix, c] += grad[n, y // sh, x // sw, c] * taps[i, j, c]


@compiled
def _backward_weight(grad, pixels, before_h, before_w, sh, sw, dh, dw, total):
    """Add to total (KH, KW, C), float64; within one line of one image the sums are in the dtype of the images."""
    images, h, w, channels = pixels.shape
    _, oh, ow, _ = grad.shape
    kh, kw, _ = total.shape
    line = np.empty(channels, pixels.dtype)
    for n in range(images):
        for y in range(oh):
            for i in range(kh):
                iy = y * sh - before_h + i * dh
                if not 0 <= iy < h:
                    continue
                for j in range(kw):
                    line[:] = 0
                    for x in range(ow):
                        ix = x * sw - before_w + j * dw
                        if not 0 <= ix < w:
                            continue
                        for c in range(channels):
                            line[c] += pixels[n, iy, ix, c] * grad[n, y, x, c]
                    for c in range(channels):
                        total[i, j, c] += line[c]


def _taps(weight):
    """(C, 1, KH, KW) as a contiguous (KH, KW, C)."""
    return np.ascontiguousarray(weight[:, 0].transpose(1, 2, 0))


def _numbers(geometry):
    """Zeros above and left of an image, strides and dilations, as the compiled loops take them."""
    (top, _), (left, _) = geometry.padding
    return (top, left, *geometry.stride, *geometry.dilation)


@quiet
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d`."""
    name = "depthwise_conv2d"
    checks.floating(name, {"bias": bias}, x=x, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x.shape, weight.shape, stride, padding, dilation)
    if multiplier > 1:
        return reference.depthwise_conv2d(x, weight, bias, stride, padding, dilation)
    if bias is None:
        bias = np.zeros(weight.shape[0], x.dtype)
    checks.shape(name, "bias", bias, weight.shape[:1], "one per output channel")
    bias = np.ascontiguousarray(bias)
    output = empty_images(np, (x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    pixels, taps, out, numbers = as_pixels(x), _taps(weight), as_pixels(output), _numbers(geometry)
    run_parts(lambda i, j: _forward(pixels[i:j], taps, bias, *numbers, out[i:j]), len(x))
    return output


@quiet
def depthwise_conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d_backward_input`."""
    name = "depthwise_conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x_shape, weight.shape, stride, padding, dilation, x="x_shape")
    if multiplier > 1:
        return reference.depthwise_conv2d_backward_input(grad_output, weight, x_shape, stride, padding, dilation)
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    grad_x = empty_images(np, geometry.x_shape, grad_output.dtype)
    grad, taps, out, numbers = as_pixels(grad_output), _taps(weight), as_pixels(grad_x), _numbers(geometry)
    run_parts(lambda i, j: _backward_input(grad[i:j], taps, *numbers, out[i:j]), len(grad_x))
    return grad_x


@quiet
def depthwise_conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1):
    """See `reference.depthwise_conv2d_backward_weight`."""
    name = "depthwise_conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, multiplier = depthwise_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, weight="weight_shape"
    )
    if multiplier > 1:
        return reference.depthwise_conv2d_backward_weight(grad_output, x, weight_shape, stride, padding, dilation)
    check_grad_output(name, grad_output, geometry, weight_shape[0])
    grad, pixels, numbers = as_pixels(grad_output), as_pixels(x), _numbers(geometry)

    def part(start, stop):
        total = np.zeros((*geometry.kernel_size, x.shape[1]))
        _backward_weight(grad[start:stop], pixels[start:stop], *numbers, total)
        return total

    total = sum(run_parts(part, len(x)))
    return np.ascontiguousarray(total.transpose(2, 0, 1)[:, None].astype(x.dtype))
