"""Batch normalization: the closed forms used in training, and how they are derived.

Source: S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", ICML 2015 (arXiv:1502.03167): Algorithm 1 for the forward pass, the equations after it in
section 3 for the gradients, and section 3.2 for images, where a channel is normalised over the batch *and*
all positions.

Forward
-------
For one channel with the M = N*H*W values x_1 ... x_M, scale gamma (`weight`) and shift beta (`bias`):

    mean = 1/M  sum_i x_i
    var  = 1/M  sum_i (x_i - mean)^2                     the biased variance
    s    = 1 / sqrt(var + eps)                           `inverse_std`
    n_i  = (x_i - mean) * s                              the normalised value, called x-hat in the paper
    y_i  = gamma * n_i + beta

Backward
--------
Write g_i for dL/dy_i. The parameters meet every y_i directly:

    dL/dbeta  = sum_i g_i                                (1)
    dL/dgamma = sum_i g_i n_i                            (2)

x_j reaches the loss along three paths: through n_j itself, through `mean` and through `var`. The paper writes
the three terms out, and `batch_norm_steps.py` walks along them one at a time. They collapse: with

    dmean/dx_j = 1/M,     dvar/dx_j = 2/M (x_j - mean),     ds/dvar = -s^3 / 2

(the path from `mean` into `var` is absent in the second, because sum_i (x_i - mean) = 0), and writing [i = j]
for 1 where i = j and 0 elsewhere,

    dn_i/dx_j = s ([i = j] - 1/M) + (x_i - mean) (-s^3/2) (2/M) (x_j - mean)
              = s ([i = j] - 1/M - n_i n_j / M)          (3)

Multiplying by dL/dn_i = gamma g_i and summing over i gives the closed form,

    dL/dx_j = gamma s (g_j  -  1/M sum_i g_i  -  n_j 1/M sum_i g_i n_i)
            = gamma s (g_j - mean(g) - n_j mean(g n))    (4)

It has a picture: over the M values of a channel, the incoming gradient loses its component along the constant
vector (shifting x changes nothing) and its component along n (scaling x changes nothing, but for eps); what
is left is scaled by gamma s. So a constant g gives a zero gradient: `y.sum()` as a loss cannot test this
function.

In evaluation, `mean` and `var` are the running statistics, which are constants, and (4) is just gamma s g_j.

Accuracy
--------
The variance is never E[x^2] - mean^2, which cancels to noise where the mean is much larger than the standard
deviation, but the corrected two-pass formula (Chan, Golub and LeVeque, "Algorithms for Computing the Sample
Variance: Analysis and Recommendations", The American Statistician 37, 1983):

    d_i = x_i - m,     mean = m + mean(d),     var = mean(d^2) - mean(d)^2,

where m is the mean as far as the dtype can hold it, so that the last term is small. mean(d) repairs the
rounding of m: for float32 data such as 10000 +- 0.01 that rounding is a visible part of a standard deviation.
Sums have two stages: at most `MAX_BLOCK_ROWS` rows at a time are summed in the dtype of x, and these block
sums in float64, so that the error does not grow with N*H*W.

Layout
------
x of shape (N, C), (N, C, L), (N, C, H, W) or with more axes is worked on as a matrix of shape (rows, C) with
rows = N*H*W: a view if x is channels-last in memory, else one copy. The matrix is read in blocks of rows that
stay in the cache from one array operation to the next. New arrays are channels-last.
"""

import math

import numpy as np

from .. import checks
from ..arrays import array_module

__all__ = [
    "batch_norm_eval",
    "batch_norm_eval_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "batch_norm_update_running",
]

BLOCK_ELEMENTS = 32768  # 128 KiB of float32: a block and a temporary fit into the second-level cache
MAX_BLOCK_ROWS = 1024  # rows summed in the dtype itself: bounds the rounding error of narrow matrices

# As in PyTorch, infinities and NaN flow through without a warning.
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@quiet
def batch_norm_train(x, weight, bias, eps=1e-5):
    """Normalise each channel by its own batch statistics: Algorithm 1.

    x: (N, C, ...); weight, bias: (C,) or None for 1 and 0. All float32 or all float64.
    Returns (output, mean, var): output shaped as x; mean and var (C,), var the *biased* variance, which
    normalised x. An empty batch gives an empty output and zero statistics.

    ValueError: one value per channel, whose variance says nothing; eps <= 0; wrong shapes. TypeError: dtypes.
    """
    name = "batch_norm_train"
    check_arguments(name, x, {"weight": weight, "bias": bias})
    eps = check_training_eps(name, eps)
    check_count(name, x)
    mean, var, scale, shift = training_coefficients(x, weight, bias, eps)
    return normalize(x, mean, scale, shift), mean, var


@quiet
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """Normalise by given statistics: weight * (x - running_mean) / sqrt(running_var + eps) + bias.

    x: (N, C, ...); running_mean, running_var: (C,); weight, bias: (C,) or None. All float32 or all float64.
    Returns the output, shaped as x. ValueError: wrong shapes, eps < 0. TypeError: dtypes.
    """
    name = "batch_norm_eval"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    check_arguments(name, x, {"weight": weight, "bias": bias}, **statistics)
    eps = check_eval_eps(name, eps)
    return normalize(x, *evaluation_coefficients(running_mean, running_var, weight, bias, eps))


@quiet
def batch_norm_train_backward(grad_output, x, weight, mean, var, eps=1e-5):
    """Gradients of `batch_norm_train`: equations (1), (2) and (4) of this file.

    grad_output, x: (N, C, ...); weight: (C,) or None; mean, var: (C,), as `batch_norm_train` returned them.
    Returns (grad_x, grad_weight, grad_bias); the last two (C,), computed also where weight is None.
    ValueError: wrong shapes, eps <= 0. TypeError: dtypes.
    """
    name = "batch_norm_train_backward"
    check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, mean=mean, var=var)
    eps = check_training_eps(name, eps)
    gradients, matrix = _as_rows(grad_output), _as_rows(x)  # (rows, C) each
    rows = max(matrix.shape[0], 1)

    sum_g, sum_gd, sum_d = _backward_sums(gradients, matrix, mean)
    residual = sum_d / rows  # `mean` was rounded: sum_i (x_i - mean) is not quite 0
    sum_gd -= residual * sum_g  # sum_i g_i (x_i - mean), for the exact mean
    inverse_std = _inverse_std(var, eps)

    # (4) in terms of d_i = x_i - mean = n_i / s:   gamma s (g_i - slope (d_i - residual) - mean(g))
    scale = inverse_std * (1 if weight is None else weight)
    slope = inverse_std**2 * sum_gd / rows
    offset = residual * slope - sum_g / rows
    scale, minus_slope, offset = (v.astype(x.dtype) for v in (scale, -slope, offset))
    xp = array_module(x)
    grad_x = xp.empty(matrix.shape, x.dtype)
    for g, block, out in _row_blocks(gradients, matrix, grad_x):
        xp.subtract(block, mean, out=out)
        out *= minus_slope
        out += g
        out += offset
        out *= scale
    return _as_images(grad_x, x.shape), (inverse_std * sum_gd).astype(x.dtype), sum_g.astype(x.dtype)


@quiet
def batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps=1e-5):
    """Gradients of `batch_norm_eval`, where the statistics are constants: grad_x is a scaled grad_output.

    grad_output, x: (N, C, ...); weight: (C,) or None; running_mean, running_var: (C,).
    Returns (grad_x, grad_weight, grad_bias); the last two (C,), computed also where weight is None.
    ValueError: wrong shapes, eps < 0. TypeError: dtypes.
    """
    name = "batch_norm_eval_backward"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, **statistics)
    eps = check_eval_eps(name, eps)
    gradients, matrix = _as_rows(grad_output), _as_rows(x)
    sum_g, sum_gd, _ = _backward_sums(gradients, matrix, running_mean)
    inverse_std = _inverse_std(running_var, eps)
    scale = inverse_std * (1 if weight is None else weight)
    xp = array_module(x)
    grad_x = xp.multiply(gradients, scale.astype(x.dtype), out=xp.empty(matrix.shape, x.dtype))
    return _as_images(grad_x, x.shape), (inverse_std * sum_gd).astype(x.dtype), sum_g.astype(x.dtype)


@quiet
def batch_norm_update_running(running_mean, running_var, mean, var, count, momentum):
    """Move the running statistics towards those of a batch, in place: the paper's Algorithm 2, line 10.

    The paper averages over batches; this is PyTorch's moving average, (1 - momentum) * running + momentum * new.
    All arrays (C,). `var` is the biased variance of `batch_norm_train`; what enters running_var is the *unbiased*
    var * count / (count - 1), `count` being the number of values per channel. Count 0, an empty batch, changes
    nothing.
    ValueError: count is 1 or negative, wrong shapes, read-only running statistics. TypeError: dtypes.
    """
    name = "batch_norm_update_running"
    count, momentum = check_running(name, running_mean, running_var, mean, var, count, momentum)
    if count == 0:
        return
    xp = array_module(running_mean)
    unbiased = var.astype(xp.float64) * (count / (count - 1))
    running_mean[...] = (1 - momentum) * running_mean.astype(xp.float64) + momentum * mean.astype(xp.float64)
    running_var[...] = (1 - momentum) * running_var.astype(xp.float64) + momentum * unbiased


def check_running(name, running_mean, running_var, mean, var, count, momentum):
    """Check the arguments of `batch_norm_update_running`; return count and momentum as plain numbers."""
    checks.floating(name, running_mean=running_mean, running_var=running_var, mean=mean, var=var)
    checks.rank(name, "running_mean", running_mean, 1, "(C,)")
    for argument, array in (("running_var", running_var), ("mean", mean), ("var", var)):
        checks.shape(name, argument, array, running_mean.shape, "that of running_mean")
    count = checks.integer(name, "count", count)
    if count < 0 or count == 1:
        raise ValueError(f"{name}: count must be 0 or at least 2 (unbiased variance), got {count}")
    momentum = checks.real(name, "momentum", momentum)
    checks.writeable(name, "running_mean", running_mean)
    checks.writeable(name, "running_var", running_var)
    return count, momentum


def check_count(name, x):
    """Require that the channels of x have no values at all or more than one."""
    if x.shape[0] * math.prod(x.shape[2:]) == 1:
        raise ValueError(f"{name}: Expected more than 1 value per channel when training, got shape {x.shape}")


def check_training_eps(name, eps):
    """Return eps as a float; a batch may have variance zero, so it must be positive."""
    eps = checks.real(name, "eps", eps)
    if not eps > 0:
        raise ValueError(f"{name}: eps must be positive during training, got {eps}")
    return eps


def check_eval_eps(name, eps):
    """Return eps as a float; the running variance is seldom zero, so eps may be."""
    eps = checks.real(name, "eps", eps)
    if not eps >= 0:
        raise ValueError(f"{name}: eps must be non-negative, got {eps}")
    return eps


def check_arguments(name, x, optional, shaped_as_x=None, **per_channel):
    """Require one floating dtype, x of shape (N, C, ...), the arrays of the dict `shaped_as_x` shaped so too.

    The others must be (C,); those in the dict `optional` may be None.
    """
    shaped_as_x = {} if shaped_as_x is None else shaped_as_x
    checks.floating(name, optional, x=x, **shaped_as_x, **per_channel)
    if x.ndim < 2:
        raise ValueError(f"{name}: x must have at least 2 dimensions (N, C, ...), got shape {x.shape}")
    for argument, array in shaped_as_x.items():
        checks.shape(name, argument, array, x.shape, "that of x")
    for argument, array in (optional | per_channel).items():
        if array is not None:
            checks.shape(name, argument, array, (x.shape[1],), "one value per channel of x")


def training_coefficients(x, weight, bias, eps):
    """(mean, var, scale, shift) of the batch, (C,) each, such that the output is (x - mean) * scale + shift.

    They have the dtype of x; `shift` makes up for the rounding of the mean to it.
    """
    mean, excess, var = _moments(_as_rows(x))
    scale = _inverse_std(var, eps) * (1 if weight is None else weight)
    shift = excess * scale + (0 if bias is None else bias)
    return mean, var.astype(x.dtype), scale.astype(x.dtype), shift.astype(x.dtype)


def evaluation_coefficients(running_mean, running_var, weight, bias, eps):
    """(mean, scale, shift) such that the output is (x - mean) * scale + shift; in the dtype of the statistics."""
    scale = _inverse_std(running_var, eps) * (1 if weight is None else weight)
    shift = array_module(running_mean).zeros_like(running_mean) if bias is None else bias
    return running_mean, scale.astype(running_mean.dtype), shift


def _moments(matrix):
    """(mean, excess, var) of each column: the mean in the dtype of the matrix, what that is more than the exact mean,
    and the biased variance, both float64; zeros where there are no rows."""
    xp = array_module(matrix)
    rows, c = max(matrix.shape[0], 1), matrix.shape[1]
    total = xp.zeros(c, xp.float64)
    for (block,) in _row_blocks(matrix):
        total += _column_sums(block)
    center = (total / rows).astype(matrix.dtype)  # the mean, nearly

    total_deviation, total_square = xp.zeros(c, xp.float64), xp.zeros(c, xp.float64)
    for (block,) in _row_blocks(matrix):
        deviation = block - center
        total_deviation += _column_sums(deviation)
        deviation *= deviation
        total_square += _column_sums(deviation)
    residual = total_deviation / rows  # what `center` lacks of the mean
    mean = xp.where(xp.isfinite(center), center + residual, center).astype(matrix.dtype)  # infinity has no residual
    excess = mean.astype(xp.float64) - center - residual
    return mean, excess, xp.maximum(total_square / rows - residual**2, 0)


def _as_rows(x):
    """(N, C, ...) as a matrix (rows, C), one row per position. A view if x is channels-last in memory."""
    n, c, *positions = x.shape
    return array_module(x).moveaxis(x, 1, -1).reshape(n * math.prod(positions), c)


def _as_images(matrix, shape):
    """View the matrix (rows, C) as the logical (N, C, ...) that it was made from, channels-last in memory."""
    n, c, *positions = shape
    return array_module(matrix).moveaxis(matrix.reshape(n, *positions, c), -1, 1)


def normalize(x, mean, scale, shift):
    """(x - mean) * scale + shift for each channel of (N, C, ...), in the dtype of x."""
    matrix = _as_rows(x)
    output = array_module(x).empty(matrix.shape, x.dtype)
    for block, out in _row_blocks(matrix, output):
        array_module(x).subtract(block, mean, out=out)
        out *= scale
        out += shift
    return _as_images(output, x.shape)


def _row_blocks(*matrices):
    """Yield the same block of rows of every matrix, as a tuple of views, from the first row to the last."""
    rows, c = matrices[0].shape
    step = min(max(BLOCK_ELEMENTS // max(c, 1), 1), MAX_BLOCK_ROWS)
    for start in range(0, rows, step):
        yield tuple(matrix[start : start + step] for matrix in matrices)


def _column_sums(block):
    """Sum over the rows of a block, as a vector-matrix product: much faster than `sum(axis=0)`."""
    return array_module(block).ones(block.shape[0], block.dtype) @ block


def _inverse_std(var, eps):
    """1 / sqrt(var + eps) in float64."""
    xp = array_module(var)
    return 1 / xp.sqrt(var.astype(xp.float64) + eps)


def _backward_sums(gradients, matrix, center):
    """Per channel, in float64: sum of g, sum of g * (x - center), sum of (x - center)."""
    xp = array_module(matrix)
    sum_g, sum_gd, sum_d = (xp.zeros(matrix.shape[1], xp.float64) for _ in range(3))
    for g, block in _row_blocks(gradients, matrix):
        deviation = block - center
        sum_g += _column_sums(g)
        sum_d += _column_sums(deviation)
        deviation *= g
        sum_gd += _column_sums(deviation)
    return sum_g, sum_gd, sum_d
