"""Batch normalization in few passes over memory. Formulas and contracts: `reference/batch_norm.py`.

Statistics: rows are read in blocks small enough to stay in the first-level cache. Within a block the sums are in
the dtype of x; blocks are merged in float64 by the pairwise formula of Chan, Golub and LeVeque (1983).
"""

import numpy as np

from ..reference import batch_norm as reference
from ..threads import run_parts
from .compile import compiled
from .rows import as_rows, from_rows

__all__ = ["batch_norm_eval", "batch_norm_train", "batch_norm_train_backward"]

BLOCK_ROWS = 64


@compiled
def _block_moments(x, mean, square):
    """Mean and sum of squared deviations of each column, float64, written to `mean` and `square`."""
    rows, channels = x.shape
    center = np.empty(channels, x.dtype)
    deviation = np.empty(channels, x.dtype)
    squared = np.empty(channels, x.dtype)
    mean[:] = 0
    square[:] = 0
    for start in range(0, rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, rows)
        size = stop - start
        inverse = x.dtype.type(1) / x.dtype.type(size)
        center[:] = 0
        deviation[:] = 0
        squared[:] = 0
        for r in range(start, stop):
            for c in range(channels):
                center[c] += x[r, c]
        for c in range(channels):
            center[c] *= inverse
        for r in range(start, stop):
            for c in range(channels):
                d = x[r, c] - center[c]
                deviation[c] += d
                squared[c] += d * d
        for c in range(channels):
            residual = np.float64(deviation[c]) / size
            block_mean = np.float64(center[c]) + residual
            shift = block_mean - mean[c]
            mean[c] += shift * size / stop
            square[c] += np.float64(squared[c]) - residual * residual * size + shift * shift * start / stop * size


@compiled
def _normalize(x, center, scale, shift, out):
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = (x[r, c] - center[c]) * scale[c] + shift[c]


@compiled
def _backward_sums(g, x, center, sums):
    """Add to sums (3, C), float64: sum of g, of g * (x - center), of (x - center)."""
    rows, channels = x.shape
    block = np.empty((3, channels), x.dtype)
    for start in range(0, rows, BLOCK_ROWS):
        block[:] = 0
        for r in range(start, min(start + BLOCK_ROWS, rows)):
            for c in range(channels):
                d = x[r, c] - center[c]
                block[0, c] += g[r, c]
                block[1, c] += g[r, c] * d
                block[2, c] += d
        for i in range(3):
            for c in range(channels):
                sums[i, c] += block[i, c]


@compiled
def _backward_input(g, x, center, slope, offset, scale, out):
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = (g[r, c] - (x[r, c] - center[c]) * slope[c] + offset[c]) * scale[c]


def _merged_moments(rows):
    """Mean and biased variance of each column in float64, merged over the threads' parts in order."""
    count, channels = rows.shape

    def part(start, stop):
        mean, square = np.empty(channels), np.empty(channels)
        _block_moments(rows[start:stop], mean, square)
        return stop - start, mean, square

    done, mean, square = 0, np.zeros(channels), np.zeros(channels)
    for size, part_mean, part_square in run_parts(part, count):
        total = done + size
        shift = part_mean - mean
        mean += shift * size / total
        square += part_square + shift**2 * done * size / total
        done = total
    lost = np.isnan(mean)  # merging infinities makes NaN of means that are infinite
    if lost.any():
        mean[lost] = rows[:, lost].mean(axis=0, dtype=np.float64)
    return mean, square / count


@reference.quiet
def batch_norm_train(x, weight, bias, eps=1e-5):
    """See `reference.batch_norm_train`."""
    reference.check_arguments("batch_norm_train", x, {"weight": weight, "bias": bias})
    eps = reference.check_training_eps("batch_norm_train", eps)
    if x.size <= x.shape[1]:  # nothing to normalise, or an error
        return reference.batch_norm_train(x, weight, bias, eps)
    rows = as_rows(x)
    mean, var = _merged_moments(rows)
    center = mean.astype(x.dtype)
    scale = 1 / np.sqrt(var + eps)
    if weight is not None:
        scale *= weight
    shift = (center - mean) * scale
    if bias is not None:
        shift += bias
    out = np.empty_like(rows)
    scale, shift = scale.astype(x.dtype), shift.astype(x.dtype)
    run_parts(lambda i, j: _normalize(rows[i:j], center, scale, shift, out[i:j]), len(rows))
    return from_rows(out, x.shape), center, var.astype(x.dtype)


@reference.quiet
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_eval`."""
    statistics = {"running_mean": running_mean, "running_var": running_var}
    reference.check_arguments("batch_norm_eval", x, {"weight": weight, "bias": bias}, **statistics)
    eps = reference.check_eval_eps("batch_norm_eval", eps)
    rows = as_rows(x)
    scale = 1 / np.sqrt(running_var.astype(np.float64) + eps)
    if weight is not None:
        scale *= weight
    scale = scale.astype(x.dtype)
    center = np.ascontiguousarray(running_mean)
    shift = np.zeros(x.shape[1], x.dtype) if bias is None else np.ascontiguousarray(bias)
    out = np.empty_like(rows)
    run_parts(lambda i, j: _normalize(rows[i:j], center, scale, shift, out[i:j]), len(rows))
    return from_rows(out, x.shape)


@reference.quiet
def batch_norm_train_backward(grad_output, x, weight, mean, var, eps=1e-5):
    """See `reference.batch_norm_train_backward`, equation (4)."""
    name = "batch_norm_train_backward"
    reference.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, mean=mean, var=var)
    eps = reference.check_training_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)
    g, rows = as_rows(grad_output), as_rows(x)
    count, channels = rows.shape
    center = np.ascontiguousarray(mean)

    def part(start, stop):
        sums = np.zeros((3, channels))
        _backward_sums(g[start:stop], rows[start:stop], center, sums)
        return sums

    sum_g, sum_gd, sum_d = sum(run_parts(part, count))
    residual = sum_d / count
    sum_gd -= residual * sum_g
    inverse_std = 1 / np.sqrt(var.astype(np.float64) + eps)
    scale = inverse_std if weight is None else inverse_std * weight
    slope = inverse_std**2 * sum_gd / count
    offset = residual * slope - sum_g / count
    out = np.empty_like(rows)
    slope, offset, scale = (v.astype(x.dtype) for v in (slope, offset, scale))
    run_parts(
        lambda i, j: _backward_input(g[i:j], rows[i:j], center, slope, offset, scale, out[i:j]), count
    )
    return from_rows(out, x.shape), (inverse_std * sum_gd).astype(x.dtype), sum_g.astype(x.dtype)
