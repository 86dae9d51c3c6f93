"""Depthwise and pointwise convolution in one, for evaluation: what is between them stays in the second-level cache.

A separable convolution writes the output of its depthwise half to memory only to read it again: for the 728 channels of
Xception's middle flow, 16 MB each way for a batch of 16. Here the depthwise half makes a few lines of an image at a
time, the tiles of `depthwise_square.py`, and the product of `correlation.py` reads them at once.
"""

import functools

import numpy as np

from ..threads import get_num_threads
from .compile import compiled
from .correlation import APART, PIXELS, SPARE, multiply, split_by_blocks
from .depthwise_square import LINES, MADE, SEEN, describe_squares, outputs_of_tile, place_tile
from .depthwise_square import PIXELS as TILE_PIXELS
from .parallel import count_parts, run
from .vectors import lanes
from .windows import Pixels, pixels_of

__all__ = ["correlate_separable", "lines_at_once"]

MOST_NUMBERS = 200_000  # that are between the two at a time: most of the second-level cache


@compiled
def _separable(
    start, stop, part, source, known, zeros, taps, tap_bias, tap_floor, channels, unused, at_once, packed, bias, floor,
    outputs, width, target_steps, buffers, tables, target,
):
    """Chunks [start, stop) of `at_once` lines of all images; the last of an image may be smaller."""
    out_h, out_w, step = known[7], known[8], channels + APART
    chunks = -(-out_h // at_once)
    buffer, own_unused, at, targets = buffers[part], unused[part], tables[part, 0], tables[part, 1]
    reads, writes = np.empty(SEEN, np.int64), np.empty(MADE, np.int64)
    offsets = np.zeros(1, np.int64)
    for chunk in range(start, stop):
        n, first = chunk // chunks, chunk % chunks * at_once
        last = min(first + at_once, out_h)
        base = (n * out_h + first) * out_w * step
        for y in range(first, last, LINES):
            for x in range(0, out_w, TILE_PIXELS):
                place_tile(n, y, x, known, base, reads, writes)
                outputs_of_tile(source, reads, zeros, taps, tap_bias, tap_floor, buffer, writes, own_unused, channels)
        pixels = 0
        for y in range(first, last):
            for x in range(out_w):
                at[pixels] = pixels * step
                targets[pixels] = n * target_steps[0] + y * target_steps[1] + x * target_steps[2]
                pixels += 1
        for p in range(pixels, pixels + SPARE):
            at[p] = at[pixels - 1]
            targets[p] = targets[pixels - 1]
        multiply(
            buffer, at, pixels, offsets, channels, packed, bias, floor, outputs, 0, outputs, width, False, target,
            targets, source, 0, 0,
        )  # fmt: skip


@functools.lru_cache(maxsize=1024)
def lines_at_once(images, lines, columns, channels, outputs, width, threads):
    """How many lines of an image make a chunk; 0 if the two convolutions are better made one after the other.

    An even number, so that no tile of the depthwise half reaches into the next chunk, unless it is a whole image.
    """
    most = min(PIXELS, MOST_NUMBERS // (channels + APART)) // columns
    most = min(max(most, LINES), -(-images * lines // threads))
    chunks = -(-lines // most)
    at_once = -(-lines // chunks)
    at_once = min(at_once + at_once % LINES, lines)
    few = split_by_blocks(images * -(-lines // at_once), at_once * columns, -(-outputs // width))
    return 0 if few else at_once


def correlate_separable(x, taps, tap_bias, tap_floor, rows, columns, packed, bias, floor, output):
    """Write the 3x3 windows of each channel of x, times `taps`, and then the product with `packed`, into `output`.

    taps (9 * C,), tap_bias (C,): contiguous; after them at least `tap_floor`. packed, bias: as for
    `correlation.correlate`. Returns whether it was done: not where it would take longer than one after the other.
    """
    (n, channels), outputs, width = x.shape[:2], output.shape[1], 2 * lanes(x.dtype)
    at_once = lines_at_once(n, rows.count, columns.count, channels, outputs, width, get_num_threads())
    if not at_once:
        return False
    source, target, step = pixels_of(x), pixels_of(output), channels + APART
    between = Pixels(None, rows.count * columns.count * step, columns.count * step, step)
    chunks, pixels = n * -(-rows.count // at_once), at_once * columns.count
    parts = count_parts(chunks)
    run(
        _separable, chunks, source.flat, describe_squares(x, rows, columns, source, between),
        np.zeros(channels, x.dtype), taps, tap_bias, tap_floor, channels, np.empty((parts, channels), x.dtype), at_once,
        packed, bias, floor, outputs, width, np.array(target[1:]), np.empty((parts, pixels * step), x.dtype),
        np.empty((parts, 2, pixels + SPARE), np.int64), target.flat,
    )  # fmt: skip
    return True
