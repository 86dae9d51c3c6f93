"""Softmax and its logarithm along one axis, forward and backward, for arrays of any rank of at least one.

    softmax(x)[i] = exp(x[i]) / sum_j exp(x[j])

Both subtract the maximum first: the result is the same, and no exponential can overflow. Sources: Bridle,
"Probabilistic interpretation of feedforward classification network outputs" (1990); Goodfellow, Bengio and
Courville, "Deep Learning" (2016), section 4.1, for the shift. A slice that holds +inf or NaN, or nothing
but -inf, gives NaN (as in torch).

Errors: `TypeError` for dtypes other than float32 and float64, mixed dtypes, or an axis that is not an
integer; `ValueError` for an axis out of range and shapes that differ.
"""

import numpy as np

from .. import checks
from ..arrays import array_module

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def shifted(x, axis):
    """x minus its maximum along the axis. An axis of length zero has no maximum, and nothing to shift."""
    return x - x.max(axis=axis, keepdims=True) if x.size else x.copy()


@np.errstate(over="ignore", invalid="ignore")
def softmax(x, axis):
    """exp(x) normalised to sum to one along `axis`; same shape and dtype as x."""
    checks.floating("softmax", x=x)
    axis = checks.axis("softmax", axis, x.ndim)
    exponentials = array_module(x).exp(shifted(x, axis))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


@np.errstate(over="ignore", invalid="ignore")
def softmax_backward(grad_output, output, axis):
    """Gradient with respect to x: output * (grad_output - sum_j grad_output[j] * output[j])."""
    checks.floating("softmax_backward", grad_output=grad_output, output=output)
    checks.shape("softmax_backward", "grad_output", grad_output, output.shape, "that of output")
    axis = checks.axis("softmax_backward", axis, output.ndim)
    return output * (grad_output - (grad_output * output).sum(axis=axis, keepdims=True))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def log_softmax(x, axis):
    """Logarithm of `softmax`, accurate where the probability itself would round to zero."""
    checks.floating("log_softmax", x=x)
    axis = checks.axis("log_softmax", axis, x.ndim)
    xp = array_module(x)
    shift = shifted(x, axis)
    return shift - xp.log(xp.exp(shift).sum(axis=axis, keepdims=True))


@np.errstate(over="ignore", invalid="ignore")
def log_softmax_backward(grad_output, output, axis):
    """Gradient with respect to x: grad_output - softmax(x) * sum_j grad_output[j]; softmax(x) = exp(output)."""
    checks.floating("log_softmax_backward", grad_output=grad_output, output=output)
    checks.shape("log_softmax_backward", "grad_output", grad_output, output.shape, "that of output")
    axis = checks.axis("log_softmax_backward", axis, output.ndim)
    return grad_output - array_module(output).exp(output) * grad_output.sum(axis=axis, keepdims=True)
