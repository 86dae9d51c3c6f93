"""The kernels of `minception.study.cuda_in_python` beside the reference. `test_cuda_in_python` runs this file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minception.kernels import reference
from minception.study import cuda_in_python

FEW = settings(max_examples=6)  # every thread is one of Python's


@st.composite
def images(draw):
    n, c, h, w = (draw(st.integers(least, most)) for least, most in ((0, 1), (1, 3), (1, 9), (1, 9)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = np.random.default_rng(draw(st.integers(0, 99))).integers(-4, 5, (n, h, w, c)).astype(dtype)
    return x.transpose(0, 3, 1, 2) if draw(st.booleans()) else np.ascontiguousarray(x.transpose(0, 3, 1, 2))


@st.composite
def windows(draw, x, most_padding=None):
    """(kernel size, stride, padding, dilation) that fit the images."""
    pairs = []
    for size in x.shape[2:]:
        kernel = draw(st.integers(1, 4))
        padding = draw(st.integers(0, kernel // 2 if most_padding is None else most_padding))
        dilation = draw(st.integers(1, 3))
        if size + 2 * padding < (kernel - 1) * dilation + 1:
            kernel, padding, dilation = 1, 0, 1
        pairs.append((kernel, draw(st.integers(1, 3)), padding, dilation))
    return tuple(zip(*pairs, strict=True))


@FEW
@given(data=st.data())
def test_im2col(data):
    x = data.draw(images())
    arguments = data.draw(windows(x, most_padding=3))
    expected = reference.im2col(x, *arguments)
    np.testing.assert_array_equal(cuda_in_python.im2col(x, *arguments), expected, strict=True)


@FEW
@given(data=st.data(), ceil_mode=st.booleans())
def test_max_pool2d(data, ceil_mode):
    """Of few different numbers, so that there are ties."""
    x = data.draw(images())
    if x.size and data.draw(st.booleans()):
        x[data.draw(st.integers(0, len(x) - 1)), :, ::2, ::3] = data.draw(st.sampled_from([np.nan, -np.inf]))
    arguments = (*data.draw(windows(x)), ceil_mode)
    expected, expected_taps = reference.max_pool2d(x, *arguments)
    output, taps = cuda_in_python.max_pool2d(x, *arguments)
    np.testing.assert_array_equal(output, expected, strict=True)
    some = np.isfinite(output) | np.isnan(output)  # a window without pixels has no tap
    np.testing.assert_array_equal(taps[some], expected_taps[some])


@FEW
@given(data=st.data(), multiplier=st.integers(1, 2))
def test_depthwise_conv2d(data, multiplier):
    x = data.draw(images())
    kernel_size, *arguments = data.draw(windows(x, most_padding=3))
    rng = np.random.default_rng(0)
    weight = rng.integers(-4, 5, (x.shape[1] * multiplier, 1, *kernel_size)).astype(x.dtype)  # sums are exact
    expected = reference.depthwise_conv2d(x, weight, None, *arguments)
    np.testing.assert_array_equal(cuda_in_python.depthwise_conv2d(x, weight, *arguments), expected, strict=True)


@pytest.mark.parametrize("size", [(9, 17), (1, 1)])
def test_several_blocks(size):
    """Images larger than a block, with windows that reach into the next."""
    x = np.random.default_rng(0).integers(-9, 10, (1, 2, *size)).astype(np.float32)
    weight = np.random.default_rng(1).integers(-9, 10, (2, 1, 3, 3)).astype(np.float32)
    expected = reference.depthwise_conv2d(x, weight, None, padding=1)
    np.testing.assert_array_equal(cuda_in_python.depthwise_conv2d(x, weight, padding=1), expected)
    np.testing.assert_array_equal(cuda_in_python.max_pool2d(x, 3, 1, 1)[0], reference.max_pool2d(x, 3, 1, 1)[0])
    np.testing.assert_array_equal(cuda_in_python.im2col(x, 3, 1, 1), reference.im2col(x, 3, 1, 1))


def test_a_block_that_reads_too_much():
    x, weight = np.zeros((1, 1, 300, 300), np.float32), np.zeros((1, 1, 3, 3), np.float32)
    with pytest.raises(ValueError, match="take 57600 bytes of shared memory, it has 49152"):
        cuda_in_python.depthwise_conv2d(x, weight, dilation=56)


def test_errors_are_those_of_the_reference():
    x = np.zeros((1, 2, 4, 4), np.float32)
    for call in (
        lambda home: home.im2col(x, 5),
        lambda home: home.max_pool2d(x, 2, padding=2),
        lambda home: home.depthwise_conv2d(x, x),
        lambda home: home.im2col(x.astype(int), 1),
    ):
        with pytest.raises((TypeError, ValueError)) as expected:
            call(reference)
        with pytest.raises(type(expected.value)) as found:
            call(cuda_in_python)
        assert str(found.value) == str(expected.value)
