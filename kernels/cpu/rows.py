"""Images as matrices with one row for each pixel: what the fast kernels work on."""

import math

import numpy as np

from .. import workspace


def as_rows(x):
    """(N, C, ...) as a C-contiguous matrix (pixels, C); a view if `x` is channels-last in memory, else a copy."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)).reshape(math.prod(x.shape[:1] + x.shape[2:]), x.shape[1])


def _order(x):
    """Axes of `x` in the order in which they lie in memory, if `x` fills its memory without gaps; else None."""
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    order = (0, *range(2, x.ndim), 1)  # channels last
    return order if x.ndim > 2 and x.transpose(order).flags.c_contiguous else None


def flat_view(x):
    """The elements of `x` in memory order as a view of one dimension; None if they do not lie without gaps."""
    order = _order(x)
    return None if order is None else x.transpose(order).reshape(-1)


def like(x):
    """A new array with the shape and the memory order of `x`, and its flat view."""
    order = _order(x)
    memory = workspace.empty([x.shape[axis] for axis in order], x.dtype)
    return memory.transpose(np.argsort(order)), memory.reshape(-1)


def is_channels_last(x):
    """Whether (N, C, H, W) lies in memory as contiguous (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1).flags.c_contiguous
