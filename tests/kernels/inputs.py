"""Layouts that an array can have in memory."""

import numpy as np

LAYOUTS = ("contiguous", "channels last", "channel slice", "fortran", "sliced", "reversed")


def in_layout(array, layout):
    """The same values with another order, spacing or direction in memory. Gaps hold NaN, to be seen if read.

    A "channel slice" is what a concatenation's gradient hands on: some channels of a larger channels-last array.
    """
    if array.ndim == 0:
        return array.copy()
    if layout == "fortran" or (layout.startswith("channel") and array.ndim < 3):
        return np.asfortranarray(array)
    if layout == "channels last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    if layout == "channel slice":
        n, c, *positions = array.shape
        wide = np.full((n, *positions, c + 3), np.nan, array.dtype)
        channels = np.moveaxis(wide[..., 1 : 1 + c], -1, 1)
        channels[...] = array
        return channels
    if layout == "sliced":
        wide = np.full([2 * length + 1 for length in array.shape], np.nan, array.dtype)
        window = wide[tuple(slice(1, 1 + 2 * length, 2) for length in array.shape)]
        window[...] = array
        return window
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[backwards])[backwards]
    return np.ascontiguousarray(array)


def is_channels_last(array):
    """Whether (N, C, ...) lies in memory as contiguous (N, ..., C)."""
    return np.moveaxis(array, 1, -1).flags.c_contiguous
