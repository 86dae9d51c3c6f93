"""Convolution with weights that are packed, or transformed for Winograd's algorithm, once. Contracts:
`reference/conv_prepared.py`. A depthwise convolution and the pointwise one after it run as one (`separable.py`).

Beside the packing, evaluation saves the passes over memory that bias and ReLU would take: they are applied where a tile
of the output is still in registers.
"""

import numpy as np

from .. import checks
from ..conv_geometry import conv2d_geometry, quiet
from ..placement import new_images
from ..reference import conv_prepared as reference
from ..settings import get_winograd
from . import depthwise
from .axis import forward_axes
from .conv import group_slices
from .depthwise_square import is_square
from .packing import padded_bias
from .plan import pack_weights, run_packed, squares_for
from .separable import correlate_separable

__all__ = ["conv2d_prepared"]


def conv2d_prepared(x, prepared):
    """See `reference.conv2d_prepared`."""
    reference.check_prepared("conv2d_prepared", "prepared", prepared)
    weight, floor = prepared.weight, _floor(prepared)
    checks.floating("conv2d_prepared", x=x, weight=weight)
    if prepared.before is not None:
        output = _separable(x, prepared)
        if output is not None:
            return output
        x = conv2d_prepared(x, prepared.before)
    key = x.shape, get_winograd()
    if key not in prepared.ready:
        prepared.ready[key] = _prepare(x, prepared)
    found = prepared.ready[key]
    if x.size == 0:
        return reference.conv2d_prepared(x, prepared)
    output_shape, axes, parts = found
    output = new_images(output_shape, x.dtype)
    if parts is None:
        depthwise.run_correlation(x, weight, prepared.bias, *axes, output, floor)
        return output
    if len(parts) == 1:
        run_packed(x, *parts[0][2:], *axes, output, floor=floor)
        return output
    for inputs, outputs, weights, bias in parts:
        run_packed(x[:, inputs], weights, bias, *axes, output[:, outputs], floor=floor)
    return output


def _floor(prepared):
    return 0.0 if prepared.relu else -np.inf


def _separable(x, prepared):
    """The output of a depthwise and a pointwise convolution, made in one; None where that cannot or should not be."""
    key = "separable", x.shape
    if key not in prepared.ready:
        prepared.ready[key] = _prepare_separable(x, prepared)
    found = prepared.ready[key]
    if found is None:
        return None
    output_shape, axes, taps, tap_bias, packed, bias = found
    output = new_images(output_shape, x.dtype)
    before, after = _floor(prepared.before), _floor(prepared)
    done = correlate_separable(x, taps, tap_bias, before, *axes, packed.values, bias, after, output)
    return output if done else None


def _prepare_separable(x, prepared):
    """(shape of the output, axes of the depthwise half, its taps (9 * C,) and bias (C,), packed weights and padded bias
    of the pointwise half) for images like x; None unless the two are such halves."""
    before, weight = prepared.before, prepared.weight
    first, groups = conv2d_geometry("conv2d_prepared", x.shape, before.weight.shape, **before.geometry)
    rows, columns = forward_axes(first)
    channels = x.shape[1]
    if before.before is not None or not groups == channels == len(before.weight) or not is_square(rows, columns):
        return None
    between = x.shape[0], channels, *first.output_size
    second, groups = conv2d_geometry("conv2d_prepared", between, weight.shape, **prepared.geometry)
    if groups > 1 or weight.shape[2:] != (1, 1) or second.output_size != first.output_size or x.size == 0:
        return None
    taps = np.ascontiguousarray(before.weight[:, 0].transpose(1, 2, 0)).reshape(-1)
    tap_bias = np.zeros(channels, x.dtype) if before.bias is None else before.bias
    packed = pack_weights(weight, *forward_axes(second), 0)
    output_shape = x.shape[0], len(weight), *second.output_size
    return output_shape, (rows, columns), taps, tap_bias, packed, padded_bias(prepared.bias, len(weight), x.dtype)


@quiet
def _prepare(x, prepared):
    """(shape of the output, axes, for each group: slices of inputs and outputs, packed weights, padded bias) for images
    like x. The parts are None for a depthwise convolution."""
    weight, groups = prepared.weight, prepared.geometry["groups"]
    geometry, groups = conv2d_geometry("conv2d_prepared", x.shape, weight.shape, **prepared.geometry)
    axes = forward_axes(geometry)
    output_shape = (x.shape[0], weight.shape[0], *geometry.output_size)
    if groups > 1 and groups == x.shape[1] == weight.shape[0]:
        return output_shape, axes, None
    parts = []
    for inputs, outputs in group_slices(weight.shape, groups):
        # Packed weights depend on the algorithm only, which images of many sizes have in common.
        squares = squares_for(len(x), weight[outputs], *axes)
        key = "weights", outputs.start, squares
        if key not in prepared.ready:
            bias = None if prepared.bias is None else prepared.bias[outputs]
            packed = pack_weights(weight[outputs], *axes, squares)
            prepared.ready[key] = packed, padded_bias(bias, len(weight) // groups, weight.dtype)
        parts.append((inputs, outputs, *prepared.ready[key]))
    return output_shape, axes, parts
