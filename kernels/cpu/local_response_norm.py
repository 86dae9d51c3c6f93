"""Local response normalization in one pass over memory. Contracts: `reference/local_response_norm.py`.

The channels of one pixel stay in the first-level cache for all that is done with them. The sum over a window of
channels is made by adding up shifted rows, for all channels at once, between two margins of zeros: sums of a few
squares, added directly, are as exact as the reference's, which differences of running sums would not be.
"""

import numpy as np

from .. import checks
from ..reference.local_response_norm import check_backward, check_parameters
from .compile import compiled
from .parallel import run_if_large
from .row_steps import empty_rows, rows_in_memory

__all__ = ["local_response_norm", "local_response_norm_backward"]


@compiled
def _negative_power(scale, beta, out):
    """out = scale^-beta. For the usual 3/4 from roots, which the processor takes of whole vectors: s^-1/2 s^-1/4."""
    if beta == 0.75:
        one = scale.dtype.type(1)
        for c in range(len(out)):
            root = one / np.sqrt(scale[c])
            out[c] = root * np.sqrt(root)
    else:
        for c in range(len(out)):
            out[c] = scale[c] ** -beta


@compiled
def _sum_windows(padded, size, out):
    """out[c] = padded[c] + ... + padded[c + size - 1]."""
    for c in range(len(out)):
        out[c] = padded[c]
    for shift in range(1, size):
        shifted = padded[shift:]
        for c in range(len(out)):
            out[c] += shifted[c]


@compiled
def _normalize(start, stop, part, x, step, before, after, factor, beta, k, output, scale, channels):
    """Pixels [start, stop); pixel r of x is the row of channels that begins at r * step. factor: alpha / size."""
    padded, power = np.zeros(before + channels + after, x.dtype), np.empty(channels, x.dtype)
    squares = padded[before : before + channels]
    for r in range(start, stop):
        row = x[r * step : r * step + channels]
        scale_row = scale[r * channels : (r + 1) * channels]
        output_row = output[r * channels : (r + 1) * channels]
        for c in range(len(squares)):
            squares[c] = row[c] * row[c]
        _sum_windows(padded, before + 1 + after, scale_row)
        for c in range(len(scale_row)):
            scale_row[c] = k + factor * scale_row[c]
        _negative_power(scale_row, beta, power)
        for c in range(len(output_row)):
            output_row[c] = row[c] * power[c]


@compiled
def _gradient(
    start, stop, part, grad, grad_step, x, step, scale, scale_step, before, after, factor, beta, out, channels
):
    """Pixels [start, stop) of the input gradient. factor: 2 alpha beta / size."""
    padded, power = np.zeros(before + channels + after, x.dtype), np.empty(channels, x.dtype)
    terms, sums = padded[before : before + channels], np.empty(channels, x.dtype)
    for r in range(start, stop):
        row, grad_row = x[r * step : r * step + channels], grad[r * grad_step : r * grad_step + channels]
        scale_row = scale[r * scale_step : r * scale_step + channels]
        out_row = out[r * channels : (r + 1) * channels]
        _negative_power(scale_row, beta, power)
        for c in range(len(terms)):
            terms[c] = grad_row[c] * row[c] * power[c] / scale_row[c]
        _sum_windows(padded, before + 1 + after, sums)
        for c in range(len(out_row)):
            out_row[c] = grad_row[c] * power[c] - factor * row[c] * sums[c]


def _reach(size, channels):
    """How many channels the window reaches to the front and to the back, no further than there are channels."""
    return min(size // 2, channels - 1), min((size - 1) // 2, channels - 1)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """See `reference.local_response_norm`."""
    name = "local_response_norm"
    checks.floating(name, x=x)
    checks.rank(name, "x", x, 4, "(N, C, H, W)")
    size, alpha, beta, k = check_parameters(name, size, alpha, beta, k)
    (output, output_rows), (scale, scale_rows) = empty_rows(x.shape, x.dtype), empty_rows(x.shape, x.dtype)
    if x.size:
        rows, step = rows_in_memory(x)
        channels, number = x.shape[1], x.dtype.type
        run_if_large(
            _normalize, x.size // channels, x.size, rows, step, *_reach(size, channels), number(alpha / size),
            number(beta), number(k), output_rows, scale_rows, channels,
        )  # fmt: skip
    return output, scale


def local_response_norm_backward(grad_output, x, scale, size, alpha=1e-4, beta=0.75, k=1.0):
    """See `reference.local_response_norm_backward`."""
    size, alpha, beta, k = check_backward(
        "local_response_norm_backward", grad_output, x, scale, size, alpha, beta, k
    )
    grad_x, out = empty_rows(x.shape, x.dtype)
    if x.size:
        channels, number = x.shape[1], x.dtype.type
        before, after = _reach(size, channels)  # mirrored: channel i is seen by windows that reach back to it
        run_if_large(
            _gradient, x.size // channels, x.size, *rows_in_memory(grad_output), *rows_in_memory(x),
            *rows_in_memory(scale), after, before, number(2 * alpha * beta / size), number(beta), out, channels,
        )  # fmt: skip
    return grad_x
