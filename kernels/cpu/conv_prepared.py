"""Convolution with weights that are packed, or transformed for Winograd's algorithm, once. Contracts:
`reference/conv_prepared.py`.

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
from .conv import group_slices
from .correlation import forward_axes
from .packing import padded_bias
from .plan import pack_weights, run_packed, squares_for

__all__ = ["conv2d_prepared"]


@quiet
def conv2d_prepared(x, prepared):
    """See `reference.conv2d_prepared`."""
    reference.check_prepared(prepared)
    weight, floor = prepared.weight, 0.0 if prepared.relu else -np.inf
    checks.floating("conv2d_prepared", x=x, weight=weight)
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
    for inputs, outputs, weights, bias in parts:
        run_packed(x[:, inputs], weights, bias, *axes, output[:, outputs], floor=floor)
    return output


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
