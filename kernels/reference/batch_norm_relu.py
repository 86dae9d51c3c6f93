"""Batch normalization followed by ReLU, as one operation.

Most convolutions are followed by both (Ioffe and Szegedy 2015, section 3.2: "we add the BN transform immediately before
the nonlinearity"). One after the other they read and write the same numbers several times; here the output is

    y = max((x - mean) * scale + shift, 0),        scale = weight / sqrt(var + eps),        shift = bias,

in one pass. The backward pass needs to know where y was cut off. It computes that again from x, by the same formula
and so to the last bit, instead of keeping y or a mask: to read x is needed anyway.

    dL/dx = gradient of batch norm for  (dL/dy where y > 0, else 0)

`shift` also makes up for the rounding of `mean` to the dtype of x, which is why forward hands it to backward.
"""

from .activation import relu, relu_backward
from .batch_norm import (
    batch_norm_eval_backward,
    batch_norm_train_backward,
    check_arguments,
    check_count,
    check_eval_eps,
    check_training_eps,
    evaluation_coefficients,
    normalize,
    quiet,
    training_coefficients,
)

__all__ = [
    "batch_norm_relu_eval",
    "batch_norm_relu_eval_backward",
    "batch_norm_relu_train",
    "batch_norm_relu_train_backward",
]


@quiet
def batch_norm_relu_train(x, weight, bias, eps=1e-5):
    """`batch_norm_train`, then ReLU.

    x: (N, C, ...); weight, bias: (C,) or None for 1 and 0. All float32 or all float64.
    Returns (output, mean, var, scale, shift): output shaped as x; mean and var (C,) as `batch_norm_train` returns them,
    scale and shift (C,) for backward: output = max((x - mean) * scale + shift, 0); NaN stays NaN.

    ValueError: one value per channel, whose variance says nothing; eps <= 0; wrong shapes. TypeError: dtypes.
    """
    name = "batch_norm_relu_train"
    check_arguments(name, x, {"weight": weight, "bias": bias})
    eps = check_training_eps(name, eps)
    check_count(name, x)
    mean, var, scale, shift = training_coefficients(x, weight, bias, eps)
    return relu(normalize(x, mean, scale, shift)), mean, var, scale, shift


@quiet
def batch_norm_relu_train_backward(grad_output, x, weight, mean, var, scale, shift, eps=1e-5):
    """Gradients of `batch_norm_relu_train`, whose rules are those of `relu_backward` and `batch_norm_train_backward`.

    grad_output, x: (N, C, ...); weight: (C,) or None; mean, var, scale, shift: (C,), as `batch_norm_relu_train`
    returned them. Returns (grad_x, grad_weight, grad_bias); the last two (C,), computed also where weight is None.
    ValueError: wrong shapes, eps <= 0. TypeError: dtypes.
    """
    name = "batch_norm_relu_train_backward"
    per_channel = {"mean": mean, "var": var, "scale": scale, "shift": shift}
    check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, **per_channel)
    eps = check_training_eps(name, eps)
    grad_normalized = relu_backward(grad_output, normalize(x, mean, scale, shift))
    return batch_norm_train_backward(grad_normalized, x, weight, mean, var, eps)


@quiet
def batch_norm_relu_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """`batch_norm_eval`, then ReLU: max(weight * (x - running_mean) / sqrt(running_var + eps) + bias, 0).

    x: (N, C, ...); running_mean, running_var: (C,); weight, bias: (C,) or None. All float32 or all float64.
    Returns the output, shaped as x. ValueError: wrong shapes, eps < 0. TypeError: dtypes.
    """
    name = "batch_norm_relu_eval"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    check_arguments(name, x, {"weight": weight, "bias": bias}, **statistics)
    eps = check_eval_eps(name, eps)
    return relu(normalize(x, *evaluation_coefficients(running_mean, running_var, weight, bias, eps)))


@quiet
def batch_norm_relu_eval_backward(grad_output, x, running_mean, running_var, weight, bias, eps=1e-5):
    """Gradients of `batch_norm_relu_eval`, where the statistics are constants.

    grad_output, x: (N, C, ...); running_mean, running_var: (C,); weight, bias: (C,) or None.
    Returns (grad_x, grad_weight, grad_bias); the last two (C,), computed also where weight or bias is None.
    ValueError: wrong shapes, eps < 0. TypeError: dtypes.
    """
    name = "batch_norm_relu_eval_backward"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    check_arguments(name, x, {"weight": weight, "bias": bias}, {"grad_output": grad_output}, **statistics)
    eps = check_eval_eps(name, eps)
    output = normalize(x, *evaluation_coefficients(running_mean, running_var, weight, bias, eps))
    grad_normalized = relu_backward(grad_output, output)
    return batch_norm_eval_backward(grad_normalized, x, weight, running_mean, running_var, eps)
