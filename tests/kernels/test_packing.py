"""Weights are packed to the same bits whichever axis of theirs is contiguous in memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.cpu.axis import Axis
from minception.kernels.cpu.packing import pack, padded_bias
from minception.kernels.cpu.vectors import lanes


def expected(weight, rows, columns):
    """(blocks, taps, channels, outputs of a block), one number after the other."""
    outputs, channels = weight.shape[:2]
    width = 2 * lanes(weight.dtype)
    blocks = -(-outputs // width)
    result = np.zeros((blocks, len(rows.taps) * len(columns.taps), channels, width), weight.dtype)
    for o in range(outputs):
        for t, (i, j) in enumerate((i, j) for i in rows.taps for j in columns.taps):
            result[o // width, t, :, o % width] = weight[o, :, i, j]
    return result.reshape(-1)


@st.composite
def weights(draw):
    """(O, C, KH, KW) in all kinds of memory: as they are, with O and C exchanged, slices, broken up, backwards."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    outputs, channels = draw(st.integers(1, 70)), draw(st.integers(1, 40))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["plain", "exchanged", "part of the outputs", "part", "taps first", "backwards"]))
    if kind == "exchanged":
        return rng.standard_normal((channels, outputs, *kernel)).astype(dtype).transpose(1, 0, 2, 3)
    weight = rng.standard_normal((outputs + 3, channels + 2, *kernel)).astype(dtype)
    if kind == "part of the outputs":
        return weight[2:-1]
    if kind == "part":
        return weight[1:-2, 1:-1]
    weight = np.ascontiguousarray(weight[3:, 2:])
    if kind == "taps first":
        return np.ascontiguousarray(weight.transpose(2, 3, 0, 1)).transpose(2, 3, 0, 1)
    return weight[::-1, :, ::-1] if kind == "backwards" else weight


@given(weight=weights(), data=st.data())
def test_packed_weights(weight, data):
    axes = []
    for size in weight.shape[2:]:
        step = data.draw(st.sampled_from([1, -1, 2]))
        taps = tuple(range(size))[::step]
        axes.append(Axis(taps, tuple(range(len(taps))), 5))
    before = weight.copy()
    np.testing.assert_array_equal(pack(weight, *axes), expected(weight, *axes))
    np.testing.assert_array_equal(weight, before)


def test_padded_bias():
    width = 2 * lanes(np.dtype(np.float32))
    for outputs in (1, width, width + 1):
        bias = np.arange(1, outputs + 1, dtype=np.float32)
        padded = padded_bias(bias, outputs, np.dtype(np.float32))
        assert len(padded) % width == 0 and not padded[outputs:].any()
        np.testing.assert_array_equal(padded[:outputs], bias)
        assert not padded_bias(None, outputs, np.dtype(np.float32)).any()
