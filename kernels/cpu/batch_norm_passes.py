"""The passes of batch normalization over memory, compiled. Who calls them and why: `batch_norm.py`.

The matrix of rows (pixels) and C columns (channels) lies in memory of one dimension: row r begins at r * step. Passes
are divided into `pieces` of the rows, which `run` hands to the threads.

Long rows: `fold` rows that follow each other are read as one row of fold * C columns, with the numbers of each channel
repeated. Columns of one channel are brought together at the end only. So the inner loops have hundreds of steps where
an image has 24 channels. Rows that lie apart are brought together first, a block at a time, in a buffer that stays in
the second-level cache.

ReLU: with `relu`, outputs y <= 0 become 0 and block the gradient. Without it the threshold is NaN, and no y is <= NaN.
"""

import numpy as np

from .compile import compiled

__all__ = ["gradient_sums", "input_gradient", "merge", "moments", "normalize", "scaled_gradient"]

BLOCK_ROWS = 64  # rows summed in the dtype of x, before their sums are added up in float64
FIRST_ROWS = 16  # of the first block, from which its center is estimated
LONG_ROW = 1024  # columns of a long row: its sums and coefficients stay in the first-level cache


@compiled
def _count_fold(rows, channels):
    """How many rows make a long row: a power of two that divides them."""
    fold = 1
    while rows % (2 * fold) == 0 and 2 * fold * channels <= LONG_ROW:
        fold *= 2
    return fold


@compiled
def _buffer(x, step, channels, fold):
    """Memory for a block of long rows of x, none if its rows follow each other."""
    return np.empty(0 if step == channels else BLOCK_ROWS * fold * channels, x.dtype)


@compiled
def _block(x, step, channels, first, last, buffer):
    """The rows from `first` to `last` without gaps: as they lie in x, or copied to the buffer."""
    if step == channels:
        return x[first * channels : last * channels]
    for r in range(first, last):
        row, target = x[r * step : r * step + channels], buffer[(r - first) * channels : (r - first + 1) * channels]
        for c in range(channels):
            target[c] = row[c]
    return buffer[: (last - first) * channels]


@compiled
def _spread(block, channels, first, last, out, step):
    """Write the rows from `first` to `last`, which follow each other in `block`, to where they lie in `out`."""
    for r in range(first, last):
        row, target = block[(r - first) * channels : (r - first + 1) * channels], out[r * step : r * step + channels]
        for c in range(channels):
            target[c] = row[c]


@compiled
def _repeat(vector, fold):
    """(C,) as (fold * C,)."""
    repeated = np.empty(fold * len(vector), vector.dtype)
    for i in range(fold):
        for c in range(len(vector)):
            repeated[i * len(vector) + c] = vector[c]
    return repeated


@compiled
def merge(mean, square, count, other_mean, other_square, size):
    """Join `size` more rows to the mean and the sum of squared deviations of `count` rows, in place.

    Chan, Golub and LeVeque (1983), equation (2.1).
    """
    if size == 0:
        return
    share = size / (count + size)
    for c in range(len(mean)):
        shift = other_mean[c] - mean[c]
        mean[c] += shift * share
        square[c] += other_square[c] + shift * shift * (count * share)


@compiled
def _column_moments(x, step, channels, fold, first, last, mean, square):
    """Mean and sum of squared deviations of each column over the long rows from `first` to `last`; both start at 0.

    Each block's deviations d are from the mean m of the rows before it, as far as the dtype can hold that: then
    mean = m + mean(d), and the sum of squared deviations is sum(d^2) - mean(d)^2 * size. What rounding takes from
    sum(d^2) is small beside the result, because m is no further from the block's mean than the blocks' means are from
    each other: together, sum(d^2) over all blocks is at most three times the final sum of squares.
    """
    width = fold * channels
    center, deviation, squared = np.zeros(width, x.dtype), np.empty(width, x.dtype), np.empty(width, x.dtype)
    block_mean, block_square = np.empty(width), np.empty(width)
    buffer = _buffer(x, step, channels, fold)
    for start in range(first, last, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, last)
        size = stop - start
        block = _block(x, step, channels, start * fold, stop * fold, buffer)
        if start == first:  # no rows before it: the first few stand for them
            sample = min(size, FIRST_ROWS)
            for r in range(sample):
                row = block[r * width : (r + 1) * width]
                for c in range(width):
                    center[c] += row[c]
            for c in range(width):
                center[c] /= x.dtype.type(sample)
        deviation[:] = 0
        squared[:] = 0
        for r in range(0, size - size % 4, 4):  # four rows at a time: the sums are read and written once for them
            row0, row1 = block[r * width : (r + 1) * width], block[(r + 1) * width : (r + 2) * width]
            row2, row3 = block[(r + 2) * width : (r + 3) * width], block[(r + 3) * width : (r + 4) * width]
            for c in range(width):
                d0, d1, d2, d3 = row0[c] - center[c], row1[c] - center[c], row2[c] - center[c], row3[c] - center[c]
                deviation[c] += (d0 + d1) + (d2 + d3)
                squared[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        for r in range(size - size % 4, size):
            row = block[r * width : (r + 1) * width]
            for c in range(width):
                d = row[c] - center[c]
                deviation[c] += d
                squared[c] += d * d
        for c in range(width):
            residual = np.float64(deviation[c]) / size
            block_mean[c] = center[c] + residual
            block_square[c] = squared[c] - residual * residual * size
        merge(mean, square, start - first, block_mean, block_square, size)
        for c in range(width):
            center[c] = mean[c]


@compiled
def moments(begin, end, part, pieces, x, step, rows, channels, counts, means, squares):
    """Rows (pieces,), mean and sum of squared deviations (pieces, C) of each piece, in float64."""
    fold = _count_fold(rows, channels)
    long_rows = rows // fold
    for piece in range(begin, end):
        first, last = long_rows * piece // pieces, long_rows * (piece + 1) // pieces
        mean, square = np.zeros(fold * channels), np.zeros(fold * channels)
        _column_moments(x, step, channels, fold, first, last, mean, square)
        counts[piece] = fold * (last - first)
        means[piece], squares[piece] = 0, 0
        for i in range(fold):
            columns = slice(i * channels, (i + 1) * channels)
            merge(means[piece], squares[piece], i * (last - first), mean[columns], square[columns], last - first)


@compiled
def normalize(begin, end, part, pieces, x, step, rows, channels, center, scale, shift, relu, out, out_step):
    """out = (x - center) * scale + shift, with `relu` at least 0. NaN stays NaN."""
    floor = x.dtype.type(0) if relu else x.dtype.type(np.nan)
    fold = _count_fold(rows, channels)
    width, long_rows = fold * channels, rows // fold
    center, scale, shift = _repeat(center, fold), _repeat(scale, fold), _repeat(shift, fold)
    buffer, made = _buffer(x, step, channels, fold), np.empty(width, out.dtype)
    for piece in range(begin, end):
        last = long_rows * (piece + 1) // pieces
        first = long_rows * piece // pieces
        for blocks in range(-(-(last - first) // BLOCK_ROWS), 0, -1):
            start = first + (blocks - 1) * BLOCK_ROWS
            stop = min(start + BLOCK_ROWS, last)
            block = _block(x, step, channels, start * fold, stop * fold, buffer)
            for r in range(stop - start):
                row, target = block[r * width : (r + 1) * width], made
                if out_step == channels:
                    target = out[(start + r) * width : (start + r + 1) * width]
                for c in range(width):
                    y = (row[c] - center[c]) * scale[c] + shift[c]
                    target[c] = floor if y <= floor else y
                if out_step != channels:
                    _spread(made, channels, (start + r) * fold, (start + r + 1) * fold, out, out_step)


@compiled
def _block_sums(g, x, width, center, scale, shift, floor, sums):
    """sums (3, width), in the dtype of x: of g, g * (x - center) and x - center over the long rows of a block.

    g counts as 0 where the output y, which is computed as `normalize` computes it, was cut off.
    """
    sums[:] = 0
    sum_g, sum_gd, sum_d = sums[0], sums[1], sums[2]
    zero = x.dtype.type(0)
    size = len(x) // width
    for r in range(0, size - size % 4, 4):  # four rows at a time: the sums are read and written once for them
        row0, row1 = x[r * width : (r + 1) * width], x[(r + 1) * width : (r + 2) * width]
        row2, row3 = x[(r + 2) * width : (r + 3) * width], x[(r + 3) * width : (r + 4) * width]
        grad0, grad1 = g[r * width : (r + 1) * width], g[(r + 1) * width : (r + 2) * width]
        grad2, grad3 = g[(r + 2) * width : (r + 3) * width], g[(r + 3) * width : (r + 4) * width]
        for c in range(width):
            d0, d1, d2, d3 = row0[c] - center[c], row1[c] - center[c], row2[c] - center[c], row3[c] - center[c]
            g0, g1, g2, g3 = grad0[c], grad1[c], grad2[c], grad3[c]  # read in any case: no branch depends on the data
            g0 = zero if d0 * scale[c] + shift[c] <= floor else g0
            g1 = zero if d1 * scale[c] + shift[c] <= floor else g1
            g2 = zero if d2 * scale[c] + shift[c] <= floor else g2
            g3 = zero if d3 * scale[c] + shift[c] <= floor else g3
            sum_g[c] += (g0 + g1) + (g2 + g3)
            sum_gd[c] += (g0 * d0 + g1 * d1) + (g2 * d2 + g3 * d3)
            sum_d[c] += (d0 + d1) + (d2 + d3)
    for r in range(size - size % 4, size):
        row, grad = x[r * width : (r + 1) * width], g[r * width : (r + 1) * width]
        for c in range(width):
            d, g0 = row[c] - center[c], grad[c]
            g0 = zero if d * scale[c] + shift[c] <= floor else g0
            sum_g[c] += g0
            sum_gd[c] += g0 * d
            sum_d[c] += d


@compiled
def _sum_columns(total, fold, sums):
    """sums (3, C) of total (3, fold * C): the columns of each channel are added up."""
    channels = sums.shape[1]
    sums[:] = 0
    for k in range(3):
        for i in range(fold):
            for c in range(channels):
                sums[k, c] += total[k, i * channels + c]


@compiled
def gradient_sums(begin, end, part, pieces, g, g_step, x, step, rows, channels, center, scale, shift, relu, sums):
    """sums (pieces, 3, C), float64: of g, g * (x - center) and x - center; with `relu`, g counts as 0 where y is."""
    floor = x.dtype.type(0) if relu else x.dtype.type(np.nan)
    fold = _count_fold(rows, channels)
    width, long_rows = fold * channels, rows // fold
    center, scale, shift = _repeat(center, fold), _repeat(scale, fold), _repeat(shift, fold)
    buffer, g_buffer = _buffer(x, step, channels, fold), _buffer(g, g_step, channels, fold)
    block_sums, total = np.empty((3, width), x.dtype), np.empty((3, width))
    for piece in range(begin, end):
        last = long_rows * (piece + 1) // pieces
        total[:] = 0
        for start in range(long_rows * piece // pieces, last, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, last)
            block = _block(x, step, channels, start * fold, stop * fold, buffer)
            g_block = _block(g, g_step, channels, start * fold, stop * fold, g_buffer)
            _block_sums(g_block, block, width, center, scale, shift, floor, block_sums)
            total += block_sums
        _sum_columns(total, fold, sums[piece])


@compiled
def input_gradient(
    begin, end, part, pieces, g, g_step, x, step, rows, channels,
    center, scale, shift, relu, slope, offset, factor, out,
):  # fmt: skip
    """out = (g - (x - center) * slope + offset) * factor; with `relu`, g counts as 0 where the output is 0."""
    zero = x.dtype.type(0)
    floor = zero if relu else x.dtype.type(np.nan)
    fold = _count_fold(rows, channels)
    width, long_rows = fold * channels, rows // fold
    center, scale, shift = _repeat(center, fold), _repeat(scale, fold), _repeat(shift, fold)
    slope, offset, factor = _repeat(slope, fold), _repeat(offset, fold), _repeat(factor, fold)
    buffer, g_buffer = _buffer(x, step, channels, fold), _buffer(g, g_step, channels, fold)
    for piece in range(begin, end):
        last = long_rows * (piece + 1) // pieces
        first = long_rows * piece // pieces
        for blocks in range(-(-(last - first) // BLOCK_ROWS), 0, -1):
            start = first + (blocks - 1) * BLOCK_ROWS
            stop = min(start + BLOCK_ROWS, last)
            block = _block(x, step, channels, start * fold, stop * fold, buffer)
            g_block = _block(g, g_step, channels, start * fold, stop * fold, g_buffer)
            for r in range(stop - start):
                row, grad = block[r * width : (r + 1) * width], g_block[r * width : (r + 1) * width]
                target = out[(start + r) * width : (start + r + 1) * width]
                for c in range(width):
                    d, g0 = row[c] - center[c], grad[c]
                    g0 = zero if d * scale[c] + shift[c] <= floor else g0
                    target[c] = (g0 - d * slope[c] + offset[c]) * factor[c]


@compiled
def scaled_gradient(
    begin, end, part, pieces, g, g_step, x, step, rows, channels, center, scale, shift, relu, sums, out
):
    """`gradient_sums`, and in the same pass out = g * scale; with `relu`, 0 where the output is 0."""
    zero = x.dtype.type(0)
    floor = zero if relu else x.dtype.type(np.nan)
    fold = _count_fold(rows, channels)
    width, long_rows = fold * channels, rows // fold
    center, scale, shift = _repeat(center, fold), _repeat(scale, fold), _repeat(shift, fold)
    buffer, g_buffer = _buffer(x, step, channels, fold), _buffer(g, g_step, channels, fold)
    block_sums, total = np.empty((3, width), x.dtype), np.empty((3, width))
    for piece in range(begin, end):
        last = long_rows * (piece + 1) // pieces
        total[:] = 0
        for start in range(long_rows * piece // pieces, last, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, last)
            block = _block(x, step, channels, start * fold, stop * fold, buffer)
            g_block = _block(g, g_step, channels, start * fold, stop * fold, g_buffer)
            _block_sums(g_block, block, width, center, scale, shift, floor, block_sums)
            total += block_sums
            for r in range(stop - start):  # which are in the cache now
                row, grad = block[r * width : (r + 1) * width], g_block[r * width : (r + 1) * width]
                target = out[(start + r) * width : (start + r + 1) * width]
                for c in range(width):
                    g0 = grad[c]
                    g0 = zero if (row[c] - center[c]) * scale[c] + shift[c] <= floor else g0
                    target[c] = g0 * scale[c]
        _sum_columns(total, fold, sums[piece])
