"""Three kernels for a GPU, written in Python: im2col, max pooling and depthwise convolution with Numba's `cuda.jit`.

For learning how a GPU is programmed; each shows one idea, and they build on each other:

    im2col              one thread for each number, and where the threads of a warp should read and write
    max_pool2d          a grid with three axes, like the images themselves
    depthwise_conv2d    threads of a block that read an image together, into shared memory, and wait for each other

They give what the reference kernels of the same names give, and take the same arguments: NumPy arrays, which are
copied to the GPU and back. That makes them slow; training uses the `.cu` files of `minception/kernels/cuda`.

Without a GPU they run under Numba's simulator, which is Python, thread by thread, so that a debugger and `print` work:

    NUMBA_ENABLE_CUDASIM=1 python
    >>> from minception.study import cuda_in_python

A kernel is a function that every thread calls once. It returns nothing, it writes to arrays. What differs between the
threads is who they are: threads lie in blocks, at most 1024 in each, and the blocks in a grid. `cuda.threadIdx` is the
place of a thread in its block, `cuda.blockIdx` that of its block in the grid, and `cuda.grid(1)` is the place of the
thread among all, blockIdx.x * blockDim.x + threadIdx.x. Thirty-two neighbouring threads, a warp, execute one
instruction at a time together. Errors: RuntimeError where there is neither a GPU nor the simulator, else those of the
reference kernels.
"""

import math

import numpy as np
from numba import cuda

from ..kernels import checks
from ..kernels.conv_geometry import conv_geometry, depthwise_geometry
from ..kernels.reference.pool import pool_axes

__all__ = ["depthwise_conv2d", "im2col", "max_pool2d"]

THREADS = 128  # of a block of im2col: some multiple of 32, the threads of a warp
TILE = 8  # the other kernels have blocks of 8 x 8 threads, for as many pixels


def _require_gpu():
    if not cuda.is_available():
        raise RuntimeError(
            "Numba finds no GPU; set NUMBA_ENABLE_CUDASIM=1 in the environment before Python starts to run these "
            "kernels on the CPU"
        )


# ---------------------------------------------------------------------------------------------------------- im2col


@cuda.jit
def _im2col(x, columns, kernel_size, stride, before, dilation, output_size):
    """columns[(n, oh, ow), (i, j, c)] = x[n, oh * SH - top + i * DH, ow * SW - left + j * DW, c], or 0 outside.

    A grid has to have some size, and the matrix has another, so a thread does not make one number but every so-manieth:
    it starts at its own place and goes on by the number of all threads. Any grid is right then; a large one is fast.

    The threads of a warp are neighbours, so they write 32 neighbouring numbers, which is one transaction with the
    memory instead of 32. Their reads are neighbours too, because the channels of a pixel are: that is what images
    (N, H, W, C) are for.
    """
    _, height, width, channels = x.shape
    taps = kernel_size[0] * kernel_size[1]
    for place in range(cuda.grid(1), columns.size, cuda.gridsize(1)):
        row, column = place // (taps * channels), place % (taps * channels)
        tap, c = column // channels, column % channels
        n, pixel = row // (output_size[0] * output_size[1]), row % (output_size[0] * output_size[1])
        h = pixel // output_size[1] * stride[0] - before[0] + tap // kernel_size[1] * dilation[0]
        w = pixel % output_size[1] * stride[1] - before[1] + tap % kernel_size[1] * dilation[1]
        if 0 <= h < height and 0 <= w < width:
            columns[row, column] = x[n, h, w, c]
        else:
            columns[row, column] = 0


def im2col(x, kernel_size, stride=1, padding=0, dilation=1):
    """See `minception.kernels.reference.im2col`: (N, C, H, W) to (N * OH * OW, KH * KW * C)."""
    checks.floating("im2col", x=x)
    geometry = conv_geometry("im2col", x.shape, kernel_size, stride, padding, dilation)
    rows = x.shape[0] * math.prod(geometry.output_size)
    columns = np.empty((rows, math.prod(geometry.kernel_size) * x.shape[1]), x.dtype)
    if columns.size:
        _require_gpu()
        on_gpu = cuda.device_array(columns.shape, columns.dtype)
        blocks = -(-columns.size // THREADS)
        # kernel[blocks, threads of each](arguments): without waiting; the copy back waits for the kernel.
        images = _to_gpu(x.transpose(0, 2, 3, 1))
        _im2col[min(blocks, 1024), THREADS](images, on_gpu, *_numbers(geometry))
        on_gpu.copy_to_host(columns)
    return columns


def _to_gpu(array):
    """A copy of it there, in the order of its axes: a transfer takes memory without gaps."""
    return cuda.to_device(np.ascontiguousarray(array))


def _numbers(geometry):
    before = tuple(first for first, _ in geometry.padding)  # zeros above and to the left
    return geometry.kernel_size, geometry.stride, before, geometry.dilation, geometry.output_size


# ------------------------------------------------------------------------------------------------------ max pooling


@cuda.jit
def _max_pool2d(x, output, taps, kernel_size, stride, padding, dilation):
    """output[n, c, oh, ow] = the largest number of its window; taps: which one it was, i * KW + j.

    Here the grid has the shape of the work: `cuda.grid(3)` is a place along three axes. Blocks are whole, so at the
    right and at the bottom there are threads without a pixel, which have to be sent home first.

    Threads of a warp that take different sides of an `if` take both, one after the other. That costs little here: most
    windows are inside the image, and the sides are short.
    """
    ow, oh, image = cuda.grid(3)  # x first: the axis along which threads of a warp are neighbours
    if oh >= output.shape[2] or ow >= output.shape[3]:
        return
    n, c = image // x.shape[1], image % x.shape[1]

    best, tap, found = -math.inf, 0, False
    for i in range(kernel_size[0]):
        h = oh * stride[0] - padding[0] + i * dilation[0]
        for j in range(kernel_size[1]):
            w = ow * stride[1] - padding[1] + j * dilation[1]
            inside = 0 <= h < x.shape[2] and 0 <= w < x.shape[3]
            # The first of equal numbers stays; a NaN is larger than all, and only another one replaces it.
            if inside and (not found or x[n, c, h, w] > best or math.isnan(x[n, c, h, w])):
                best, tap, found = x[n, c, h, w], i * kernel_size[1] + j, True
    output[n, c, oh, ow] = best
    taps[n, c, oh, ow] = tap


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """See `minception.kernels.reference.max_pool2d`: (output, taps), both (N, C, OH, OW); taps are int32.

    Taps of windows that miss the image altogether, between two dilated taps, are 0.
    """
    checks.floating("max_pool2d", x=x)
    axes = pool_axes("max_pool2d", "x", x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    shape = (*x.shape[:2], *(axis.count for axis in axes))
    output, taps = np.empty(shape, x.dtype), np.empty(shape, np.int32)
    if output.size:
        _require_gpu()
        on_gpu = cuda.device_array(shape, x.dtype), cuda.device_array(shape, np.int32)
        numbers = (tuple(getattr(axis, name) for axis in axes) for name in ("kernel", "stride", "padding", "dilation"))
        _max_pool2d[_grid(shape), (TILE, TILE, 1)](_to_gpu(x), *on_gpu, *numbers)
        for array, host in zip(on_gpu, (output, taps), strict=True):
            array.copy_to_host(host)
    return output, taps


def _grid(shape):
    """So many blocks along (columns, rows, images and their channels) cover an output (N, C, OH, OW)."""
    n, c, height, width = shape
    return -(-width // TILE), -(-height // TILE), n * c


# ---------------------------------------------------------------------------------------------- depthwise convolution


@cuda.jit
def _depthwise_conv2d(x, weight, output, stride, before, dilation, multiplier):
    """output[n, o] = x[n, o / M] correlated with weight[o], for M outputs of each channel.

    The windows of neighbouring pixels overlap: with a 3x3 kernel, nine threads read each pixel, from a memory that
    takes hundreds of cycles to answer. A block makes 8 x 8 pixels, and all of its windows lie in one rectangle of the
    image, so its threads first copy that into shared memory: tens of kilobytes beside the arithmetic units, one for
    each block, which answer within some thirty cycles. The threads share the copying, whoever needs a number later.

    Therefore they have to wait for each other: behind `syncthreads` every thread of the block finds what all have
    written before it. Every thread has to get there, so those without a pixel cannot return early.
    """
    pixels = cuda.shared.array(0, dtype=x.dtype)  # as long as the launch says
    tile_height = (TILE - 1) * stride[0] + (weight.shape[2] - 1) * dilation[0] + 1
    tile_width = (TILE - 1) * stride[1] + (weight.shape[3] - 1) * dilation[1] + 1
    n, o = cuda.blockIdx.z // weight.shape[0], cuda.blockIdx.z % weight.shape[0]
    c = o // multiplier
    top = cuda.blockIdx.y * TILE * stride[0] - before[0]  # of the rectangle
    left = cuda.blockIdx.x * TILE * stride[1] - before[1]

    for place in range(cuda.threadIdx.y * TILE + cuda.threadIdx.x, tile_height * tile_width, TILE * TILE):
        h, w = top + place // tile_width, left + place % tile_width
        if 0 <= h < x.shape[2] and 0 <= w < x.shape[3]:
            pixels[place] = x[n, c, h, w]
        else:
            pixels[place] = 0
    cuda.syncthreads()

    ow, oh, _ = cuda.grid(3)
    if oh >= output.shape[2] or ow >= output.shape[3]:
        return
    total = x.dtype.type(0)
    for i in range(weight.shape[2]):
        row = (cuda.threadIdx.y * stride[0] + i * dilation[0]) * tile_width
        for j in range(weight.shape[3]):
            total += pixels[row + cuda.threadIdx.x * stride[1] + j * dilation[1]] * weight[o, 0, i, j]
    output[n, o, oh, ow] = total


def depthwise_conv2d(x, weight, stride=1, padding=0, dilation=1):
    """See `minception.kernels.reference.depthwise_conv2d`: (N, C, H, W) and (C * M, 1, KH, KW) to (N, C * M, OH, OW).

    Raises ValueError if the pixels that a block of 8 x 8 windows reads do not fit into 48 KiB of shared memory.
    """
    checks.floating("depthwise_conv2d", x=x, weight=weight)
    geometry, multiplier = depthwise_geometry("depthwise_conv2d", x.shape, weight.shape, stride, padding, dilation)
    kernel, stride, before, dilation, output_size = _numbers(geometry)
    spans = ((TILE - 1) * s + (k - 1) * d + 1 for k, s, d in zip(kernel, stride, dilation, strict=True))
    shared = math.prod(spans) * x.itemsize
    if shared > 48 << 10:
        raise ValueError(f"depthwise_conv2d: the pixels of a block take {shared} bytes of shared memory, it has 49152")
    output = np.empty((x.shape[0], weight.shape[0], *output_size), x.dtype)
    if output.size:
        _require_gpu()
        on_gpu, stream = cuda.device_array(output.shape, x.dtype), 0
        _depthwise_conv2d[_grid(output.shape), (TILE, TILE, 1), stream, shared](
            _to_gpu(x), _to_gpu(weight), on_gpu, stride, before, dilation, multiplier
        )
        on_gpu.copy_to_host(output)
    return output
