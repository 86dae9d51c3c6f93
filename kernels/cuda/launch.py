"""Launching a kernel of a `.cu` file: on the GPU for CuPy's arrays, on the CPU (see `emulated`) for NumPy's."""

import functools

import numpy as np

from ..arrays import array_module
from .source import definitions, source_text

__all__ = ["axis_arguments", "blocks_for", "launch", "tile"]

THREADS = 256  # of a block, in kernels whose threads make one element each
MOST_BLOCKS = 1 << 16  # of a grid: its threads go on to further elements where these do not suffice
MOST_IN_INT = 1 << 30  # elements of an array up to which `integer` is int; sums of two indices still fit


def launch(source, name, dtype, grid, block, *arguments, shared=0):
    """Run the kernel `name` of the file `source` on a grid of blocks of threads.

    dtype: what `number` is. grid, block: up to three extents; a grid without blocks is not launched. arguments: arrays
    in the order of the kernel's parameters, C-contiguous (their memory is what the kernel sees), None for a null
    pointer, ints for `integer` and floats for `double`. shared: bytes of dynamic shared memory.
    """
    if 0 in grid:
        return
    arrays = [argument for argument in arguments if hasattr(argument, "dtype")]
    integer = np.int32 if max(array.size for array in arrays) <= MOST_IN_INT else np.int64
    grid, block = ((*extents, 1, 1)[:3] for extents in (grid, block))
    values = tuple(integer(a) if isinstance(a, (int, np.integer)) else a for a in arguments)
    find = _emulated if array_module(*arrays) is np else _on_gpu
    find(source, name, np.dtype(dtype), integer)(grid, block, values, shared)


@functools.cache
def _on_gpu(source, name, dtype, integer):
    """A callable (grid, block, arguments, shared) for CuPy's arrays, compiled by NVRTC and cached by CuPy."""
    import cupy

    options = ("-std=c++17", *definitions(dtype, integer))
    kernel = cupy.RawModule(code=source_text(source), options=options).get_function(name)

    def call(grid, block, arguments, shared):
        # CuPy takes scalars as they lie in memory, so they have the types of the parameters: `integer` and double.
        arguments = tuple(np.float64(a) if isinstance(a, float) else a for a in arguments)
        kernel(grid, block, arguments, shared_mem=shared)

    return call


@functools.cache
def _emulated(source, name, dtype, integer):
    """The same for NumPy's arrays, compiled by g++."""
    from .emulated import emulated_kernel

    return emulated_kernel(source_text(source), name, definitions(dtype, integer))


def blocks_for(count):
    """(grid, block) for a kernel whose threads make `count` elements, one each or every so-manieth (FOR_EACH)."""
    return (min(-(-count // THREADS), MOST_BLOCKS),), (THREADS,)


def axis_arguments(*axes):
    """The arguments for AXIS parameters (`window.cuh`), from objects with the fields of `reference.pool.Axis`."""
    for axis in axes:
        stride = axis.stride if axis.count > 1 else 1  # which may not fit into an int where there is no next window
        yield from (axis.size, axis.count, axis.kernel, stride, axis.padding, axis.dilation)


def tile(channels):
    """(width, height) of a block whose threads (x, y) hold channel x of its tile: neighbours in memory, so that their
    loads come together. Narrow images have narrow blocks, which are as large all the same."""
    width = min(32, 1 << max(channels - 1, 0).bit_length())
    return width, THREADS // width
