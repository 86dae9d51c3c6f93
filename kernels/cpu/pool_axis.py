"""Which pixels the windows along one axis of an image see, and which windows see a pixel, as tables of integers.

Both are walks at equal steps: window o reads pixel o * stride - padding + tap * dilation, so its next tap lies
`dilation` pixels on; and where a pixel is tap t of window o, it is tap t + stride / g of window o - dilation / g, for
the greatest common divisor g of both.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from ..reference.adaptive_pool import window_bounds
from ..reference.pool import first_tap_inside

__all__ = ["Walks", "adaptive_walks", "pixels_of_windows", "windows_of_pixels"]


class Walks(NamedTuple):
    """One walk along the axis for each output.

    table: int64 (3, outputs), the first number of each walk, how many there are, and the tap of the first.
    step, tap_step: from one number to the next.
    """

    table: np.ndarray
    step: int
    tap_step: int


@functools.lru_cache(1024)
def pixels_of_windows(axis):
    """For each window of an `Axis` of `reference/pool.py`: its pixels inside the image, in the order of its taps."""
    windows = np.arange(axis.count)
    tap = first_tap_inside(np, axis)
    first = windows * axis.stride - axis.padding + tap * axis.dilation
    last_tap = (axis.size - 1 + axis.padding - windows * axis.stride) // axis.dilation
    count = np.minimum(last_tap, axis.kernel - 1) - tap + 1
    count[(first < 0) | (first >= axis.size)] = 0
    return Walks(_table(first, count, tap), axis.dilation, 1)


@functools.lru_cache(1024)
def windows_of_pixels(axis):
    """For each pixel of an `Axis` of `reference/pool.py`: the windows that see it, in the order of their taps."""
    common = math.gcd(axis.stride, axis.dilation)
    step, tap_step = -(axis.dilation // common), axis.stride // common
    first, count, taps = (np.zeros(axis.size, np.int64) for _ in range(3))
    for tap in reversed(range(axis.kernel)):  # the smallest tap remains as the first
        windows, pixels = axis.slices(tap)
        first[pixels] = np.arange(windows.start, windows.stop)
        count[pixels] += 1
        taps[pixels] = tap
    return Walks(_table(first, count, taps), step, tap_step)


@functools.lru_cache(1024)
def adaptive_walks(size, count):
    """For each of the `count` adaptive windows over `size` pixels: its pixels."""
    starts, ends = window_bounds(np, size, count)
    return Walks(_table(starts, ends - starts, np.zeros(count)), 1, 0)


def _table(first, count, tap):
    return np.stack([first, count, tap]).astype(np.int64)
