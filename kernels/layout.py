"""The physical order of images in memory, stated once.

Logically an image batch is (N, C, H, W), as in PyTorch. Physically the kernels prefer *channels last*: the
channels of one pixel lie next to each other, so that a 1x1 convolution is a matrix product without any copy,
and per-channel work (batch norm, pooling, depthwise convolution) runs along contiguous memory.

Every kernel accepts any strides. Kernels that make a new image batch make it channels-last and hand back the
logical (N, C, H, W) view.
"""


import numpy as np

from . import workspace


def to_nhwc(x):
    """View (N, C, H, W) as (N, H, W, C). No copy; contiguous if `x` is channels-last in memory."""
    return x.transpose(0, 2, 3, 1)


def to_nchw(x):
    """View (N, H, W, C) as the logical (N, C, H, W). No copy."""
    return x.transpose(0, 3, 1, 2)


def empty_images(xp, shape, dtype):
    """An uninitialised logical (N, C, H, W) array, channels-last in memory."""
    n, c, h, w = shape
    empty = workspace.empty if xp is np else xp.empty
    return to_nchw(empty((n, h, w, c), dtype))


def zeros_images(xp, shape, dtype):
    """A zero-filled logical (N, C, H, W) array, channels-last in memory."""
    zeros = empty_images(xp, shape, dtype)
    zeros.fill(0)
    return zeros
