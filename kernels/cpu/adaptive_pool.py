"""Adaptive and global average pooling in one pass over memory. Contracts: `reference/adaptive_pool.py`."""

import functools

import numpy as np

from .. import checks
from ..conv_geometry import quiet
from ..reference import adaptive_pool as reference
from .pool import mean_gradients, means
from .pool_axis import adaptive_walks

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "global_avg_pool2d",
]


@functools.lru_cache(1024)
def _areas(size, count, dtype):
    """Pixels in each window, (OH, OW), for a size (H, W) and a count (OH, OW) of windows."""
    return np.ascontiguousarray(reference.window_areas(np, *size, *count, dtype)[:, :, 0])


def _average(x, count):
    size = x.shape[2:]
    return means(x, *map(adaptive_walks, size, count), _areas(size, count, x.dtype))


def _spread(grad_output, size):
    """Each pixel sums its windows' shares; the windows of a pixel follow the rule of the pixels of a window."""
    count = grad_output.shape[2:]
    shares = (1 / _areas(size, count, np.dtype(np.float64))).astype(grad_output.dtype).reshape(-1)
    return mean_gradients(grad_output, *map(adaptive_walks, count, size), shares)


@quiet
def adaptive_avg_pool2d(x, output_size):
    """See `reference.adaptive_avg_pool2d`."""
    name = "adaptive_avg_pool2d"
    checks.floating(name, x=x)
    return _average(x, reference.check_output_size(name, x, output_size))


@quiet
def adaptive_avg_pool2d_backward(grad_output, x_shape):
    """See `reference.adaptive_avg_pool2d_backward`."""
    reference.check_backward("adaptive_avg_pool2d_backward", grad_output, x_shape)
    return _spread(grad_output, tuple(x_shape[2:]))


@quiet
def global_avg_pool2d(x):
    """See `reference.global_avg_pool2d`."""
    checks.floating("global_avg_pool2d", x=x)
    reference.check_shape("global_avg_pool2d", "x", x.shape)
    return _average(x, (1, 1))
