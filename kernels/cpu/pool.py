"""Max and average pooling in one pass over memory, the lines of the output divided among the threads.

Contracts: `reference/pool.py`. Each output is made at once from all that it depends on, the forward pass from the
pixels of its window and the backward pass from the windows that see its pixel: nothing is written twice, and every
number is read from far away once, because neighbours follow soon enough to find it in the cache.
"""

import functools

import numpy as np

from .. import checks
from ..conv_geometry import quiet
from ..reference import pool as reference
from ..workspace import LINE
from .compile import compiled
from .parallel import run_if_large
from .pool_axis import pixels_of_windows, windows_of_pixels
from .pool_window import ask_for_line, gradient_of_maximum, gradient_of_mean, maximum, mean
from .row_steps import empty_rows, rows_in_memory

__all__ = ["avg_pool2d", "avg_pool2d_backward", "max_pool2d", "max_pool2d_backward", "mean_gradients", "means"]

BYTE_TAPS = 256


@compiled
def _seen(n, y, rows, row_step, height):
    """How many lines of all images lie before the end of the windows y of image n.

    The pixels from there to the end of the next windows lie in one piece, and are asked for ahead, a little at each
    window: processors do not foresee windows that move by more than one line.
    """
    return n * height + rows[0, y] + max(rows[1, y] - 1, 0) * row_step + 1


@compiled
def _max_pool(
    start, stop, part, source, step, height, width, rows, row_step, columns, column_step, kernel_width, channels,
    best, taps,
):  # fmt: skip
    """Lines [start, stop) of the outputs of all images. rows, columns: `Walks.table` of the windows."""
    oh, ow, near = rows.shape[1], columns.shape[1], LINE // source.itemsize
    for line in range(start, stop):
        n, y = line // oh, line % oh
        here = _seen(n, y, rows, row_step, height) * width * step
        after = _seen((line + 1) // oh, (line + 1) % oh, rows, row_step, height) * width * step
        for x in range(ow):
            for i in range(here + (after - here) * x // ow, here + (after - here) * (x + 1) // ow, near):
                ask_for_line(source, i)
            pixel = ((n * height + rows[0, y]) * width + columns[0, x]) * step
            tap = rows[2, y] * kernel_width + columns[2, x]
            maximum(
                source, (pixel, row_step * width * step, column_step * step), (tap, kernel_width, 1),
                rows[1, y], columns[1, x], channels, best, taps, (line * ow + x) * channels,
            )  # fmt: skip


@compiled
def _max_pool_backward(
    start, stop, part, grad, grad_step, taps, taps_step, oh, ow, rows, row_step, row_tap, columns, column_step,
    column_tap, channels, out,
):  # fmt: skip
    """Lines [start, stop) of the input gradients of all images. rows, columns: `Walks.table` of the pixels."""
    height, width = rows.shape[1], columns.shape[1]
    down = row_step * ow
    for line in range(start, stop):
        n, y = line // height, line % height
        for x in range(width):
            window = (n * oh + rows[0, y]) * ow + columns[0, x]
            gradient_of_maximum(
                grad, (window * grad_step, down * grad_step, column_step * grad_step),
                taps, (window * taps_step, down * taps_step, column_step * taps_step),
                (rows[2, y] + columns[2, x], row_tap, column_tap),
                rows[1, y], columns[1, x], channels, out, (line * width + x) * channels,
            )  # fmt: skip


@compiled
def _mean(start, stop, part, source, step, height, width, rows, columns, divisors, channels, out):
    """Lines [start, stop) of the outputs of all images. divisors (OH, OW), or (1, 1) if all are equal."""
    oh, ow = rows.shape[1], columns.shape[1]
    for line in range(start, stop):
        n, y = line // oh, line % oh
        for x in range(ow):
            pixel = ((n * height + rows[0, y]) * width + columns[0, x]) * step
            divisor = divisors[y % divisors.shape[0], x % divisors.shape[1]]
            mean(
                source, (pixel, width * step, step), rows[1, y], columns[1, x], channels, divisor,
                out, (line * ow + x) * channels,
            )  # fmt: skip


@compiled
def _mean_backward(
    start, stop, part, grad, grad_step, shares, oh, ow, rows, row_step, columns, column_step, channels, out
):
    """Lines [start, stop) of the input gradients of all images. shares (OH * OW,): 1 / divisor of each window."""
    height, width = rows.shape[1], columns.shape[1]
    down = row_step * ow
    for line in range(start, stop):
        n, y = line // height, line % height
        for x in range(width):
            share = rows[0, y] * ow + columns[0, x]
            place = (n * oh * ow + share) * grad_step
            gradient_of_mean(
                grad, (place, down * grad_step, column_step * grad_step), shares, (share, down, column_step),
                rows[1, y], columns[1, x], channels, out, (line * width + x) * channels,
            )  # fmt: skip


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `reference.max_pool2d`."""
    checks.floating("max_pool2d", x=x)
    rows, columns = reference.pool_axes(
        "max_pool2d", "x", x.shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    shape = reference.pooled_shape(x.shape, rows, columns)
    output, best = empty_rows(shape, x.dtype)
    taps, flat_taps = empty_rows(shape, np.uint8 if rows.kernel * columns.kernel <= BYTE_TAPS else np.int32)
    if output.size:
        (source, step), down, across = rows_in_memory(x), pixels_of_windows(rows), pixels_of_windows(columns)
        run_if_large(
            _max_pool, len(x) * rows.count, max(x.size, output.size), source, step, *x.shape[2:], down.table, down.step,
            across.table, across.step, columns.kernel, x.shape[1], best, flat_taps,
        )  # fmt: skip
    return output, taps


def max_pool2d_backward(grad_output, taps, x_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `reference.max_pool2d_backward`."""
    name = "max_pool2d_backward"
    rows, columns = reference.check_max_backward(
        name, grad_output, taps, x_shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    grad_x, out = empty_rows(x_shape, grad_output.dtype)
    if grad_x.size:
        if taps.dtype not in (np.uint8, np.int32):
            taps = taps.astype(np.int32)
        (grad, grad_step), (taps, taps_step) = rows_in_memory(grad_output), rows_in_memory(taps)
        down, across = windows_of_pixels(rows), windows_of_pixels(columns)
        run_if_large(
            _max_pool_backward, len(grad_x) * rows.size, max(grad_x.size, grad_output.size), grad, grad_step, taps,
            taps_step, rows.count, columns.count, down.table * [[1], [1], [columns.kernel]], down.step,
            down.tap_step * columns.kernel, across.table, across.step, across.tap_step, grad_x.shape[1], out,
        )  # fmt: skip
    return grad_x


def means(x, rows, columns, divisors):
    """Averages of x (N, C, H, W) over the windows of two `Walks`: sums over divisors (OH, OW) or (1, 1)."""
    shape = *x.shape[:2], rows.table.shape[1], columns.table.shape[1]
    output, out = empty_rows(shape, x.dtype)
    if output.size:
        source, step = rows_in_memory(x)
        run_if_large(
            _mean, len(x) * shape[2], max(x.size, output.size), source, step, *x.shape[2:], rows.table, columns.table,
            divisors, x.shape[1], out,
        )  # fmt: skip
    return output


def mean_gradients(grad_output, rows, columns, shares):
    """Gradient of `means`, for two `Walks` of pixels and shares (OH * OW,), the reciprocals of the divisors."""
    (n, channels, oh, ow), height, width = grad_output.shape, rows.table.shape[1], columns.table.shape[1]
    grad_x, out = empty_rows((n, channels, height, width), grad_output.dtype)
    if grad_x.size:
        grad, grad_step = rows_in_memory(grad_output)
        run_if_large(
            _mean_backward, n * height, max(grad_x.size, grad_output.size), grad, grad_step, shares, oh, ow, rows.table,
            rows.step, columns.table, columns.step, channels, out,
        )  # fmt: skip
    return grad_x


@functools.lru_cache(1024)
def _divisors(rows, columns, count_include_pad, divisor_override, dtype):
    """Divisors (OH, OW) or (1, 1), and for all windows (OH * OW,) their reciprocals."""
    exact = reference.average_divisors(np, rows, columns, count_include_pad, divisor_override, np.dtype(np.float64))
    shares = np.broadcast_to(1 / exact[:, :, 0], (rows.count, columns.count)).astype(dtype)
    return exact[:, :, 0].astype(dtype), shares.reshape(-1)


@quiet
def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """See `reference.avg_pool2d`."""
    checks.floating("avg_pool2d", x=x)
    rows, columns = reference.pool_axes("avg_pool2d", "x", x.shape, kernel_size, stride, padding, 1, ceil_mode)
    reference.check_divisor("avg_pool2d", divisor_override)
    divisors, _ = _divisors(rows, columns, bool(count_include_pad), divisor_override, x.dtype)
    return means(x, pixels_of_windows(rows), pixels_of_windows(columns), divisors)


@quiet
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
    """See `reference.avg_pool2d_backward`."""
    name = "avg_pool2d_backward"
    checks.floating(name, grad_output=grad_output)
    rows, columns = reference.pool_axes(name, "x_shape", x_shape, kernel_size, stride, padding, 1, ceil_mode)
    expected = reference.pooled_shape(x_shape, rows, columns)
    checks.shape(name, "grad_output", grad_output, expected, "the output of avg_pool2d")
    reference.check_divisor(name, divisor_override)
    _, shares = _divisors(rows, columns, bool(count_include_pad), divisor_override, grad_output.dtype)
    return mean_gradients(grad_output, windows_of_pixels(rows), windows_of_pixels(columns), shares)
