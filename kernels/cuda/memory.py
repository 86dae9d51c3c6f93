"""Images as the kernels see them: (N, C, H, W) that lies in memory as contiguous (N, H, W, C)."""

import math

from ..arrays import array_module
from ..layout import empty_images

__all__ = ["empty_images", "empty_like_images", "images_in_memory", "rows_in_memory"]


def images_in_memory(x):
    """(N, C, ...) as a contiguous array (N, ..., C); a view if it lies in memory so, else a copy."""
    xp = array_module(x)
    return xp.ascontiguousarray(xp.moveaxis(x, 1, -1))


def rows_in_memory(x):
    """(N, C, ...) as a contiguous matrix (rows, C) with a row for each pixel; a view or a copy."""
    return images_in_memory(x).reshape(x.shape[0] * math.prod(x.shape[2:]), x.shape[1])


def empty_like_images(x):
    """An uninitialised array of the shape and dtype of x (N, C, ...), channels-last in memory."""
    xp = array_module(x)
    if x.ndim == 4:
        return empty_images(xp, x.shape, x.dtype)
    n, c, *positions = x.shape
    return xp.moveaxis(xp.empty((n, *positions, c), x.dtype), -1, 1)
