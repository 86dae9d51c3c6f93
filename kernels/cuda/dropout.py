"""Dropout, whose mask is drawn where the array is, see `dropout.cu`. Contract: `reference/dropout.py`.

The reference draws from NumPy's generator on the CPU, one number after the other, and a mask as large as the array has
to be sent to the GPU. Here the generator draws only a key, and element i of the array (channels-last, as it lies in
memory) is kept or dropped as a function of the key and of i: Philox (`philox.cuh`). It is integer arithmetic, and a
comparison of integers with p * 2^32, so a seed gives the same mask on every GPU and in the emulation, for both dtypes,
whatever the strides, the grid and the order of threads. It is another mask than on the CPU.

A generator of a class of one's own may have its own ways to draw; with those, the mask is the reference's.
"""

import numpy as np

from .. import checks, reference
from ..arrays import array_module
from ..capture import current_capture
from ..layout import empty_images
from ..reference.dropout import check_arguments
from .launch import blocks_for, launch
from .memory import images_in_memory

__all__ = ["draw_key", "dropout"]

FOUR = 4  # random numbers of a counter


def draw_key(generator):
    """The key of a mask: int64 (2,), numbers of 32 bits."""
    return generator.integers(-(1 << 31), 1 << 31, 2)


def dropout(x, p, generator):
    """See `reference.dropout`; the generator advances by the key's two numbers of 32 bits."""
    checks.floating("dropout", x=x)
    p = check_arguments(p, generator)
    xp, capture = array_module(x), current_capture()
    if type(generator) is not np.random.Generator:
        if capture is not None:
            raise RuntimeError("dropout: in a CUDA graph only generators of NumPy's own class can draw, at each replay")
        return reference.dropout(x, p, generator)
    if capture is None:
        key, numbers = None, draw_key(generator).tolist()
    else:  # each replay of the graph writes the numbers that it draws to this place
        key, numbers = xp.empty(2, np.int64), [0, 0]
        capture.draws.append((generator, key))
    scale = 1 / (1 - p) if p < 1 else 0.0
    if x.ndim == 4:
        output, mask = (empty_images(xp, x.shape, x.dtype) for _ in range(2))
        arrays = map(images_in_memory, (x, output, mask))
    else:
        output, mask = (xp.empty(x.shape, x.dtype) for _ in range(2))
        arrays = xp.ascontiguousarray(x), output, mask
    launch("dropout.cu", "dropout", x.dtype, *blocks_for(-(-x.size // FOUR)), *arrays, x.size, key, *numbers, p, scale)
    return output, mask
