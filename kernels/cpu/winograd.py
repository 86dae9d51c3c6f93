"""3x3 convolution with fewer multiplications: Winograd's minimal filtering.

For a square of m x m outputs, a 3x3 convolution multiplies 9 m^2 times for each pair of channels. Lavin and Gray,
"Fast Algorithms for Convolutional Neural Networks" (2016), section 4, do with (m + 2)^2: with the constant matrices A,
B and G,

    Y = A' [ (G w G') * (B' d B) ] A

where d is the (m + 2) x (m + 2) square of inputs that the outputs Y see, w the kernel and * the elementwise product,
which is added up over the input channels. So there are (m + 2)^2 independent matrix products, for each position of the
transformed square one: (squares, channels) @ (channels, outputs). For m = 2 they have 4/9 of the multiplications, for
m = 4 1/4. The transformations cost additions, and rounding: their rows add and subtract whole neighbourhoods, so an
output's error is relative to the largest numbers of its square, not to its own window's. It is about twice the direct
algorithm's for m = 2, and 13 times for m = 4 (`settings.set_winograd` gives the figures).

The gradient of the input is a convolution with the flipped kernels. The gradient of the kernels follows from the chain
rule, with the matrices transposed:

    dw = G' [ sum over squares of (A dY A') * (B' d B) ] G
"""

import functools
from typing import NamedTuple

import numba
import numpy as np

from ..threads import get_num_threads
from ..workspace import LINE
from .axis import Axis
from .compile import compiled
from .correlation import SPARE, SUMMANDS, chunk_of, describe, gather, layout_of, split_by_blocks
from .parallel import count_parts, run
from .tile import make_tile
from .transform import make_transform
from .vectors import ROWS, ask_for, lanes
from .windows import Pixels, pixels_of

__all__ = ["correlate_squares", "correlate_weights_squares", "transform_kernels"]

# Lavin and Gray, equations (7) for m = 2 and section 4.3 for m = 4.
B_TRANSPOSED = {
    2: [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    4: [
        [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
    ],
}  # fmt: skip
G = {
    2: [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    4: [
        [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
    ],
}  # fmt: skip
A_TRANSPOSED = {
    2: [[1, 1, 1, 0], [0, 1, -1, -1]],
    4: [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
}
SQUARES = 48  # at a time; their transforms stay in the second-level cache
WEIGHT_SQUARES = 128
PANEL = 48  # outputs side by side in a panel: a multiple of the lanes of a vector, and of the rows of a tile

_full = make_tile(ROWS, 2)
_panel = make_tile(ROWS, 2, adjacent=True)


def _both(name, matrices):
    """transform(m, ...), compiled: `make_transform` of the matrix for m = 2 or for m = 4.

    name: its own. The linker tells functions apart by their names and by a number that counts up anew in each process,
    so of two alike, out of the caches of two processes, one would run in place of the other.
    """
    two, four = (make_transform(matrices[m]) for m in (2, 4))

    def transform(m, source, at, row, column, target, base, places, columns, accumulate=False):
        if m == 2:
            two(source, at, row, column, target, base, places, columns, accumulate)
        else:
            four(source, at, row, column, target, base, places, columns, accumulate)

    transform.__qualname__ = transform.__name__ = name
    return numba.extending.register_jitable(transform)


def _transposed(matrices):
    return {m: [list(column) for column in zip(*matrix, strict=True)] for m, matrix in matrices.items()}


_to_input, _to_kernel = _both("_to_input", B_TRANSPOSED), _both("_to_kernel", G)
_two_outputs, _four_outputs = (make_transform(A_TRANSPOSED[m], ending=True) for m in (2, 4))
_to_gradient = _both("_to_gradient", _transposed(A_TRANSPOSED))
_from_kernel = _both("_from_kernel", _transposed(G))


@compiled
def _transform_kernels(start, stop, part, m, packed, channels, blocks, vector, transformed):
    """transformed[position, block, channel, output] from packed[block, tap, channel, output]."""
    size = m + 2
    width = 2 * vector
    plane = blocks * channels * width
    places = np.arange(size * size) * plane
    for block in range(start, stop):
        for at in range(0, channels * width, vector):
            _to_kernel(
                m, packed, block * 9 * channels * width + at, 3 * channels * width, channels * width,
                transformed, block * channels * width + at, places, vector,
            )  # fmt: skip


@numba.extending.register_jitable
def _to_output(m, source, at, row, column, target, base, places, columns, accumulate, bias, first, floor):
    """As the others, with the ending of `make_transform`."""
    if m == 2:
        _two_outputs(source, at, row, column, target, base, places, columns, accumulate, bias, first, floor)
    else:
        _four_outputs(source, at, row, column, target, base, places, columns, accumulate, bias, first, floor)


@compiled
def _correlate(
    start, stop, part, m, by_blocks, lines, source, known, at_once, limits, kernels, bias, floor, outputs, accumulate,
    buffers, tables, squares, products, target,
):
    """Lines [start, stop) of squares of all images; or all `lines`, but only the blocks [start, stop) of outputs."""
    size = m + 2
    buffer, direct, channels, wide, width = buffers[part], known[17], known[2], known[13], known[20]
    pixel, line, vector = known[18], known[19], known[20] // 2
    target_line, target_pixel = known[15] // m, known[16] // m
    starts, targets, rows, places = tables[part, 0], tables[part, 1], tables[part, 2], tables[part, 3]
    transformed, product = squares[part], products[part]
    positions = size * size
    piece = -(-channels // -(-channels // SUMMANDS))
    zero = np.zeros(1, np.int64)
    near, blocks = LINE // kernels.itemsize, -(-outputs // width)
    first_line, last_line = (0, lines) if by_blocks else (start, stop)
    first_output, last_output = (start * width, min(stop * width, outputs)) if by_blocks else (0, outputs)
    for first in range(first_line, last_line, at_once):
        last = min(first + at_once, last_line)
        count = gather(first, last, source, known, buffer, starts, targets)
        windows = source if direct else buffer
        plane = count * channels
        share = -(-channels * width // (near * -(-count // ROWS)))
        for k in range(positions):
            places[k] = k * plane
        for t in range(count):
            for c in range(0, channels, vector):
                _to_input(
                    m, windows, starts[t] + c, line, pixel, transformed, t * channels + c, places,
                    min(vector, channels - c),
                )  # fmt: skip
        for t in range(count + SPARE):
            rows[t] = min(t, count - 1) * channels
            starts[t] = min(t, count - 1) * width
        for block in range(first_output, last_output, width):
            columns = min(width, outputs - block)
            for k in range(positions):
                kernel = kernels[(k * blocks * width + block) * channels :]
                values, result = transformed[k * plane :], product[k * count * width :]
                # The weights of the next position, or of the next block of outputs, come from far meanwhile.
                nearer = k + 1 < positions
                after = (((k + 1) * blocks * width + block) if nearer else block + width) * channels
                for t in range(0, count, ROWS):
                    for _ in range(share):
                        ask_for(kernels, after)
                        after += near
                    if k < m * m:  # and so does the memory of one output of each square
                        place = block + k // m * target_line + k % m * target_pixel
                        for r in range(t, min(t + ROWS, count)):
                            for c in range(0, columns, near):
                                ask_for(target, targets[r] + place + c)
                    for c in range(0, channels, piece):
                        seen, by, depth = values[c:], kernel[c * width :], min(piece, channels - c)
                        _full(seen, rows, t, zero, 1, by, zero, width, 1, depth, result, starts, width, c > 0)
            for t in range(count):
                y, x = (first + t // wide) % known[12] * m, t % wide * m
                for i in range(m):
                    for j in range(m):
                        inside = y + i < limits[0] and x + j < limits[1]
                        places[i * m + j] = i * target_line + j * target_pixel if inside else -1
                for c in range(0, columns, vector):
                    _to_output(
                        m, product, t * width + c, size * count * width, count * width, target,
                        targets[t] + block + c, places, min(vector, columns - c), accumulate, bias, block + c, floor,
                    )  # fmt: skip


@compiled
def _weights(
    start, stop, part, m, source, known, grad, known_grad, at_once, outputs, buffers, grad_buffers, tables, squares,
    grad_squares, totals,
):
    """totals[part] (positions, outputs + 1, channels) = the sum over squares; the last output is a dummy."""
    size = m + 2
    buffer, direct, channels, width = buffers[part], known[17], known[2], known[20]
    grad_buffer, grad_direct, vector = grad_buffers[part], known_grad[17], known[20] // 2
    starts, targets, places, rows = tables[part, 0], tables[part, 1], tables[part, 2], tables[part, 3]
    values, gradients, total = squares[part], grad_squares[part], totals[part].reshape(-1)
    positions = size * size
    blocks, panels = -(-channels // width), -(-outputs // PANEL)
    zero = np.zeros(1, np.int64)
    for o in range(outputs + ROWS):
        rows[o] = min(o, outputs) * channels
    for first in range(start, stop, at_once):
        last = min(first + at_once, stop)
        count = gather(first, last, source, known, buffer, starts, targets)
        windows = source if direct else buffer
        for k in range(positions):
            places[k] = k * blocks * count * width
        for t in range(count):
            for c in range(0, channels, vector):
                _to_input(
                    m, windows, starts[t] + c, known[19], known[18], values,
                    (c // width * count + t) * width + c % width, places, min(vector, channels - c),
                )  # fmt: skip
        gather(first, last, grad, known_grad, grad_buffer, starts, targets)
        windows = grad if grad_direct else grad_buffer
        for k in range(positions):
            places[k] = k * panels * count * PANEL
        for t in range(count):
            for o in range(0, outputs, vector):
                _to_gradient(
                    m, windows, starts[t] + o, known_grad[19], known_grad[18], gradients,
                    (o // PANEL * count + t) * PANEL + o % PANEL, places, min(vector, outputs - o),
                )  # fmt: skip
        for k in range(positions):
            for block in range(blocks):
                columns = min(width, channels - block * width)
                value = values[(k * blocks + block) * count * width :]
                result = total[k * (outputs + 1) * channels + block * width :]
                for o in range(0, outputs, ROWS):
                    gradient = gradients[(k * panels + o // PANEL) * count * PANEL + o % PANEL :]
                    _panel(
                        gradient, zero, 0, zero, PANEL, value, zero, width, 1, count, result, rows[o:], columns,
                        first > start,
                    )  # fmt: skip


@compiled
def _transform_back(start, stop, part, m, totals, channels, vector, places, out):
    """out (outputs, channels, 9) for outputs [start, stop), from the sum of `totals` over their parts."""
    size = m + 2
    parts, positions = totals.shape[:2]
    summed = np.empty((positions, channels), totals.dtype)
    taps = np.empty(9 * channels, totals.dtype)
    for o in range(start, stop):
        for k in range(positions):
            for c in range(channels):
                summed[k, c] = totals[0, k, o, c]
            for p in range(1, parts):
                for c in range(channels):
                    summed[k, c] += totals[p, k, o, c]
        for c in range(0, channels, vector):
            _from_kernel(
                m, summed, c, size * channels, channels, taps, c, places, min(vector, channels - c)
            )
        for c in range(channels):
            for k in range(9):
                out[o, c, k] = taps[k * channels + c]


def _squares(axis, m):
    """The axis whose windows are the (m + 2)-wide squares that m outputs at a time see."""
    first = axis.offsets[0]
    return Axis(tuple(range(m + 2)), tuple(range(first, first + m + 2)), -(-axis.count // m), m)


def transform_kernels(m, packed, channels, outputs):
    """Kernels (outputs, channels, 3, 3), packed by `correlation.pack`, as `correlate_squares` multiplies with them."""
    vector = lanes(packed.dtype)
    blocks = -(-outputs // (2 * vector))
    transformed = np.empty((m + 2) ** 2 * blocks * channels * 2 * vector, packed.dtype)
    run(_transform_kernels, blocks, m, packed, channels, blocks, vector, transformed)
    return transformed


class _Plan(NamedTuple):
    """What one call of `_correlate` needs beside its arrays."""

    lines: int
    by_blocks: bool
    known: np.ndarray
    at_once: int
    limits: np.ndarray
    parts: int
    numbers: int  # of a buffer
    squares: int  # at a time


@functools.lru_cache(maxsize=1024)
def _plan(m, x_shape, outputs, rows, columns, source_steps, target_steps, width, threads):
    """The _Plan of a correlation; `threads` only tells calls apart."""
    n, channels, *size = x_shape
    source, target = Pixels(None, *source_steps), Pixels(None, *target_steps)
    axes = [_squares(axis, m) for axis in (rows, columns)]
    layout = layout_of(*axes, source, channels, size)
    lines, blocks = n * axes[0].count, -(-outputs // width)
    by_blocks = split_by_blocks(lines, axes[1].count, blocks)
    at_once, numbers = chunk_of(*axes, channels, lines, SQUARES, 1 << 17, by_blocks)
    known = describe(*axes, source, channels, size, layout, target, width)
    known[15:17] *= m  # from a square to the next
    parts, limits = count_parts(blocks if by_blocks else lines), np.array([rows.count, columns.count])
    buffer = 0 if layout.direct else numbers
    return _Plan(lines, by_blocks, known, at_once, limits, parts, buffer, at_once * axes[1].count)


def correlate_squares(m, x, kernels, bias, outputs, rows, columns, output, accumulate=False, floor=-np.inf):
    """As `correlation.correlate`, for 3 adjacent taps and stride 1 along both axes. kernels: transformed."""
    channels, width = x.shape[1], 2 * lanes(x.dtype)
    source, target = pixels_of(x), pixels_of(output)
    plan = _plan(m, x.shape, outputs, rows, columns, source[1:], target[1:], width, get_num_threads())
    positions, parts, count = (m + 2) ** 2, plan.parts, plan.squares
    run(
        _correlate, -(-outputs // width) if plan.by_blocks else plan.lines, m, plan.by_blocks, plan.lines, source.flat,
        plan.known, plan.at_once, plan.limits, kernels, bias, floor, outputs, accumulate,
        np.empty((parts, plan.numbers), x.dtype), np.empty((parts, 4, max(count + SPARE, positions)), np.int64),
        np.empty((parts, positions * count * channels), x.dtype), np.empty((parts, positions * count * width), x.dtype),
        target.flat,
    )  # fmt: skip


def correlate_weights_squares(m, x, grad, rows, columns, out):
    """As `weight_gradient.correlate_weights`, for 3 adjacent taps and stride 1 along both axes."""
    n, channels, *size = x.shape
    outputs = grad.shape[1]
    source, target = pixels_of(x), pixels_of(grad)
    vector = lanes(x.dtype)
    width = 2 * vector
    positions = (m + 2) ** 2
    axes = [_squares(axis, m) for axis in (rows, columns)]
    grad_axes = [Axis(tuple(range(m)), tuple(range(m)), axis.count, m) for axis in axes]
    layout = layout_of(*axes, source, channels, size)
    grad_layout = layout_of(*grad_axes, target, outputs, grad.shape[2:])
    lines = n * axes[0].count
    at_once, numbers = chunk_of(*axes, channels, lines, WEIGHT_SQUARES, 1 << 20)
    grad_numbers = at_once * m * axes[1].count * m * outputs
    parts = count_parts(lines)
    count = at_once * axes[1].count
    known = describe(*axes, source, channels, size, layout, target, width)
    known_grad = describe(*grad_axes, target, outputs, grad.shape[2:], grad_layout, target, width)
    totals = np.empty((parts, positions, outputs + 1, channels), x.dtype)
    run(
        _weights, lines, m, source.flat, known, target.flat, known_grad, at_once, outputs,
        np.empty((parts, 0 if layout.direct else numbers), x.dtype),
        np.empty((parts, 0 if grad_layout.direct else grad_numbers), x.dtype),
        np.empty((parts, 4, max(count, outputs, positions) + SPARE), np.int64),
        np.empty((parts, positions * count * -(-channels // width) * width), x.dtype),
        np.empty((parts, positions * count * -(-outputs // PANEL) * PANEL), x.dtype), totals,
    )  # fmt: skip
    places = np.arange(9) * channels
    run(_transform_back, outputs, m, totals, channels, vector, places, out.reshape(outputs, channels, 9))
