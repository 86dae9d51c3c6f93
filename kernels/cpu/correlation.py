"""Sliding windows over images as products of tiles: the loops that all convolutions share.

A convolution and its input gradient are the same computation, a *correlation*: every output pixel reads some source
pixels at fixed distances (taps), multiplies their channels by weights and adds up. The convolution's taps are i *
dilation - padding pixels away from y * stride. The input gradient reads the output's gradient; where the stride is s,
the input pixels fall into s classes for each axis, and a class is reached by every s-th tap only (Dumoulin and Visin
2016, section 4.5), so each class is a correlation of stride 1. Nothing is ever added to memory twice, and no window is
unfolded: the tiles read the lines of the images, with a border of zeros where windows overhang.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from ..threads import get_num_threads
from ..workspace import LINE
from .compile import compiled
from .parallel import count_parts, run
from .tile import make_tile
from .vectors import ROWS, VECTOR_BYTES, ask_for, lanes
from .windows import Pixels, copy_lines, pixels_of

__all__ = [
    "APART",
    "PIXELS",
    "SPARE",
    "chunk_of",
    "correlate",
    "describe",
    "gather",
    "layout_of",
    "multiply",
    "split_by_blocks",
]

PIXELS = 20 * ROWS  # output pixels at a time: as many as keep their windows in the second-level cache
SUMMANDS = 128  # products that are added up one after the other: sums of sums round less than long sums
SPARE = ROWS  # entries after the end of a table, for the rest of the last tile
# Numbers that lie a multiple of so many bytes apart share few lines of the first-level cache. Windows at such distances
# push each other out, unless copies of them lie a little apart.
CLASH = 2048
APART = 16  # numbers
STRETCH = 1.25  # how much larger than wanted a chunk may be, if it makes one chunk less
CHUNK_NUMBERS = 1 << 17  # numbers of the source that these windows may span

_full, _half = make_tile(ROWS, 2, ending=True), make_tile(ROWS, 1, ending=True)


class _Layout(NamedTuple):
    """How the windows of a chunk lie in memory; distances in numbers, not bytes."""

    direct: bool  # the tiles read the images where they are; otherwise, copies of their lines with zeros around
    pixel: int  # from a pixel to its right neighbour
    line: int  # from a line to the next
    runs: list  # for each piece of a window that is contiguous: (offset from the window's begin, kernel lines, columns)
    length: int  # of each run


def layout_of(rows, columns, source, channels, size, merge=True):
    """The _Layout for windows over a source of `size` (H, W), given as Pixels."""
    direct = rows.inside(size[0]) and columns.inside(size[1])
    width = (columns.count - 1) * columns.stride + columns.span
    pixel, line = (source.step, source.lines) if direct else (channels, width * channels)
    merged = merge and columns.adjacent() and (pixel == channels or len(columns.taps) == 1)
    runs = []
    for i, y in zip(rows.taps, rows.offsets, strict=True):
        above = (y - rows.offsets[0]) * line
        if merged:
            runs.append((above, i, columns.taps))
        else:
            for j, x in zip(columns.taps, columns.offsets, strict=True):
                runs.append((above + (x - columns.offsets[0]) * pixel, i, (j,)))
    return _Layout(direct, pixel, line, runs, channels * (len(columns.taps) if merged else 1))


@compiled
def gather(first, last, source, known, buffer, starts, targets):
    """Make the lines that the windows of the output lines [first, last) read ready in `buffer`, if they need a copy.

    Writes where the window of each output pixel begins to `starts`, and where its output goes to `targets`. Returns how
    many pixels there are. The tables are filled up to a whole tile, of any kind, by repeating the last.
    """
    height, width, channels, images, lines, step = known[:6]
    stride_y, stride_x, top, left, span_y, span_x, out_h, out_w = known[6:14]
    target_images, target_lines, target_step, direct, pixel, line = known[14:20]
    pixels = 0
    at = 0
    y_line = first
    while y_line < last:
        n, y = divmod(y_line, out_h)
        count = min(last - y_line, out_h - y)
        if direct:
            begin = n * images + (y * stride_y + top) * lines + left * step
        else:
            begin = at
            copied = (count - 1) * stride_y + span_y
            copy_width = (out_w - 1) * stride_x + span_x
            copy_lines(
                source, n * images, lines, step, height, width, channels, y * stride_y + top, left, buffer, at, copied,
                copy_width,
            )  # fmt: skip
            at += copied * line
        for q in range(count):
            for x in range(out_w):
                starts[pixels] = begin + q * stride_y * line + x * stride_x * pixel
                targets[pixels] = n * target_images + (y + q) * target_lines + x * target_step
                pixels += 1
        y_line += count
    for p in range(pixels, pixels + SPARE):
        starts[p] = starts[pixels - 1]
        targets[p] = targets[pixels - 1]
    return pixels


@compiled
def _copy_windows(source, starts, length, pixels, buffer, copies):
    """Each window, `length` numbers, apart from the others in `buffer`; where they begin there in `copies`."""
    for p in range(pixels):
        begin, end = starts[p], p * (length + APART)
        for v in range(length):
            buffer[end + v] = source[begin + v]
    for p in range(pixels + SPARE):
        copies[p] = min(p, pixels - 1) * (length + APART)


@compiled
def multiply(
    windows, at, pixels, offsets, length, packed, bias, floor, outputs, first_output, last_output, width, accumulate,
    target, targets, source, next_windows, advance,
):
    """Outputs [first_output, last_output) of `pixels` windows, which begin at windows[at[p]], at target[targets[p]].

    While they are multiplied, source[next_windows], the first of `advance` numbers of the next windows, comes from far;
    none if `advance` is 0.
    """
    runs = len(offsets)
    steps = np.empty(runs, np.int64)
    for t in range(runs):
        steps[t] = t * length * width
    nothing, no_floor = np.zeros(width, bias.dtype), -np.inf
    # runs, and a piece of a run, that are summed before they are added to the output
    group = max(1, SUMMANDS // length)
    piece = -(-length // -(-length // SUMMANDS))
    line, tiles = LINE // packed.itemsize, -(-pixels // ROWS)
    source_share = -(-advance // (line * -(-length // piece) * tiles * -(-(last_output - first_output) // width)))
    for t in range(0, runs, group):
        count, where, begins = min(group, runs - t), offsets[t:], steps[t:]
        for k in range(0, length, piece):
            size, begun = min(piece, length - k), t + k > 0
            ended, add = t + count == runs and k + size == length, accumulate or begun
            least = floor if ended else no_floor
            seen = windows[k:]
            for block in range(first_output, last_output, width):
                columns, out = min(width, outputs - block), target[block:]
                # These weights stay in the first-level cache for all pixels.
                by, added = packed[(block * runs * length + k * width) :], nothing if begun else bias[block:]
                # While they are multiplied, those of the next block come from far, or the first of the next piece.
                ends = block + width >= last_output
                after = (first_output if ends else block + width) * runs * length + (t * length + k) * width
                after += count * size * width if ends else 0
                share = -(-count * size * width // (line * tiles))
                for p in range(0, pixels, ROWS):  # without a slice: threads would wait for each other's counts
                    for _ in range(share):
                        ask_for(packed, after)
                        after += line
                    for _ in range(source_share):
                        ask_for(source, next_windows)
                        next_windows += line
                    if 2 * columns > width:
                        _full(
                            seen, at, p, where, 1, by, begins, width, count, size, out, targets, columns, add, added,
                            least,
                        )  # fmt: skip
                    else:
                        _half(
                            seen, at, p, where, 1, by, begins, width, count, size, out, targets, columns, add, added,
                            least,
                        )  # fmt: skip


@compiled
def _correlate(
    start, stop, part, by_blocks, compact, lines, source, known, at_once, offsets, length, packed, bias, floor, outputs,
    accumulate, buffers, tables, target,
):
    """Output lines [start, stop) of all images; or all `lines`, but only the blocks [start, stop) of outputs."""
    buffer, direct = buffers[part], known[17]
    starts, targets, copies = tables[part, 0], tables[part, 1], tables[part, 2]
    width = known[20]
    advance = at_once * known[6] * known[19] if compact or (direct and len(offsets) == 1) else 0
    first_line, last_line = (0, lines) if by_blocks else (start, stop)
    first_output, last_output = (start * width, min(stop * width, outputs)) if by_blocks else (0, outputs)
    for first in range(first_line, last_line, at_once):
        pixels = gather(first, min(first + at_once, last_line), source, known, buffer, starts, targets)
        windows, at = source if direct and not compact else buffer, starts
        if compact:
            _copy_windows(source, starts, length, pixels, buffer, copies)
            at = copies
        multiply(
            windows, at, pixels, offsets, length, packed, bias, floor, outputs, first_output, last_output, width,
            accumulate, target, targets, source, starts[0] + advance, advance,
        )  # fmt: skip


def describe(rows, columns, source, channels, size, layout, target, width):
    """What the compiled loops need to know, as one array of integers."""
    return np.array(
        [
            *size, channels, source.images, source.lines, source.step,
            rows.stride, columns.stride, rows.offsets[0], columns.offsets[0], rows.span, columns.span,
            rows.count, columns.count, target.images, target.lines * rows.step, target.step * columns.step,
            layout.direct, layout.pixel, layout.line, width,
        ],
        np.int64,
    )  # fmt: skip


def chunk_of(rows, columns, channels, lines, pixels, numbers, by_blocks=False):
    """(lines of output at a time, numbers of the source that they may read), if the threads share out the lines, or
    the blocks of outputs."""
    per_line = rows.stride * columns.count * columns.stride * channels
    own = lines if by_blocks else -(-lines // count_parts(lines))
    # All weights pass for each chunk, however few pixels it has: rather equal ones, somewhat larger than wanted.
    most = STRETCH * max(1, min(pixels // columns.count, numbers // per_line))
    at_once = -(-own // math.ceil(own / most))
    width = (columns.count - 1) * columns.stride + columns.span
    fragments = (at_once - 1) // rows.count + 2  # pieces of an image
    return at_once, (at_once * rows.stride + fragments * rows.span) * width * channels


def split_by_blocks(lines, width, blocks, rows=ROWS):
    """Whether the threads should share out the blocks of outputs and not the lines, (lines, width) pixels in all.

    They should if the busiest thread then has clearly fewer tiles of `rows` pixels: small images make few tiles.
    """
    threads = get_num_threads()
    own_lines = -(-lines // threads)
    by_lines = -(-own_lines * width // rows) * blocks
    by_blocks = -(-lines * width // rows) * -(-blocks // threads)
    return by_blocks < 0.95 * by_lines


class _Plan(NamedTuple):
    """What one call of `_correlate` needs beside its arrays."""

    lines: int
    by_blocks: bool
    compact: bool
    known: np.ndarray
    at_once: int
    offsets: np.ndarray
    length: int
    parts: int
    numbers: int  # of a buffer
    pixels: int  # of a table


@functools.lru_cache(maxsize=1024)
def _plan(x_shape, outputs, rows, columns, source_steps, target_steps, width, threads):
    """The _Plan of a correlation; `threads` only tells calls apart."""
    n, channels, *size = x_shape
    source, target = Pixels(None, *source_steps), Pixels(None, *target_steps)
    layout = layout_of(rows, columns, source, channels, size)
    lines, blocks = n * rows.count, -(-outputs // width)
    by_blocks = split_by_blocks(lines, columns.count, blocks)
    parts = count_parts(blocks if by_blocks else lines)
    offsets = np.array([offset for offset, _, _ in layout.runs])
    distance = columns.stride * layout.pixel * 2 * VECTOR_BYTES // width  # of neighbouring windows, in bytes
    compact = layout.direct and len(offsets) == 1 and layout.length > SUMMANDS and distance % CLASH == 0
    at_once, numbers = chunk_of(rows, columns, channels, lines, PIXELS, CHUNK_NUMBERS, by_blocks)
    known = describe(rows, columns, source, channels, size, layout, target, width)
    pixels = at_once * columns.count
    buffer = pixels * (layout.length + APART) if compact else 0 if layout.direct else numbers
    return _Plan(
        lines, by_blocks, compact, known, at_once, offsets, layout.length, parts, buffer, pixels + SPARE
    )


def correlate(x, packed, bias, outputs, rows, columns, output, accumulate=False, floor=-np.inf):
    """Write the correlation of images with packed weights, plus a padded bias, at least `floor`, into `output`.

    x: logical (N, channels, H, W). packed, bias: from `packing.pack` and `packing.padded_bias`. output: logical (N,
    outputs, ...), channels contiguous; the pixels that the axes name are written, or added to if `accumulate`.
    """
    source, target = pixels_of(x), pixels_of(output)
    plan = _plan(x.shape, outputs, rows, columns, source[1:], target[1:], 2 * lanes(x.dtype), get_num_threads())
    flat = target.flat[rows.first * target.lines + columns.first * target.step :]
    size = -(-outputs // plan.known[20]) if plan.by_blocks else plan.lines
    run(
        _correlate, size, plan.by_blocks, plan.compact, plan.lines, source.flat, plan.known, plan.at_once, plan.offsets,
        plan.length, packed, bias, floor, outputs, accumulate, np.empty((plan.parts, plan.numbers), x.dtype),
        np.empty((plan.parts, 3, plan.pixels), np.int64), flat,
    )  # fmt: skip
