"""Images as rows of channels at equal distances in memory, so that slices of channels are read where they lie."""

import math

import numpy as np

from .. import workspace
from ..placement import new_images

__all__ = ["empty_rows", "new_rows", "rows_in_memory"]


def rows_in_memory(x):
    """The pixels of (N, C, ...) as (memory, step): row r, of C channels, begins at memory[r * step].

    `memory` has one dimension and no gaps of its own, `step` is at least C. It is `x` itself if the channels of a pixel
    lie next to each other and the pixels at equal distances: channels-last in memory, or a slice of the channels of
    such an array, as the gradient of a concatenation. Else it is a copy; also of a read-only array, because compiled
    code would be compiled again for those.
    """
    pixels = x.transpose(0, *range(2, x.ndim), 1)  # (N, H, W, C)
    channels = x.shape[1]
    if not x.flags.writeable:
        return np.array(pixels, order="C").reshape(-1), channels
    if pixels.flags.c_contiguous:
        return pixels.reshape(-1), channels
    step = _row_step(pixels)
    if step is None:
        return np.ascontiguousarray(pixels).reshape(-1), channels
    length = (pixels.size // channels - 1) * step + channels
    return np.lib.stride_tricks.as_strided(pixels, (length,), (x.itemsize,)), step


def _row_step(pixels):
    """Elements from a row of (N, H, W, C) to the next, if that is the same for all and at least C; else None."""
    *positions, channels = pixels.shape
    *strides, last = pixels.strides
    if pixels.size == 0 or (last != pixels.itemsize and channels > 1):
        return None
    step, expected = channels, None
    for length, stride in zip(reversed(positions), reversed(strides), strict=True):
        if length == 1:
            continue
        if expected is None:  # the innermost axis with more than one row
            step, remainder = divmod(stride, pixels.itemsize)
            if remainder or step < channels:
                return None
            expected = stride
        elif stride != expected:
            return None
        expected *= length
    return step


def empty_rows(shape, dtype):
    """A new logical (N, C, ...) array, channels-last in memory, and its elements as they lie."""
    n, channels, *positions = shape
    memory = workspace.empty((n * math.prod(positions) * channels,), dtype)
    return memory.reshape(n, *positions, channels).transpose(0, len(shape) - 1, *range(1, len(shape) - 1)), memory


def new_rows(shape, dtype):
    """The logical (N, C, ...) array for a kernel's output, its memory, and the step from row to row in it.

    As `rows_in_memory`; images lie where their concatenation wants them, see `placement.py`.
    """
    if len(shape) != 4 or 0 in shape:
        return *empty_rows(shape, dtype), shape[1]
    output = new_images(shape, dtype)
    return output, *rows_in_memory(output)
