"""Fully connected layer, forward and backward.

    output[..., o] = sum_i x[..., i] * weight[o, i] + bias[o]

Shapes: x (..., I) with any leading axes, weight (O, I), bias (O,), output (..., O). The leading axes are
rows of one matrix, so each pass is one matrix product. Source: Rumelhart, Hinton and Williams, "Learning
representations by back-propagating errors" (1986), equations 1 and 4 to 7. Errors: `TypeError` for dtypes
other than float32 and float64 or mixed ones, `ValueError` for wrong ranks and shapes.
"""

import math

import numpy as np

from .. import checks
from ..arrays import array_module

__all__ = ["linear", "linear_backward_bias", "linear_backward_input", "linear_backward_weight"]


def as_rows(array):
    """View (or copy) (..., K) as a matrix (rows, K)."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def check_features(name, argument, array):
    """Require at least one axis, the features."""
    if array.ndim < 1:
        raise ValueError(f"{name}: {argument} must have at least one dimension (..., features), got shape ()")


def check_forward(x, weight, bias):
    """Check the arguments of `linear`."""
    checks.floating("linear", {"bias": bias}, x=x, weight=weight)
    check_features("linear", "x", x)
    checks.rank("linear", "weight", weight, 2, "(out_features, in_features)")
    out_features, in_features = weight.shape
    if x.shape[-1] != in_features:
        raise ValueError(
            f"linear: weight expects {in_features} input features (weight.shape[1]), input has {x.shape[-1]}"
        )
    if bias is not None:
        checks.shape("linear", "bias", bias, (out_features,), "out_features of weight")


@np.errstate(over="ignore", invalid="ignore")
def linear(x, weight, bias=None):
    """x (..., I) times weight (O, I) transposed, plus bias (O,) if given: (..., O)."""
    check_forward(x, weight, bias)
    output = as_rows(x) @ weight.T  # (rows, I) @ (I, O)
    if bias is not None:
        output += bias
    return output.reshape(*x.shape[:-1], len(weight))


def check_backward_input(grad_output, weight):
    """Check the arguments of `linear_backward_input`."""
    name = "linear_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    check_features(name, "grad_output", grad_output)
    checks.rank(name, "weight", weight, 2, "(out_features, in_features)")
    expected = (*grad_output.shape[:-1], len(weight))
    checks.shape(name, "grad_output", grad_output, expected, "last axis: out_features of weight")


@np.errstate(over="ignore", invalid="ignore")
def linear_backward_input(grad_output, weight):
    """Gradient (..., I) with respect to x, for grad_output (..., O) and weight (O, I)."""
    check_backward_input(grad_output, weight)
    grad_x = as_rows(grad_output) @ weight  # (rows, O) @ (O, I)
    return grad_x.reshape(*grad_output.shape[:-1], weight.shape[1])


def check_backward_weight(grad_output, x):
    """Check the arguments of `linear_backward_weight`."""
    name = "linear_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    check_features(name, "grad_output", grad_output)
    check_features(name, "x", x)
    expected = (*x.shape[:-1], grad_output.shape[-1])
    checks.shape(name, "grad_output", grad_output, expected, "leading axes: those of x")


@np.errstate(over="ignore", invalid="ignore")
def linear_backward_weight(grad_output, x):
    """Gradient (O, I) with respect to weight, for grad_output (..., O) and x (..., I); zero without rows."""
    check_backward_weight(grad_output, x)
    return as_rows(grad_output).T @ as_rows(x)  # (O, rows) @ (rows, I)


@np.errstate(over="ignore", invalid="ignore")
def linear_backward_bias(grad_output):
    """Gradient (O,) with respect to bias, for grad_output (..., O). The sum over rows is kept in float64."""
    checks.floating("linear_backward_bias", grad_output=grad_output)
    check_features("linear_backward_bias", "grad_output", grad_output)
    xp = array_module(grad_output)
    return as_rows(grad_output).sum(axis=0, dtype=xp.float64).astype(grad_output.dtype)
