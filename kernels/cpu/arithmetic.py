"""Joining and adding image batches, divided among the threads. Contracts: `reference/arithmetic.py`."""

import numpy as np

from .. import checks
from ..conv_geometry import quiet
from ..reference import arithmetic as reference
from .compile import compiled
from .parallel import run_if_large
from .row_steps import rows_in_memory
from .rows import flat_view, like
from .tables import addresses_of, piece

__all__ = ["add", "concatenate", "scaled_add"]

SMALL = 1 << 14  # elements that NumPy joins in less time than it takes to say where they are


@compiled
def _add(start, stop, part, x, y, out):
    x, y, out = x[start:stop], y[start:stop], out[start:stop]  # see `activation.py`
    for i in range(len(out)):
        out[i] = x[i] + y[i]


@compiled
def _scaled_add(start, stop, part, x, y, scale, out):
    x, y, out = x[start:stop], y[start:stop], out[start:stop]
    for i in range(len(out)):
        out[i] = x[i] + scale * y[i]


@compiled
def _join(start, stop, part, addresses, steps, channels, out):
    """Pixels [start, stop) of all arrays; pixel r of array a is the row of channels[a] numbers at r * steps[a]."""
    place = start * channels.sum()
    for r in range(start, stop):
        for a in range(len(addresses)):
            size = channels[a]
            row, out_row = piece(addresses[a], r * steps[a], size, out), out[place : place + size]
            for c in range(len(out_row)):
                out_row[c] = row[c]
            place += size


def concatenate(arrays, axis=1):
    """See `reference.concatenate`."""
    arrays = reference.check_arrays(arrays)
    total = sum(array.size for array in arrays)
    if total < SMALL or arrays[0].ndim != 4 or axis != 1:
        return reference.concatenate(arrays, axis)
    output = reference.concatenated(arrays, axis)
    rows = [rows_in_memory(array) for array in arrays if array.size]
    memories = [memory for memory, _ in rows]  # alive until the end, while compiled code has only their addresses
    steps = np.array([step for _, step in rows])
    channels = np.array([array.shape[1] for array in arrays if array.size])
    out = flat_view(output)
    run_if_large(_join, total // output.shape[1], total, addresses_of(memories), steps, channels, out)
    return output


def _flat(x, y):
    """Both as vectors of elements in the same order, or None: if they do not lie alike and without gaps in memory."""
    if x.size == 0 or x.shape != y.shape or x.strides != y.strides or not (x.flags.writeable and y.flags.writeable):
        return None
    flat = flat_view(x)
    return None if flat is None else (flat, flat_view(y))


@quiet
def add(x, y):
    """See `reference.add`."""
    checks.floating("add", x=x, y=y)
    flat = _flat(x, y)
    if flat is None:
        return reference.add(x, y)
    out, flat_out = like(x)
    run_if_large(_add, x.size, x.size, *flat, flat_out)
    return out


@quiet
def scaled_add(x, y, scale):
    """See `reference.scaled_add`."""
    checks.floating("scaled_add", x=x, y=y)
    flat = _flat(x, y)
    if flat is None:
        return reference.scaled_add(x, y, scale)
    scale = checks.real("scaled_add", "scale", scale)
    out, flat_out = like(x)
    run_if_large(_scaled_add, x.size, x.size, *flat, x.dtype.type(scale), flat_out)
    return out
