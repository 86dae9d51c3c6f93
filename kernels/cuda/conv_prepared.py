"""Convolution with weights that are made ready once: with its bias and ReLU in one kernel where that gathers windows.

Contract: `reference/conv_prepared.py`.
"""

from ..reference.conv_prepared import check_prepared
from .activation import relu as rectify
from .conv import convolve
from .depthwise import depthwise_conv2d

__all__ = ["conv2d_prepared"]


def conv2d_prepared(x, prepared):
    """See `reference.conv2d_prepared`."""
    name = "conv2d_prepared"
    check_prepared(name, "prepared", prepared)
    if prepared.before is not None:
        x = conv2d_prepared(x, prepared.before)
    weight, bias, geometry = prepared.weight, prepared.bias, dict(prepared.geometry)
    if geometry["groups"] > 1 and weight.shape[1] == 1 and x.ndim == 4 and x.shape[1] == geometry["groups"]:
        del geometry["groups"]
        output = depthwise_conv2d(x, weight, bias, **geometry)
        return rectify(output) if prepared.relu else output
    return convolve(name, x, weight, bias, **geometry, relu=prepared.relu)
