"""Batch normalization in few passes over memory. Formulas and contracts: `reference/batch_norm.py`.

Training reads x twice (statistics, output), its backward pass x and the gradient twice each (sums, input gradient).
`batch_norm_relu.py` has the same passes with ReLU.
"""

import numpy as np

from ..reference import batch_norm as reference
from ..threads import get_num_threads
from . import batch_norm_channels as channels_of
from . import batch_norm_passes as passes
from .parallel import run
from .row_steps import empty_rows, new_rows, rows_in_memory
from .rows import as_rows

__all__ = [
    "batch_norm_eval",
    "batch_norm_eval_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "batch_norm_update_running",
]

GRAIN = 1 << 18  # values that one thread has done before another has woken up


def count_pieces(size):
    """Into how many pieces a pass over `size` values is divided: at most one for each thread."""
    return max(1, min(get_num_threads(), size // GRAIN))


def vector(array, channels, dtype, absent):
    """A per-channel argument as contiguous writeable memory, so that code is compiled for no other; or its default."""
    return np.full(channels, absent, dtype) if array is None else np.array(array, order="C")


def train(x, weight, bias, eps, relu):
    """(output, mean, var, scale, shift): see `reference.batch_norm_relu_train`; without ReLU unless `relu`."""
    channels, dtype, pieces = x.shape[1], x.dtype, count_pieces(x.size)
    memory, step = rows_in_memory(x)
    matrix = memory, step, x.size // channels, channels
    counts, means, squares = np.empty(pieces, np.int64), np.empty((pieces, channels)), np.empty((pieces, channels))
    run(passes.moments, pieces, pieces, *matrix, counts, means, squares)

    weight, bias = vector(weight, channels, dtype, 1), vector(bias, channels, dtype, 0)
    mean, var, scale, shift = (np.empty(channels, dtype) for _ in range(4))
    if channels_of.training_coefficients(counts, means, squares, weight, bias, eps, mean, var, scale, shift):
        lost = np.isnan(mean)  # merging infinities makes NaN of means that are infinite
        with np.errstate(over="ignore", invalid="ignore"):
            mean[lost] = as_rows(x)[:, lost].mean(axis=0, dtype=np.float64)

    output, *out = new_rows(x.shape, dtype)
    run(passes.normalize, pieces, pieces, *matrix, mean, scale, shift, relu, *out)
    return output, mean, var, scale, shift


def train_backward(grad_output, x, weight, mean, var, eps, scale=None, shift=None):
    """(grad_x, grad_weight, grad_bias) of `train`, with ReLU if scale and shift are given."""
    channels, dtype, pieces = x.shape[1], x.dtype, count_pieces(x.size)
    (g, g_step), (memory, step) = rows_in_memory(grad_output), rows_in_memory(x)
    matrices = g, g_step, memory, step, x.size // channels, channels
    relu = scale is not None
    mean, var = vector(mean, channels, dtype, 0), vector(var, channels, dtype, 1)
    forward = mean, vector(scale, channels, dtype, 1), vector(shift, channels, dtype, 0), relu
    sums = np.empty((pieces, 3, channels))
    run(passes.gradient_sums, pieces, pieces, *matrices, *forward, sums)

    weight = vector(weight, channels, dtype, 1)
    slope, offset, factor, grad_weight, grad_bias = (np.empty(channels, dtype) for _ in range(5))
    channels_of.gradient_coefficients(
        sums, x.size // channels, weight, var, eps, slope, offset, factor, grad_weight, grad_bias
    )
    grad_x, out = empty_rows(x.shape, dtype)
    run(passes.input_gradient, pieces, pieces, *matrices, *forward, slope, offset, factor, out)
    return grad_x, grad_weight, grad_bias


def evaluate(x, running_mean, running_var, weight, bias, eps, relu):
    """The output of `reference.batch_norm_relu_eval`; without ReLU unless `relu`."""
    channels, pieces = x.shape[1], count_pieces(x.size)
    memory, step = rows_in_memory(x)
    forward = evaluation_coefficients(x.dtype, running_mean, running_var, weight, bias, eps)
    output, *out = new_rows(x.shape, x.dtype)
    run(passes.normalize, pieces, pieces, memory, step, x.size // channels, channels, *forward, relu, *out)
    return output


def evaluation_coefficients(dtype, running_mean, running_var, weight, bias, eps):
    """(center, scale, shift), the numbers of y = (x - center) * scale + shift."""
    channels = len(running_mean)
    center, var = vector(running_mean, channels, dtype, 0), vector(running_var, channels, dtype, 1)
    scale = np.empty(channels, dtype)
    channels_of.evaluation_coefficients(var, vector(weight, channels, dtype, 1), eps, scale)
    return center, scale, vector(bias, channels, dtype, 0)


def evaluate_backward(grad_output, x, weight, bias, running_mean, running_var, eps, relu):
    """(grad_x, grad_weight, grad_bias) of `evaluate`, in one pass over memory."""
    channels, pieces = x.shape[1], count_pieces(x.size)
    (g, g_step), (memory, step) = rows_in_memory(grad_output), rows_in_memory(x)
    forward = evaluation_coefficients(x.dtype, running_mean, running_var, weight, bias, eps)
    sums = np.empty((pieces, 3, channels))
    grad_x, out = empty_rows(x.shape, x.dtype)
    matrices = g, g_step, memory, step, x.size // channels, channels
    run(passes.scaled_gradient, pieces, pieces, *matrices, *forward, relu, sums, out)
    sum_g, sum_gd, _ = sums.sum(axis=0)
    inverse_std = 1 / np.sqrt(running_var.astype(np.float64) + eps)
    return grad_x, (inverse_std * sum_gd).astype(x.dtype), sum_g.astype(x.dtype)


def batch_norm_train(x, weight, bias, eps=1e-5):
    """See `reference.batch_norm_train`."""
    reference.check_arguments("batch_norm_train", x, {"weight": weight, "bias": bias})
    eps = reference.check_training_eps("batch_norm_train", eps)
    if x.size <= x.shape[1]:  # nothing to normalise, or an error
        return reference.batch_norm_train(x, weight, bias, eps)
    return train(x, weight, bias, eps, relu=False)[:3]


def batch_norm_train_backward(grad_output, x, weight, mean, var, eps=1e-5):
    """See `reference.batch_norm_train_backward`, equation (4)."""
    name = "batch_norm_train_backward"
    reference.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, mean=mean, var=var)
    eps = reference.check_training_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)
    return train_backward(grad_output, x, weight, mean, var, eps)


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_eval`."""
    statistics = {"running_mean": running_mean, "running_var": running_var}
    reference.check_arguments("batch_norm_eval", x, {"weight": weight, "bias": bias}, **statistics)
    eps = reference.check_eval_eps("batch_norm_eval", eps)
    if x.size == 0:
        return reference.batch_norm_eval(x, running_mean, running_var, weight, bias, eps)
    return evaluate(x, running_mean, running_var, weight, bias, eps, relu=False)


@reference.quiet
def batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps=1e-5):
    """See `reference.batch_norm_eval_backward`."""
    name = "batch_norm_eval_backward"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    reference.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, **statistics)
    eps = reference.check_eval_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps)
    return evaluate_backward(grad_output, x, weight, None, running_mean, running_var, eps, relu=False)


def batch_norm_update_running(running_mean, running_var, mean, var, count, momentum):
    """See `reference.batch_norm_update_running`."""
    arrays = running_mean, running_var, mean, var
    count, momentum = reference.check_running("batch_norm_update_running", *arrays, count, momentum)
    if count == 0 or not (running_mean.flags.c_contiguous and running_var.flags.c_contiguous):
        reference.batch_norm_update_running(*arrays, count, momentum)
        return
    mean, var = np.array(mean, order="C"), np.array(var, order="C")
    channels_of.move_running(running_mean, running_var, mean, var, count / (count - 1), momentum)
