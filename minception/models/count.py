"""Counting what a network costs: its parameters, and the multiply-accumulates of one image."""

import math

import numpy as np

from .. import nn
from ..autograd import no_grad
from ..kernels.checks import pair
from ..tensor import Tensor


def count_parameters(model):
    """Number of learned values of a module; a shared parameter counts once. Raises TypeError for what is no module."""
    _check_model("count_parameters", model)
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_accumulates(model, input_size, in_channels=3):
    """Multiply-accumulates of the convolution and linear layers for one image in evaluation, found by running it.

    input_size: height and width in pixels, an integer or a pair. Additions of biases, batch norm, pooling and
    activations are not counted, as is usual. Raises TypeError for what is no module, ValueError for a size below 1, and
    whatever the model says of images that it cannot take.
    """
    _check_model("count_multiply_accumulates", model)
    height, width = pair("count_multiply_accumulates", "input_size", input_size, minimum=1)
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        total += multiply_accumulates(layer, output.shape)

    handles = [layer.register_forward_hook(add) for layer in model.modules() if has_weights_to_multiply(layer)]
    was_training = model.training
    try:
        with no_grad():
            model.eval()(Tensor(np.zeros((1, in_channels, height, width), np.float32)))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return total


def _check_model(caller, model):
    if not isinstance(model, nn.Module):
        raise TypeError(f"{caller}: model must be a Module, got {model!r}")


def has_weights_to_multiply(layer):
    """Whether a module is itself a convolution or a linear layer."""
    return isinstance(layer, (nn.Conv2d, nn.DepthwiseConv2d, nn.Linear))


def multiply_accumulates(layer, output_shape):
    """Those of one convolution or linear layer for one output (N, O, ...): each value of it is the sum of I / groups *
    KH * KW products."""
    return math.prod(output_shape) * math.prod(layer.weight.shape[1:])
