"""The shape of every value of a network, worked out without running it."""

import math

from tests.composition import program as p


def shapes_of(network):
    """The shape of every value by name, inputs included."""
    shapes = dict(network.inputs)
    for step in network.steps:
        operands = [shapes[source] for source in step.sources]
        shapes[step.name] = output_shape(step.operation, network.layers, operands)
    return shapes


def output_shape(operation, layers, shapes):
    """Shape of the result of an operation on values of these shapes."""
    shape = shapes[0]
    match operation:
        case p.Apply(layer):
            return layer_shape(layers[layer], shape)
        case p.MaxPool(kernel, stride, padding, ceil) | p.AvgPool(kernel, stride, padding, ceil):
            return (*shape[:2], *(pooled(*side, ceil) for side in zip(shape[2:], kernel, stride, padding, strict=True)))
        case p.AdaptivePool(size):
            return (*shape[:2], *size)
        case p.GlobalPool():
            return (*shape[:2], 1, 1)
        case p.Pad((left, right, top, bottom)):
            return (*shape[:2], shape[2] + top + bottom, shape[3] + left + right)
        case p.Channels(start, stop):
            return (shape[0], stop - start, *shape[2:])
        case p.SwapSides():
            return (*shape[:2], shape[3], shape[2])
        case p.Flatten():
            return (shape[0], math.prod(shape[1:]))
        case p.Add() | p.Multiply():
            return tuple(max(sides) for sides in zip(*shapes, strict=True))
        case p.Concatenate():
            return (shape[0], sum(s[1] for s in shapes), *shape[2:])
        case p.CrossEntropy(reduction=reduction):
            return shape[:1] if reduction == "none" else ()
    return shape


def layer_shape(layer, shape):
    match layer:
        case p.Linear():
            return (*shape[:-1], layer.outputs)
        case p.BatchNorm():
            return shape
    if layer.padding == "same":
        return (shape[0], layer.outputs, *shape[2:])
    sides = zip(shape[2:], layer.kernel, layer.stride, layer.padding, layer.dilation, strict=True)
    return (shape[0], layer.outputs, *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides))


def pooled(length, kernel, stride, padding, ceil):
    """Number of windows; with `ceil` a last one may overhang, if it starts inside the image or its left padding."""
    room = length + 2 * padding - kernel
    count = (-(-room // stride) if ceil else room // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= length + padding else count
