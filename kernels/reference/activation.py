"""Elementwise activations, forward and backward, for arrays of any shape.

Results keep the order in memory of their inputs. Errors: `TypeError` for dtypes other than float32 and
float64, mixed dtypes, or an alpha that is not a real number; `ValueError` for shapes that differ.
"""

import numpy as np

from .. import checks
from ..arrays import array_module

__all__ = ["elu", "elu_backward", "relu", "relu_backward"]


def relu(x):
    """max(x, 0); NaN stays NaN.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines" (2010).
    """
    checks.floating("relu", x=x)
    xp = array_module(x)
    return xp.asarray(xp.maximum(x, 0))


def relu_backward(grad_output, output):
    """Gradient with respect to x: grad_output where output > 0 (or NaN), 0 elsewhere; at x = 0 it is 0."""
    checks.floating("relu_backward", grad_output=grad_output, output=output)
    checks.shape("relu_backward", "grad_output", grad_output, output.shape, "that of output")
    return array_module(output).where(output <= 0, 0, grad_output)


@np.errstate(over="ignore", invalid="ignore")
def elu(x, alpha=1.0):
    """Exponential linear unit: x where x > 0, alpha * (exp(x) - 1) elsewhere; NaN stays NaN.

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units" (2016), equation 15.
    """
    checks.floating("elu", x=x)
    alpha = checks.real("elu", "alpha", alpha)
    xp = array_module(x)
    return xp.asarray(xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0)))


@np.errstate(over="ignore", invalid="ignore")
def elu_backward(grad_output, x, alpha=1.0):
    """Gradient with respect to x: grad_output where x > 0, grad_output * alpha * exp(x) elsewhere (NaN at NaN).

    Equation 15 of Clevert et al. (2016), with f(x) + alpha written as alpha * exp(x). At x = 0 the factor
    is alpha.
    """
    checks.floating("elu_backward", grad_output=grad_output, x=x)
    checks.shape("elu_backward", "grad_output", grad_output, x.shape, "that of x")
    alpha = checks.real("elu_backward", "alpha", alpha)
    xp = array_module(x)
    return xp.where(x > 0, grad_output, grad_output * (alpha * xp.exp(xp.minimum(x, 0))))
