"""Weights in the order in which the tiles of a correlation read them, `packed`: (blocks of outputs, taps, channels,
outputs of a block), with zeros after the last output.

It is a transposition, and how fast it goes depends on which axis of the weights is contiguous. Of the weights (O, C,
KH, KW) themselves it is that of all taps of all channels: squares of numbers are turned in registers. For the gradient
of the input O and C change roles; with one tap, that makes the outputs contiguous, which are copied as they are.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .compile import compiled
from .parallel import run
from .vectors import INT32, Vectors, copy_columns, integer_constant, lanes

__all__ = ["pack", "padded_bias"]

CHANNELS = 16  # copied at a time for each block: what lies beside them in memory is still in the cache for the next


@intrinsic
def _turn(context, source, at, row, rows, columns, target, base, places):
    """target[base + places[j] + i] = source[at + i * row + j], for i and j below the lanes of a vector, one by one.

    Where i >= rows, it is 0; where j >= columns or places[j] < 0, nothing is written.
    """

    def generate(context, builder, signature, arguments):
        source, target, places = (
            context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 5, 7)
        )
        at, row, rows, columns, base = (
            context.cast(builder, arguments[i], signature.args[i], types.int64) for i in (1, 2, 3, 4, 6)
        )
        vector = Vectors(builder, context.get_value_type(signature.args[5].dtype), 1, columns)
        inside, count = vector.masks[0], vector.lanes
        lines = []
        for i in range(count):
            exists = vector.splat(builder.icmp_signed("<", integer_constant(i), rows))
            vector.masks[0] = builder.and_(inside, exists)
            line = builder.add(at, builder.mul(row, integer_constant(i)))
            lines.append(vector.load(builder.gep(source, [line]), 0))
        # Eklundh (1972): exchange the corners of squares of 2, 4, 8, ... numbers.
        step = 1
        while step < count:
            for i in range(count):
                if i & step == 0:
                    a, b = lines[i], lines[i + step]
                    upper = [lane if lane & step == 0 else count + lane - step for lane in range(count)]
                    lower = [lane + step if lane & step == 0 else count + lane for lane in range(count)]
                    kind = ir.VectorType(INT32, count)
                    lines[i] = builder.shuffle_vector(a, b, ir.Constant(kind, upper))
                    lines[i + step] = builder.shuffle_vector(a, b, ir.Constant(kind, lower))
            step *= 2
        whole = Vectors(builder, context.get_value_type(signature.args[5].dtype), 1, integer_constant(count))
        for j, line in enumerate(lines):
            with builder.if_then(builder.icmp_signed("<", integer_constant(j), columns)):
                place = builder.load(builder.gep(places, [integer_constant(j)]))
                with builder.if_then(builder.icmp_signed(">=", place, integer_constant(0))):
                    whole.store(line, builder.gep(target, [builder.add(base, place)]), 0)
        return context.get_dummy_value()

    return types.void(source, at, row, rows, columns, target, base, places), generate


@compiled
def _pack_turned(start, stop, part, weight, out_stride, in_stride, times, places, outputs, width, packed):
    """Blocks [start, stop), where numbers of an output are contiguous: its taps, `times` = C, or all, `times` = 1.

    places: where each of these numbers goes, or negative; for the next channel, `width` further.
    """
    vector = width // 2
    size = len(packed) // -(-outputs // width)
    for block in range(start, stop):
        for c in range(times):
            for first in range(0, len(places), vector):
                for half in range(2):
                    output = block * width + half * vector
                    at = min(output, outputs - 1) * out_stride + c * in_stride + first
                    _turn(
                        weight, at, out_stride, outputs - output, len(places) - first, packed,
                        block * size + c * width + half * vector, places[first:],
                    )  # fmt: skip


@compiled
def _pack_copied(start, stop, part, weight, strides, taps, channels, outputs, width, packed):
    """Blocks [start, stop), where the outputs are contiguous."""
    in_stride = strides[1]
    zero = packed.dtype.type(0)
    for t in range(len(taps)):
        for first in range(0, channels, CHANNELS):
            for block in range(start, stop):
                size = min(width, outputs - block * width)
                for c in range(first, min(first + CHANNELS, channels)):
                    at = ((block * len(taps) + t) * channels + c) * width
                    copy_columns(weight, taps[t] + c * in_stride + block * width, packed, at, size)
                    for v in range(size, width):
                        packed[at + v] = zero


@compiled
def _pack(start, stop, part, weight, strides, taps, channels, outputs, width, packed):
    """Blocks [start, stop), whatever is contiguous."""
    out_stride, in_stride, _, _ = strides
    at = start * len(taps) * channels * width
    zero = packed.dtype.type(0)
    for block in range(start, stop):
        first = block * width
        size = min(width, outputs - first)
        for t in range(len(taps)):
            for c in range(channels):
                source = taps[t] + c * in_stride + first * out_stride
                for v in range(size):
                    packed[at + v] = weight[source + v * out_stride]
                for v in range(size, width):
                    packed[at + v] = zero
                at += width


def pack(weight, rows, columns):
    """Weights (outputs, channels, KH, KW), of any strides, packed for a correlation along two `axis.Axis`."""
    if weight.flags.c_contiguous:
        flat = weight.reshape(-1)
    else:
        if any(stride < 0 or stride % weight.itemsize for stride in weight.strides):
            weight = np.ascontiguousarray(weight)
        extent = sum((size - 1) * stride for size, stride in zip(weight.shape, weight.strides, strict=True))
        flat = np.lib.stride_tricks.as_strided(weight, (1 + extent // weight.itemsize,), (weight.itemsize,))
    contiguous = weight[0, 0].flags.c_contiguous, weight[0].flags.c_contiguous
    kernel, blocks, size, arguments = _plan(
        weight.shape, weight.strides, weight.dtype, *contiguous, rows, columns
    )
    packed = np.empty(size, weight.dtype)
    run(kernel, blocks, flat, *arguments, packed)
    return packed


@functools.lru_cache(maxsize=1024)
def _plan(shape, strides, dtype, taps_contiguous, channels_contiguous, rows, columns):
    """(kernel, blocks of outputs, numbers when packed, arguments between the weights and what is packed) of `pack`.

    taps_contiguous: whether the taps of a channel are, channels_contiguous: whether all of an output are.
    """
    outputs, channels, height, kernel_width = shape
    strides = np.array(strides) // dtype.itemsize
    width = 2 * lanes(dtype)
    blocks, taps = -(-outputs // width), len(rows.taps) * len(columns.taps)
    size = blocks * taps * channels * width
    if taps_contiguous and strides[0] > 1:
        places = np.full((height, kernel_width), -1)
        wanted = np.arange(taps).reshape(len(rows.taps), -1) * channels * width
        places[np.array(rows.taps)[:, None], columns.taps] = wanted
        times = channels
        if channels_contiguous:
            places = np.where(places < 0, places, places + np.arange(channels)[:, None, None] * width)
            times = 1
        if times == 1 or taps > 1:
            return _pack_turned, blocks, size, (*strides[:2], times, places.reshape(-1), outputs, width)
    offsets = np.array([i * strides[2] + j * strides[3] for i in rows.taps for j in columns.taps])
    kernel = _pack_copied if strides[0] == 1 else _pack
    return kernel, blocks, size, (strides, offsets, channels, outputs, width)


def padded_bias(bias, outputs, dtype):
    """`bias` (outputs,), or zeros for None, with zeros up to a whole block."""
    width = 2 * lanes(dtype)
    padded = np.zeros(-(-outputs // width) * width, dtype)
    if bias is not None:
        padded[:outputs] = bias
    return padded
