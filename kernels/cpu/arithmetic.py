"""Joining and adding image batches, divided among the threads. Contracts: `reference/arithmetic.py`."""

import numpy as np

from .. import checks
from ..conv_geometry import quiet
from ..reference import arithmetic as reference
from ..threads import run_parts
from .rows import flat_view, like

__all__ = ["add", "concatenate"]

SMALL = 1 << 16  # elements that one thread handles in less time than two need to agree


def concatenate(arrays, axis=1):
    """See `reference.concatenate`."""
    arrays = reference.check_arrays(arrays)
    total = sum(array.size for array in arrays)
    if total < SMALL or arrays[0].ndim != 4 or axis != 1:
        return reference.concatenate(arrays, axis)
    output = reference.concatenated(arrays, axis)
    slices = reference.concatenate_backward(output, [array.shape[1] for array in arrays])

    def part(start, stop):
        for target, array in zip(slices, arrays, strict=True):
            np.copyto(target[start:stop], array[start:stop])

    run_parts(part, len(output))
    return output


@quiet
def add(x, y):
    """See `reference.add`."""
    checks.floating("add", x=x, y=y)
    if x.size < SMALL or x.shape != y.shape or x.strides != y.strides:
        return reference.add(x, y)
    flat_x, flat_y = flat_view(x), flat_view(y)
    if flat_x is None:
        return reference.add(x, y)
    out, flat_out = like(x)
    run_parts(lambda i, j: np.add(flat_x[i:j], flat_y[i:j], out=flat_out[i:j]), x.size)
    return out
