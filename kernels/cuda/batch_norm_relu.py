"""Batch normalization followed by ReLU, see `batch_norm.cu`. Contracts: `reference/batch_norm_relu.py`."""

from ..reference import batch_norm as checked
from ..reference import batch_norm_relu as reference
from .batch_norm import evaluate, evaluation_coefficients, gradients, train

__all__ = [
    "batch_norm_relu_eval",
    "batch_norm_relu_eval_backward",
    "batch_norm_relu_train",
    "batch_norm_relu_train_backward",
]


def batch_norm_relu_train(x, weight, bias, eps=1e-5):
    """See `reference.batch_norm_relu_train`."""
    name = "batch_norm_relu_train"
    checked.check_arguments(name, x, {"weight": weight, "bias": bias})
    eps = checked.check_training_eps(name, eps)
    checked.check_count(name, x)
    if x.size == 0:
        return reference.batch_norm_relu_train(x, weight, bias, eps)
    return train(x, weight, bias, eps, relu=True)


def batch_norm_relu_train_backward(grad_output, x, weight, mean, var, scale, shift, eps=1e-5):
    """See `reference.batch_norm_relu_train_backward`."""
    name = "batch_norm_relu_train_backward"
    per_channel = {"mean": mean, "var": var, "scale": scale, "shift": shift}
    checked.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, **per_channel)
    eps = checked.check_training_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_relu_train_backward(grad_output, x, weight, mean, var, scale, shift, eps)
    return gradients(grad_output, x, weight, mean, var, eps, scale, shift, training=True)


def batch_norm_relu_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_relu_eval`."""
    name = "batch_norm_relu_eval"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    checked.check_arguments(name, x, {"weight": weight, "bias": bias}, **statistics)
    eps = checked.check_eval_eps(name, eps)
    return evaluate(x, running_mean, running_var, weight, bias, eps, relu=True)


def batch_norm_relu_eval_backward(grad_output, x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_relu_eval_backward`."""
    name = "batch_norm_relu_eval_backward"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    checked.check_arguments(name, x, {"weight": weight, "bias": bias}, {"grad_output": grad_output}, **statistics)
    eps = checked.check_eval_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_relu_eval_backward(grad_output, x, running_mean, running_var, weight, bias, eps)
    scale, shift = evaluation_coefficients(running_var, weight, bias, eps)
    return gradients(grad_output, x, weight, running_mean, running_var, eps, scale, shift, training=False)
