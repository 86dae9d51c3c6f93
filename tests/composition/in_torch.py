"""A network run by torch: functions on plain tensors, the parameters in a dict.

The functions come from a `Functions` object, so that `rounding.py` can put inexact ones in their place.
"""

import torch

from tests.composition import program as p
from tests.composition.numbers import class_weights


class Functions:
    """torch's own functions."""

    conv2d = staticmethod(torch.nn.functional.conv2d)
    linear = staticmethod(torch.nn.functional.linear)
    batch_norm = staticmethod(torch.nn.functional.batch_norm)
    elu = staticmethod(torch.nn.functional.elu)
    avg_pool2d = staticmethod(torch.nn.functional.avg_pool2d)
    adaptive_avg_pool2d = staticmethod(torch.nn.functional.adaptive_avg_pool2d)
    local_response_norm = staticmethod(torch.nn.functional.local_response_norm)
    softmax = staticmethod(torch.nn.functional.softmax)
    cross_entropy = staticmethod(torch.nn.functional.cross_entropy)
    add = staticmethod(torch.add)
    multiply = staticmethod(torch.mul)


def run(network, inputs, state, functions):
    """All values by name, inputs included. `state` holds parameters and buffers; buffers are updated in place."""
    values = dict(inputs)
    for step in network.steps:
        operands = [values[source] for source in step.sources]
        if isinstance(step.operation, p.Apply):
            number = step.operation.layer
            names = [name for name in state if name.startswith(f"layers.{number}.")]
            own = {name.removeprefix(f"layers.{number}."): state[name] for name in names}
            values[step.name] = apply_layer(network.layers[number], operands[0], own, functions)
        else:
            values[step.name] = apply(network, step.operation, operands, functions)
    return values


def apply_layer(layer, x, own, functions):
    weight, bias = own.get("weight"), own.get("bias")
    match layer:
        case p.Convolution():
            return functions.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        case p.Depthwise():
            return functions.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.inputs)
        case p.Separable():
            x = functions.conv2d(
                x, own["depthwise.weight"], None, layer.stride, layer.padding, layer.dilation, layer.inputs
            )
            return functions.conv2d(x, own["pointwise.weight"], own.get("pointwise.bias"))
        case p.Linear():
            return functions.linear(x, weight, bias)
        case p.BatchNorm():
            mean, var, momentum = own.get("running_mean"), own.get("running_var"), layer.momentum
            if layer.training and layer.tracking:
                own["num_batches_tracked"] += 1
                momentum = 1 / own["num_batches_tracked"].item() if momentum is None else momentum
            return functions.batch_norm(x, mean, var, weight, bias, layer.uses_batch, momentum or 0.0, 1e-5)


def apply(network, operation, operands, functions):
    x = operands[0]
    match operation:
        case p.Relu():
            return torch.relu(x)
        case p.Elu(alpha):
            return functions.elu(x, alpha)
        case p.MaxPool(kernel, stride, padding, ceil):
            return torch.nn.functional.max_pool2d(x, kernel, stride, padding, 1, ceil)
        case p.AvgPool(kernel, stride, padding, ceil, include_pad, divisor):
            return functions.avg_pool2d(x, kernel, stride, padding, ceil, include_pad, divisor)
        case p.AdaptivePool(size):
            return functions.adaptive_avg_pool2d(x, size)
        case p.GlobalPool():
            return functions.adaptive_avg_pool2d(x, 1)
        case p.Pad(widths, value):
            return torch.nn.functional.pad(x, widths, value=value)
        case p.ResponseNorm(size, alpha, beta, k):
            return functions.local_response_norm(x, size, alpha, beta, k)
        case p.Dropout(probability, training):
            return torch.nn.functional.dropout(x, probability, training)
        case p.Softmax(axis):
            return functions.softmax(x, axis)
        case p.Channels(start, stop):
            return torch.narrow(x, 1, start, stop - start)
        case p.SwapSides():
            return x.permute(0, 1, 3, 2)
        case p.Flatten():
            return x.reshape(x.shape[0], -1)
        case p.Detach():
            return x.detach()
        case p.Add():
            return functions.add(x, operands[1])
        case p.ScaledAdd(scale):
            return functions.add(x, functions.multiply(operands[1], torch.tensor(scale, dtype=x.dtype)))
        case p.Multiply():
            return functions.multiply(x, operands[1])
        case p.Concatenate():
            return torch.cat(operands, 1)
        case p.CrossEntropy(labels, smoothing, reduction, weighted):
            weight = torch.tensor(class_weights(network, x.shape[1])) if weighted else None
            options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
            return functions.cross_entropy(x, torch.tensor(labels), **options)
    raise NotImplementedError(operation)
