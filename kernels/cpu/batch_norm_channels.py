"""The small arithmetic of batch normalization, one number for each channel, compiled; in float64."""

import numpy as np

from .batch_norm_passes import merge
from .compile import compiled

__all__ = ["evaluation_coefficients", "gradient_coefficients", "move_running", "training_coefficients"]


@compiled
def training_coefficients(counts, means, squares, weight, bias, eps, center, var, scale, shift):
    """From the moments of the pieces: mean and variance, and y = (x - center) * scale + shift, in the dtype of x.

    `center` is the mean rounded to that dtype, and `shift` makes up for the rounding. Returns whether a mean is NaN.
    """
    mean, square = np.zeros(len(center)), np.zeros(len(center))
    done = 0
    for piece in range(len(counts)):
        merge(mean, square, done, means[piece], squares[piece], counts[piece])
        done += counts[piece]
    lost = False
    for c in range(len(center)):
        variance = square[c] / done
        if variance < 0:  # by rounding
            variance = 0.0
        factor = weight[c] / np.sqrt(variance + eps)
        center[c] = mean[c]
        var[c] = variance
        scale[c] = factor
        shift[c] = bias[c] + (center[c] - mean[c]) * factor
        lost |= np.isnan(mean[c])
    return lost


@compiled
def evaluation_coefficients(running_var, weight, eps, scale):
    """scale = weight / sqrt(running_var + eps)."""
    for c in range(len(scale)):
        scale[c] = weight[c] / np.sqrt(np.float64(running_var[c]) + eps)


@compiled
def gradient_coefficients(sums, count, weight, var, eps, slope, offset, factor, grad_weight, grad_bias):
    """From the sums of the pieces, the rest of equations (1), (2) and (4): see `reference/batch_norm.py`."""
    for c in range(len(weight)):
        sum_g, sum_gd, sum_d = 0.0, 0.0, 0.0
        for piece in range(len(sums)):
            sum_g += sums[piece, 0, c]
            sum_gd += sums[piece, 1, c]
            sum_d += sums[piece, 2, c]
        residual = sum_d / count  # the mean was rounded: sum_i (x_i - mean) is not quite 0
        sum_gd -= residual * sum_g
        inverse_std = 1 / np.sqrt(np.float64(var[c]) + eps)
        slope[c] = inverse_std * inverse_std * sum_gd / count
        offset[c] = residual * (inverse_std * inverse_std * sum_gd / count) - sum_g / count
        factor[c] = weight[c] * inverse_std
        grad_weight[c] = inverse_std * sum_gd
        grad_bias[c] = sum_g


@compiled
def move_running(running_mean, running_var, mean, var, correction, momentum):
    """running = (1 - momentum) * running + momentum * new, the new variance times `correction`; in place."""
    for c in range(len(mean)):
        running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c]
        running_var[c] = (1 - momentum) * running_var[c] + momentum * (var[c] * correction)
