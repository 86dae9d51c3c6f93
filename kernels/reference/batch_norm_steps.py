"""Batch normalization as a computational graph, one step at a time: the text to study.

`batch_norm.py` states the gradient in closed form. Here the same result comes from nothing but the chain
rule, applied to elementary steps. Each step of Algorithm 1 of Ioffe and Szegedy (arXiv:1502.03167) is one
node with a name:

    x ------+------------------> centered --+--------------------> normalized --> scaled --> output
            |                       ^       |                          ^             ^          ^
            |                       |       v                          |             |          |
            +------> mean ----------+    squared                       |           weight      bias
                                            |                          |
                                            v                          |
                                        variance --> std --> inverse_std

The backward pass visits the nodes from right to left. Its whole vocabulary is five rules. For a step that makes
b from a, and the gradient `db` = dL/db, which has the shape of b:

    b = a + c         da = db                       a sum passes the gradient on to both of its inputs
    b = a * c         da = db * c                   a product swaps its inputs
    b = f(a)          da = db * f'(a)               an elementwise function multiplies by its slope
    b = mean_i(a_i)   da_i = db / M                 a mean spreads the gradient evenly
    a used twice      da = da_1 + da_2              gradients of several uses add

and one consequence of the last: where a (1, C, 1, 1) array is *broadcast* against (N, C, H, W), each of its
values is used M = N*H*W times, so its gradient is summed over the axes N, H and W.

Everything is computed in float64 whatever the dtype of x, so that the numbers show the mathematics and not
the rounding. Only `output` and the gradients of the inputs, x, weight and bias, have the dtype of x. Fields
follow each other in the order of computation. Shapes, with the axes after C absent for x of shape (N, C):

    per value      (N, C, H, W)    x, centered, squared, normalized, scaled, output
    per channel    (1, C, 1, 1)    mean, variance, std, inverse_std
    parameters     (C,)            weight, bias, or None for 1 and 0
"""

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import array_module
from .batch_norm import check_arguments, check_training_eps, quiet

__all__ = ["BatchNormGradients", "BatchNormSteps", "batch_norm_backward_steps", "batch_norm_forward_steps"]


@dataclass(frozen=True)
class BatchNormSteps:
    """Every intermediate value of the forward pass."""

    x: np.ndarray
    weight: np.ndarray | None
    bias: np.ndarray | None
    eps: float
    mean: np.ndarray
    centered: np.ndarray
    squared: np.ndarray
    variance: np.ndarray
    std: np.ndarray
    inverse_std: np.ndarray
    normalized: np.ndarray
    scaled: np.ndarray
    output: np.ndarray


@dataclass(frozen=True)
class BatchNormGradients:
    """The gradient of every intermediate value, in the order in which the backward pass finds them.

    `y_from_z` is the part of the gradient of y that arrives through z, for the two values that are used twice.
    """

    output: np.ndarray
    bias: np.ndarray
    scaled: np.ndarray
    weight: np.ndarray
    normalized: np.ndarray
    centered_from_normalized: np.ndarray
    inverse_std: np.ndarray
    std: np.ndarray
    variance: np.ndarray
    squared: np.ndarray
    centered_from_squared: np.ndarray
    centered: np.ndarray
    x_from_centered: np.ndarray
    mean: np.ndarray
    x_from_mean: np.ndarray
    x: np.ndarray


@quiet
def batch_norm_forward_steps(x, weight, bias, eps=1e-5):
    """Batch normalization in training, keeping every intermediate.

    x: (N, C, ...) with at least two values per channel; weight, bias: (C,) or None. All float32 or all float64.
    Returns `BatchNormSteps`. ValueError: wrong shapes, too few values, eps <= 0. TypeError: dtypes.
    """
    name = "batch_norm_forward_steps"
    check_arguments(name, x, {"weight": weight, "bias": bias})
    if _values_per_channel(x) < 2:
        raise ValueError(f"{name}: Expected more than 1 value per channel when training, got shape {x.shape}")
    eps = check_training_eps(name, eps)
    xp = array_module(x)

    # Algorithm 1, line 1: the mean of each channel
    mean = _mean(x.astype(xp.float64))  # (1, C, 1, 1)

    # Line 2: the biased variance, as the mean of the squared deviations
    centered = x - mean  # (N, C, H, W)
    squared = centered**2
    variance = _mean(squared)  # (1, C, 1, 1)

    # Line 3: normalise
    std = xp.sqrt(variance + eps)
    inverse_std = 1 / std
    normalized = centered * inverse_std  # (N, C, H, W)

    # Line 4: scale and shift
    scaled = normalized * _per_channel(weight, x, absent=1)
    output = scaled + _per_channel(bias, x, absent=0)

    return BatchNormSteps(
        x=x,
        weight=weight,
        bias=bias,
        eps=eps,
        mean=mean,
        centered=centered,
        squared=squared,
        variance=variance,
        std=std,
        inverse_std=inverse_std,
        normalized=normalized,
        scaled=scaled,
        output=output.astype(x.dtype),
    )


@quiet
def batch_norm_backward_steps(grad_output, steps):
    """Walk the graph of `batch_norm_forward_steps` backwards, from `output` to `x`.

    grad_output: shaped as x and of its dtype; steps: a `BatchNormSteps`.
    Returns `BatchNormGradients`; `weight` and `bias` are computed also where those inputs are None.
    ValueError: wrong shape. TypeError: dtypes, or other `steps`.
    """
    name = "batch_norm_backward_steps"
    if not isinstance(steps, BatchNormSteps):
        raise TypeError(f"{name}: steps must be a BatchNormSteps, got {type(steps).__name__}")
    x, centered, std, inverse_std = steps.x, steps.centered, steps.std, steps.inverse_std
    check_arguments(name, x, {}, {"grad_output": grad_output})
    xp = array_module(x)
    count = _values_per_channel(x)  # M = N*H*W
    grad_output = grad_output.astype(std.dtype)

    # output = scaled + bias: a sum; bias is broadcast
    grad_scaled = grad_output  # (N, C, H, W)
    grad_bias = _sum(grad_output)  # (1, C, 1, 1)

    # scaled = normalized * weight: a product; weight is broadcast
    grad_normalized = grad_scaled * _per_channel(steps.weight, x, absent=1)
    grad_weight = _sum(grad_scaled * steps.normalized)

    # normalized = centered * inverse_std: a product; inverse_std is broadcast
    grad_centered_from_normalized = grad_normalized * inverse_std
    grad_inverse_std = _sum(grad_normalized * centered)

    # inverse_std = 1 / std: the slope of 1/a is -1/a^2
    grad_std = grad_inverse_std * -(inverse_std**2)

    # std = sqrt(variance + eps): the slope of sqrt(a) is 1 / (2 sqrt(a))
    grad_variance = grad_std / (2 * std)

    # variance = mean of squared: spread evenly over the M values
    grad_squared = xp.broadcast_to(grad_variance / count, x.shape)  # (N, C, H, W)

    # squared = centered^2: the slope of a^2 is 2a
    grad_centered_from_squared = grad_squared * 2 * centered

    # centered was used twice: by normalized and by squared
    grad_centered = grad_centered_from_normalized + grad_centered_from_squared

    # centered = x - mean: a sum with a minus sign; mean is broadcast. (The part of grad_centered that came through
    # the variance sums to zero here, because the deviations do.)
    grad_x_from_centered = grad_centered
    grad_mean = -_sum(grad_centered)

    # mean = mean of x: spread evenly over the M values
    grad_x_from_mean = xp.broadcast_to(grad_mean / count, x.shape)

    # x was used twice: by centered and by mean
    grad_x = grad_x_from_centered + grad_x_from_mean

    return BatchNormGradients(
        output=grad_output,
        bias=grad_bias.reshape(-1).astype(x.dtype),
        scaled=grad_scaled,
        weight=grad_weight.reshape(-1).astype(x.dtype),
        normalized=grad_normalized,
        centered_from_normalized=grad_centered_from_normalized,
        inverse_std=grad_inverse_std,
        std=grad_std,
        variance=grad_variance,
        squared=grad_squared,
        centered_from_squared=grad_centered_from_squared,
        centered=grad_centered,
        x_from_centered=grad_x_from_centered,
        mean=grad_mean,
        x_from_mean=grad_x_from_mean,
        x=grad_x.astype(x.dtype),
    )


def _values_per_channel(x):
    """M = N*H*W."""
    return x.shape[0] * math.prod(x.shape[2:])


def _sum(array):
    """Sum over all axes but C, keeping them as axes of length 1: (N, C, H, W) -> (1, C, 1, 1)."""
    return array.sum(axis=tuple(axis for axis in range(array.ndim) if axis != 1), keepdims=True)


def _mean(array):
    """Mean over all axes but C: (N, C, H, W) -> (1, C, 1, 1)."""
    return _sum(array) / _values_per_channel(array)


def _per_channel(parameter, x, absent):
    """A parameter (C,) as (1, C, 1, 1), to be broadcast against x; the number `absent` where it is None."""
    return absent if parameter is None else parameter.reshape(1, -1, *(1,) * (x.ndim - 2))
