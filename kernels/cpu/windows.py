"""Images as the convolutions read them: any strides in memory, and lines with zeros around them."""

from typing import NamedTuple

import numpy as np

from .compile import compiled

__all__ = ["Pixels", "copy_lines", "has_adjacent_channels", "is_matrix", "pixels_of"]


class Pixels(NamedTuple):
    """Images with contiguous channels: element (n, y, x, c) is flat[n * images + y * lines + x * step + c]."""

    flat: np.ndarray
    images: int
    lines: int
    step: int


def has_adjacent_channels(x):
    """Whether logical (N, C, H, W) can be seen as Pixels where it is."""
    whole = all(distance >= 0 and distance % x.itemsize == 0 for distance in x.strides)
    return x.size > 0 and whole and (x.shape[1] == 1 or x.strides[1] == x.itemsize)


def pixels_of(x):
    """Logical (N, C, H, W) as Pixels: in place where its channels are contiguous in memory, else a copy."""
    n, c, h, w = x.shape
    flat = x.transpose(0, 2, 3, 1)
    if flat.flags.c_contiguous:  # as most images are: what follows would say the same, later
        return Pixels(flat.reshape(-1), h * w * c, w * c, c)
    if has_adjacent_channels(x):
        images, _, lines, step = (distance // x.itemsize for distance in x.strides)
        # An axis of one element may have any stride: take the one that images without gaps would have.
        step = step if w > 1 else c
        lines = lines if h > 1 else w * step
        images = images if n > 1 else h * lines
        extent = (n - 1) * images + (h - 1) * lines + (w - 1) * step + c
        return Pixels(np.lib.stride_tricks.as_strided(x, (extent,), (x.itemsize,)), images, lines, step)
    return Pixels(np.ascontiguousarray(flat).reshape(-1), h * w * c, w * c, c)


def is_matrix(pixels, shape):
    """Whether all pixels of images of the logical `shape` lie `pixels.step` numbers apart, in order."""
    n, _, h, w = shape
    return (pixels.lines == w * pixels.step or h == 1) and (pixels.images == h * w * pixels.step or n == 1)


@compiled
def copy_lines(flat, first, lines, step, height, width, channels, top, left, out, at, count, out_width):
    """Copy lines top, top + 1, ... of an image, `count` of them, from column `left` on, with zeros outside the image.

    The image begins at flat[first]. Written from out[at] on, (count, out_width, channels) without gaps.
    """
    zero = out.dtype.type(0)
    low, high = min(max(-left, 0), out_width), max(min(width - left, out_width), 0)  # columns inside the image
    for y in range(top, top + count):
        if not 0 <= y < height or low >= high:
            out[at : at + out_width * channels] = zero
        else:
            out[at : at + low * channels] = zero
            source = first + y * lines + (left + low) * step
            target = at + low * channels
            if step == channels:
                size = (high - low) * channels
                out[target : target + size] = flat[source : source + size]
            else:
                for x in range(high - low):
                    for c in range(channels):
                        out[target + x * channels + c] = flat[source + x * step + c]
            out[at + high * channels : at + out_width * channels] = zero
        at += out_width * channels
