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
from ..layout import empty_images
from ..reference.dropout import check_arguments
from .launch import blocks_for, launch
from .memory import images_in_memory

__all__ = ["dropout"]

FOUR = 4  # random numbers of a counter


def dropout(x, p, generator):
    """See `reference.dropout`; the generator advances by the key's two numbers of 32 bits."""
    checks.floating("dropout", x=x)
    p = check_arguments(p, generator)
    if type(generator) is not np.random.Generator:
        return reference.dropout(x, p, generator)
    key = generator.integers(-(1 << 31), 1 << 31, 2).tolist()
    scale = 1 / (1 - p) if p < 1 else 0.0
    if x.ndim == 4:
        output, mask = (empty_images(array_module(x), x.shape, x.dtype) for _ in range(2))
        arrays = map(images_in_memory, (x, output, mask))
    else:
        output, mask = (array_module(x).empty(x.shape, x.dtype) for _ in range(2))
        arrays = array_module(x).ascontiguousarray(x), output, mask
    launch("dropout.cu", "dropout", x.dtype, *blocks_for(-(-x.size // FOUR)), *arrays, x.size, *key, p, scale)
    return output, mask
