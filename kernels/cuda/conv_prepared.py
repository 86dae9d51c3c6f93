"""Convolution with weights that do not change, and ReLU. Contract: `reference/conv_prepared.py`."""

import math

from .. import checks
from ..conv_geometry import conv2d_geometry
from ..reference.conv_prepared import check_prepared
from .activation import relu
from .conv import convolved
from .depthwise import depthwise_conv2d

__all__ = ["conv2d_prepared"]


def conv2d_prepared(x, prepared):
    """See `reference.conv2d_prepared`. ReLU is part of the convolution; depthwise ones have a kernel of their own."""
    check_prepared("conv2d_prepared", "prepared", prepared)
    if prepared.before is not None:
        x = conv2d_prepared(x, prepared.before)
    weight, options = prepared.weight, prepared.geometry
    checks.floating("conv2d_prepared", x=x, weight=weight)
    geometry, groups = conv2d_geometry("conv2d_prepared", x.shape, weight.shape, **options)
    if groups > 1 and weight.shape[1] == 1:
        options = {name: value for name, value in options.items() if name != "groups"}
        output = depthwise_conv2d(x, weight, prepared.bias, **options)
        return relu(output) if prepared.relu else output
    return convolved(x, weight, prepared.bias, geometry, groups, floor=0.0 if prepared.relu else -math.inf)
