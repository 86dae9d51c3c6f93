"""Gradient clipping: between `backward()` and `step()`."""

import math
from collections.abc import Iterable

import numpy as np

from .. import kernels
from ..kernels.arrays import array_module
from ..kernels.checks import real
from ..kernels.transfer import by_device, on_device, on_device_of
from ..tensor import Tensor


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Scale all gradients, in place, by one factor so that their joint norm is at most `max_norm`.

    The norm is that of all gradients laid end to end; gradients are multiplied by
    min(1, max_norm / (norm + 1e-6)), so the direction is kept (Pascanu, Mikolov and Bengio, "On the difficulty of
    training recurrent neural networks", arXiv:1211.5063, Algorithm 1, with PyTorch's guard against division by zero).

    parameters: tensors, or one tensor; those without gradient are ignored. norm_type: the p of the p-norm;
    `math.inf` or "inf" for the largest magnitude. Returns the norm before clipping, as a float; it is
    computed in float64. Without gradients it is 0.

    ValueError: max_norm is negative. TypeError: parameters that are no tensors, numbers that are none.
    RuntimeError: with `error_if_nonfinite`, an infinite or NaN norm; gradients are
    unchanged then. Without it, an infinite norm makes finite gradients 0, and a NaN norm makes all NaN.
    """
    max_norm = real("clip_grad_norm_", "max_norm", max_norm)
    norm_type = math.inf if norm_type == "inf" else real("clip_grad_norm_", "norm_type", norm_type)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must not be negative, got {max_norm}")
    grads = _gradients("clip_grad_norm_", parameters)
    with np.errstate(over="ignore", invalid="ignore"):
        total_norm = _joint_norm([grad._array for grad in grads if grad._array.size], norm_type)
        if error_if_nonfinite and not math.isfinite(total_norm):
            raise RuntimeError(
                f"clip_grad_norm_: the total norm of order {norm_type} of the gradients is {total_norm}, so they "
                "cannot be clipped; error_if_nonfinite=False would scale them by it all the same"
            )
        factor = max_norm / (total_norm + 1e-6)
        if not factor >= 1:
            for device, arrays in by_device(grad._array for grad in grads).items():
                with on_device(device):
                    kernels.scale_all(arrays, factor)
            for grad in grads:
                grad._bump_version()
    return total_norm


def clip_grad_value_(parameters, clip_value):
    """Limit every element of every gradient, in place, to the interval [-clip_value, clip_value]. NaN stays NaN.

    parameters: tensors, or one tensor; those without gradient are ignored. ValueError: clip_value is negative.
    TypeError: parameters that are no tensors, or a clip_value that is no number.
    """
    clip_value = real("clip_grad_value_", "clip_value", clip_value)
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value must not be negative, got {clip_value}")
    for grad in _gradients("clip_grad_value_", parameters):
        with on_device_of(grad._array):
            array_module(grad._array).clip(grad._array, -clip_value, clip_value, out=grad._array)
        grad._bump_version()


def _gradients(name, parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    if not isinstance(parameters, Iterable):
        raise TypeError(f"{name}: parameters must be tensors, got {type(parameters).__name__}")
    parameters = list(parameters)
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{name}: parameters[{i}] must be a Tensor, got {type(parameter).__name__}")
    return [p.grad for p in parameters if p.grad is not None]


def _joint_norm(arrays, norm_type):
    """The p-norm of all arrays laid end to end: the p-norm of their p-norms."""
    if norm_type == 2:
        total = 0.0
        for device, there in by_device(arrays).items():
            with on_device(device):
                total += kernels.sum_of_squares(there)
        return math.sqrt(total)
    return float(np.linalg.norm([_norm(array, norm_type) for array in arrays], norm_type)) if arrays else 0.0


def _norm(array, norm_type):
    with on_device_of(array):
        return float(array_module(array).linalg.norm(array.astype(np.float64).reshape(-1), norm_type))
