"""The gradient of a convolution's weights: every output pixel's gradient times the window that it saw, added up.

The sum over pixels is the long one here, so the tiles walk along the pixels. Neighbouring pixels of wide images lie far
apart, often by a power of two, and would displace each other from the first-level cache; so both factors are copied
first into *panels*, some channels of all pixels side by side, as BLAS libraries do (Goto and van de Geijn 2008, section
5).
"""

import numpy as np

from .compile import compiled
from .correlation import SPARE, chunk_of, describe, gather, layout_of
from .parallel import count_parts, run
from .tile import make_tile
from .vectors import FEW_ROWS, ROWS, copy_columns, lanes
from .windows import Pixels, is_matrix, pixels_of

__all__ = ["correlate_weights"]

PIXELS = 256  # output pixels at a time: a panel of each factor stays in the first-level cache
CHUNK_NUMBERS = 1 << 18  # numbers of the source that these may span
PIXEL_BYTES = 96 << 10  # of both factors of a 1x1 kernel's gradient at a time, read where they are

FEW_CHANNELS = 4  # as images have
STEPS_AHEAD = 32  # pixels: some KiB, in the time in which they come from memory
_full_ahead, _half_ahead = (make_tile(ROWS, size, adjacent=True, ahead=STEPS_AHEAD) for size in (2, 1))
_scattered = make_tile(ROWS, 2)
_full, _half, _low = (make_tile(*size, adjacent=True) for size in ((ROWS, 2), (ROWS, 1), (FEW_ROWS, 2)))


@compiled
def _grad_panels(first, last, grad, known, outputs, tall, panels, plane):
    """panels[block, pixel, row]: `tall` channels of the gradient side by side, for the output lines [first, last).

    Rows after the last output repeat it.
    """
    out_h, out_w = known[12], known[13]
    images, lines, step = known[14:17]
    blocks = -(-outputs // tall)
    size = outputs - (blocks - 1) * tall  # channels of the last block
    at = 0
    for line in range(first, last):
        n, y = divmod(line, out_h)
        source = n * images + y * lines
        for _ in range(out_w):
            for block in range(blocks - 1):
                copy_columns(grad, source + block * tall, panels, at + block * plane, tall)
            end, rest = at + (blocks - 1) * plane, source + (blocks - 1) * tall
            copy_columns(grad, rest, panels, end, size)
            for r in range(size, tall):
                panels[end + r] = grad[rest + size - 1]
            source += step
            at += tall


@compiled
def _source_panels(first, last, source, known, width, panels, plane, starts):
    """panels[block, line, column, channel]: `width` channels of all that the output lines [first, last) read.

    Writes where the windows of each line begin in a block to `starts`.
    """
    height, image_width, channels, images, lines, step = known[:6]
    stride_y, stride_x, top, left, span_y, span_x, out_h, out_w = known[6:14]
    wide = (out_w - 1) * stride_x + span_x
    blocks = -(-channels // width)
    size = channels - (blocks - 1) * width  # channels of the last block
    zero = panels.dtype.type(0)
    begin = 0
    line = first
    while line < last:
        n, y = divmod(line, out_h)
        count = min(last - line, out_h - y)
        copied = (count - 1) * stride_y + span_y
        for q in range(count):
            starts[line - first + q] = begin + q * stride_y * wide * width
        at = begin
        for iy in range(y * stride_y + top, y * stride_y + top + copied):
            origin = n * images + iy * lines
            low = min(max(-left, 0), wide) if 0 <= iy < height else wide
            high = max(low, min(image_width - left, wide))
            for block in range(blocks):
                panels[block * plane + at : block * plane + at + low * width] = zero
                panels[block * plane + at + high * width : block * plane + at + wide * width] = zero
            for x in range(low, high):
                pixel = origin + (left + x) * step
                for block in range(blocks - 1):
                    copy_columns(source, pixel + block * width, panels, block * plane + at + x * width, width)
                block = blocks - 1
                copy_columns(source, pixel + block * width, panels, block * plane + at + x * width, size)
            at += wide * width
        begin += copied * wide * width
        line += count


@compiled
def _weights(
    start, stop, part, source, known, at_once, offsets, length, grad, outputs, tall, width, buffers, tables, totals
):
    """totals[part] (outputs, KH * KW * channels) = sum over the output lines [start, stop) of grad times window."""
    channels, stride_x, out_w, vectors = known[2], known[7], known[13], known[20]
    starts, lines, rows, places = tables[part, 0], tables[part, 1], tables[part, 2], tables[part, 3]
    blocks, runs = -(-channels // width), len(offsets)
    source_plane = buffers.shape[1] // blocks
    total = totals[part].reshape(-1)
    row_length = total.size // outputs
    grad_plane = at_once * out_w * tall
    grads, windows = np.empty(-(-outputs // tall) * grad_plane, grad.dtype), buffers[part]
    rows[0] = 0
    for q in range(at_once):
        lines[q] = q * out_w * tall
    for o in range(outputs + ROWS):
        places[o] = min(o, outputs - 1) * row_length
    whole = known[10] == known[11] == known[6] == stride_x == 1  # 1x1: the windows of all lines follow each other
    for first in range(start, stop, at_once):
        last = min(first + at_once, stop)
        count, steps = last - first, out_w
        if whole:
            count, steps = 1, (last - first) * out_w
        _grad_panels(first, last, grad, known, outputs, tall, grads, grad_plane)
        _source_panels(first, last, source, known, width, windows, source_plane, starts)
        more = first > start
        for block in range(blocks):
            size = min(length, channels - block * width) if length <= width else length
            for o in range(0, outputs, tall):
                panel = grads[o // tall * grad_plane :]
                for t in range(runs):
                    for column in range(0, size, vectors):
                        columns = min(vectors, size - column)
                        window = windows[block * source_plane + offsets[t] + column :]
                        run_length = channels if length <= width else length
                        out = total[t * run_length + block * width + column :]
                        step, to = stride_x * width, places[o:]
                        if tall == FEW_ROWS:
                            _low(
                                panel, rows, 0, lines, tall, window, starts, step, count, steps, out, to, columns, more
                            )
                        elif 2 * columns <= vectors:
                            _half(
                                panel, rows, 0, lines, tall, window, starts, step, count, steps, out, to, columns, more
                            )
                        else:
                            _full(
                                panel, rows, 0, lines, tall, window, starts, step, count, steps, out, to, columns, more
                            )


@compiled
def _pixel_weights(
    start, stop, part, source, step, grad, grad_step, channels, outputs, at_once, vectors, tables, totals
):
    """The same for 1x1 kernels and few channels: some pixels of both factors fit the first-level cache where they are.

    The tiles of the last outputs begin early enough to end with them; what they repeat goes to a dummy output.
    """
    total = totals[part].reshape(-1)
    zero, places = tables[part, 0], tables[part, 1]
    zero[0] = 0
    for first in range(start, stop, at_once):
        count = min(at_once, stop - first)
        for o in range(0, outputs, ROWS):
            begin = min(o, outputs - ROWS)
            for r in range(ROWS):
                places[r] = (begin + r if begin + r >= o else outputs) * channels
            factor = grad[first * grad_step + begin :]
            for column in range(0, channels, vectors):
                columns = min(vectors, channels - column)
                window, out = source[first * step + column :], total[column:]
                if 2 * columns <= vectors:
                    _half_ahead(
                        factor, zero, 0, zero, grad_step, window, zero, step, 1, count, out, places, columns,
                        first > start,
                    )  # fmt: skip
                else:
                    _full_ahead(
                        factor, zero, 0, zero, grad_step, window, zero, step, 1, count, out, places, columns,
                        first > start,
                    )  # fmt: skip


@compiled
def _few_channels(start, stop, part, source, known, at_once, offsets, grad, outputs, vectors, buffers, tables, totals):
    """totals[part] (numbers, outputs) over the output lines [start, stop): a row for each number of a window.

    Of few channels, vectors of the window would be short. So they are of the gradient's channels, and the numbers of
    the window, `offsets` after its begin, are the rows of the tiles. Rows after the last repeat it.
    """
    direct, out_w, stride, step = known[17], known[13], known[7] * known[18], known[16]
    starts, targets, lines, grad_lines = tables[part, 0], tables[part, 1], tables[part, 2], tables[part, 3]
    buffer, total = buffers[part], totals[part].reshape(-1)
    numbers = len(offsets)
    rows, places = np.empty(numbers + ROWS, np.int64), np.empty(numbers + ROWS, np.int64)
    for k in range(numbers + ROWS):
        rows[k] = offsets[min(k, numbers - 1)]
        places[k] = min(k, numbers - 1) * outputs
    for first in range(start, stop, at_once):
        count = min(at_once, stop - first)
        gather(first, first + count, source, known, buffer, starts, targets)
        for q in range(count):
            lines[q], grad_lines[q] = starts[q * out_w], targets[q * out_w]
        windows = source if direct else buffer
        for o in range(0, outputs, vectors):
            columns, factor, out = min(vectors, outputs - o), grad[o:], total[o:]
            for k in range(0, numbers, ROWS):
                _scattered(
                    windows, rows, k, lines, stride, factor, grad_lines, step, count, out_w, out, places, columns,
                    first > start,
                )  # fmt: skip


def _correlate_few_channels(x, grad, source, target, rows, columns, out):
    """`correlate_weights` by `_few_channels`."""
    (n, channels, *size), outputs, vectors = x.shape, grad.shape[1], 2 * lanes(x.dtype)
    layout = layout_of(rows, columns, source, channels, size, merge=False)
    offsets = np.array([offset + c for offset, _, _ in layout.runs for c in range(channels)])
    lines = n * rows.count
    at_once, numbers = chunk_of(rows, columns, channels, lines, PIXELS, CHUNK_NUMBERS)
    parts = count_parts(lines)
    totals = np.empty((parts, len(offsets), outputs), x.dtype)
    run(
        _few_channels, lines, source.flat, describe(rows, columns, source, channels, size, layout, target, vectors),
        at_once, offsets, target.flat, outputs, vectors, np.empty((parts, 0 if layout.direct else numbers), x.dtype),
        np.empty((parts, 4, at_once * columns.count + SPARE), np.int64), totals,
    )  # fmt: skip
    total = totals.sum(axis=0).reshape(-1, channels, outputs)  # (KH * KW, channels, outputs)
    out[...] = total.transpose(2, 1, 0).reshape(out.shape)


@compiled
def _sum_parts(start, stop, part, totals, channels, taps, out):
    """out (outputs, channels, taps) = the sum of totals (parts, outputs, taps, channels) for outputs [start, stop)."""
    for o in range(start, stop):
        total = totals[0, o]
        for p in range(1, len(totals)):
            for i in range(len(total)):
                total[i] += totals[p, o, i]
        if taps == 1:
            out[o, :, 0] = total
        else:
            for c in range(channels):
                for t in range(taps):
                    out[o, c, t] = total[t * channels + c]


def _same_pixels(rows, columns, x, source, grad, target):
    """Whether the pixels of x and of grad correspond one to one, each lying some constant step after the one before."""
    fitting = x.shape[2:] == grad.shape[2:] and rows.offsets == columns.offsets == (0,)
    return fitting and is_matrix(source, x.shape) and is_matrix(target, grad.shape)


def correlate_weights(x, grad, rows, columns, out):
    """Write the gradient of a convolution's weights into `out` (outputs, channels, KH, KW), C-contiguous.

    x: logical (N, channels, H, W). grad: logical (N, outputs, OH, OW).
    """
    n, channels, *size = x.shape
    outputs = grad.shape[1]
    source, target = pixels_of(x), pixels_of(grad)
    vectors = 2 * lanes(x.dtype)
    taps = len(rows.taps) * len(columns.taps)
    small = PIXEL_BYTES // (x.itemsize * (channels + outputs))
    if taps == 1 and small >= 4 * ROWS and outputs >= ROWS and _same_pixels(rows, columns, x, source, grad, target):
        parts = count_parts(x.size // channels)
        totals = np.empty((parts, outputs + 1, channels), x.dtype)
        run(
            _pixel_weights, x.size // channels, source.flat, source.step, target.flat, target.step, channels, outputs,
            small, vectors, np.empty((parts, 2, ROWS), np.int64), totals,
        )  # fmt: skip
        run(_sum_parts, outputs, totals, channels, 1, out.reshape(outputs, channels, 1))
        return
    if channels <= FEW_CHANNELS < outputs:
        _correlate_few_channels(x, grad, source, target, rows, columns, out)
        return
    # Some channels: the columns of a window, which are neighbours, fill the vectors. Many: each tap has vectors of its
    # own.
    merged = columns.adjacent() and 4 * channels <= 3 * vectors
    width = channels if merged else min(channels, vectors)
    layout = layout_of(rows, columns, Pixels(None, 0, 0, width), width, (0, 0), merged)
    lines = n * rows.count
    at_once, numbers = chunk_of(rows, columns, channels, lines, PIXELS, CHUNK_NUMBERS)
    parts = count_parts(lines)
    blocks = -(-channels // width)
    tall = min((FEW_ROWS, ROWS), key=lambda height: (-(-outputs // height) * height, -height))
    buffers = np.empty((parts, numbers // channels * width * blocks), x.dtype)
    tables = np.empty((parts, 4, max(at_once * columns.count, outputs) + ROWS), np.int64)
    known = describe(rows, columns, source, channels, size, layout, target, vectors)
    offsets = np.array([offset for offset, _, _ in layout.runs])
    totals = np.empty((parts, outputs, taps * channels), x.dtype)
    run(
        _weights, lines, source.flat, known, at_once, offsets, layout.length, target.flat, outputs, tall, width,
        buffers, tables, totals,
    )  # fmt: skip
    run(_sum_parts, outputs, totals, channels, taps, out.reshape(outputs, channels, taps))
