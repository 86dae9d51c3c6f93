"""Launching a kernel of a `.cu` file: on the GPU for CuPy's arrays, on the CPU (see `emulated`) for NumPy's."""

import functools

import numpy as np

from ..arrays import array_module
from .source import definitions, source_text

__all__ = ["axis_arguments", "blocks_for", "launch", "pieces_of", "tile"]

THREADS = 256  # of a block, in kernels whose threads make one element each
MOST_BLOCKS = 1 << 16  # of a grid: its threads go on to further elements where these do not suffice
BLOCKS_AT_ONCE = 1024  # an H200 has 132 multiprocessors, and each room for 8 blocks
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
    """A callable (grid, block, arguments, shared) for CuPy's arrays."""
    kernel = _module(source, dtype, integer).get_function(name)

    def call(grid, block, arguments, shared):
        kernel(grid, block, tuple(map(_for_cupy, arguments)), shared_mem=shared)

    return call


@functools.cache
def _module(source, dtype, integer):
    """All kernels of a file, compiled by NVRTC and kept by CuPy, in memory and on disk."""
    import cupy

    return cupy.RawModule(code=source_text(source), options=("-std=c++17", *definitions(dtype, integer)))


def _for_cupy(argument):
    """CuPy hands scalars on as they lie in memory, so they have the types of parameters; None would be no address."""
    if argument is None:
        return np.uint64(0)
    return np.float64(argument) if isinstance(argument, float) else argument


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


def pieces_of(rows, least, tiles):
    """(rows of a piece, pieces) of sums over rows, where a block has a piece and one of `tiles` tiles of the channels.

    A piece has at least `least` rows; there are not many more blocks than a GPU can run at once, so that it is soon
    done to put the pieces together.
    """
    piece = max(least, -(-rows // max(BLOCKS_AT_ONCE // tiles, 1)))
    return piece, -(-rows // piece)


def tile(channels):
    """(width, height) of a block whose threads (x, y) hold channel x of its tile: neighbours in memory, so that their
    loads come together. Narrow images have narrow blocks, which are as large all the same."""
    width = min(32, 1 << max(channels - 1, 0).bit_length())
    return width, THREADS // width
