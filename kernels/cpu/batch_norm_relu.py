"""Batch normalization and ReLU in the passes of `batch_norm.py`. Contracts: `reference/batch_norm_relu.py`."""

from ..reference import batch_norm as checks
from ..reference import batch_norm_relu as reference
from .batch_norm import evaluate, evaluate_backward, train, train_backward

__all__ = [
    "batch_norm_relu_eval",
    "batch_norm_relu_eval_backward",
    "batch_norm_relu_train",
    "batch_norm_relu_train_backward",
]


def batch_norm_relu_train(x, weight, bias, eps=1e-5):
    """See `reference.batch_norm_relu_train`."""
    checks.check_arguments("batch_norm_relu_train", x, {"weight": weight, "bias": bias})
    eps = checks.check_training_eps("batch_norm_relu_train", eps)
    if x.size <= x.shape[1]:  # nothing to normalise, or an error
        return reference.batch_norm_relu_train(x, weight, bias, eps)
    return train(x, weight, bias, eps, relu=True)


def batch_norm_relu_train_backward(grad_output, x, weight, mean, var, scale, shift, eps=1e-5):
    """See `reference.batch_norm_relu_train_backward`."""
    name = "batch_norm_relu_train_backward"
    per_channel = {"mean": mean, "var": var, "scale": scale, "shift": shift}
    checks.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, **per_channel)
    eps = checks.check_training_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_relu_train_backward(grad_output, x, weight, *per_channel.values(), eps)
    return train_backward(grad_output, x, weight, mean, var, eps, scale, shift)


def batch_norm_relu_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_relu_eval`."""
    statistics = {"running_mean": running_mean, "running_var": running_var}
    checks.check_arguments("batch_norm_relu_eval", x, {"weight": weight, "bias": bias}, **statistics)
    eps = checks.check_eval_eps("batch_norm_relu_eval", eps)
    if x.size == 0:
        return reference.batch_norm_relu_eval(x, running_mean, running_var, weight, bias, eps)
    return evaluate(x, running_mean, running_var, weight, bias, eps, relu=True)


@checks.quiet
def batch_norm_relu_eval_backward(grad_output, x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_relu_eval_backward`."""
    name = "batch_norm_relu_eval_backward"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    checks.check_arguments(name, x, {"weight": weight, "bias": bias}, {"grad_output": grad_output}, **statistics)
    eps = checks.check_eval_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_relu_eval_backward(
            grad_output, x, running_mean, running_var, weight, bias, eps
        )
    return evaluate_backward(grad_output, x, weight, bias, running_mean, running_var, eps, relu=True)
