"""Depthwise convolution: the order of its channels, its chunks, its long sums, its memory."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest

from minception.kernels import cpu
from minception.kernels.reference import depthwise
from tests.compare import assert_close
from tests.kernels.inputs import in_layout


def test_output_channel_c_m_reads_input_channel_c():
    """With M = 2 and weights 1, 10, 100, ...: channel order in plain numbers."""
    x = np.array([2.0, 3.0, 5.0]).reshape(1, 3, 1, 1)
    weight = (10.0 ** np.arange(6)).reshape(6, 1, 1, 1)
    output = depthwise.depthwise_conv2d(x, weight)
    np.testing.assert_array_equal(output.ravel(), [2, 20, 300, 3000, 50000, 500000])
    grad_x = depthwise.depthwise_conv2d_backward_input(np.ones((1, 6, 1, 1)), weight, x.shape)
    np.testing.assert_array_equal(grad_x.ravel(), [11, 1100, 110000])
    grad_weight = depthwise.depthwise_conv2d_backward_weight(np.ones((1, 6, 1, 1)), x, weight.shape)
    np.testing.assert_array_equal(grad_weight.ravel(), [2, 2, 3, 3, 5, 5])


@pytest.mark.parametrize("chunk_bytes", [1, 600, 2**40])
def test_the_size_of_a_chunk_does_not_matter(rng, chunk_bytes):
    """One image per chunk; several, the last chunk shorter; all images at once."""
    x, weight = rng.integers(-4, 5, (5, 1, 4, 4)) * 1.0, rng.integers(-4, 5, (2, 1, 3, 3)) * 1.0
    options = {"stride": (1, 2), "padding": 1}
    grad = rng.integers(-4, 5, (5, 2, 4, 2)) * 1.0

    def results():
        yield depthwise.depthwise_conv2d(x, weight, **options)
        yield depthwise.depthwise_conv2d_backward_input(grad, weight, x.shape, **options)
        yield depthwise.depthwise_conv2d_backward_weight(grad, x, weight.shape, **options)

    expected = list(results())
    with patch.object(depthwise, "CHUNK_BYTES", chunk_bytes):
        for actual, same in zip(results(), expected, strict=True):  # integers: exact in any order
            np.testing.assert_array_equal(actual, same)


def channels_last_images(rng, *shape):
    return in_layout(rng.standard_normal(shape, dtype=np.float32), "channels last")


def test_long_float32_sums_are_accurate(rng):
    """A weight gradient sums over all pixels, here 65536 positive numbers; a few roundings remain.

    Added one after the other, the numbers would lose two more digits.
    """
    x, grad = (np.abs(channels_last_images(rng, 16, 4, 64, 64)) for _ in range(2))
    exact = np.einsum("nchw,nchw->c", x, grad, dtype=np.float64)[:, None, None, None]
    with patch.object(depthwise, "CHUNK_BYTES", 2**40):  # the whole batch at once
        grad_weight = depthwise.depthwise_conv2d_backward_weight(grad, x, (4, 1, 1, 1))
    assert_close(grad_weight, exact.astype(np.float32))


def test_memory_stays_far_below_im2col(rng):
    x, weight = channels_last_images(rng, 16, 32, 32, 32), rng.standard_normal((32, 1, 5, 5), dtype=np.float32)
    tracemalloc.start()
    try:
        depthwise.depthwise_conv2d(x, weight, padding=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    columns_bytes = 25 * x.nbytes
    assert peak < x.nbytes + 4 * depthwise.CHUNK_BYTES < columns_bytes / 5


def test_weights_of_many_chunks():
    rng = np.random.default_rng(0)
    x, weight_shape = channels_last_images(rng, 4, 40, 41, 42), (40, 1, 5, 3)
    options = {"stride": 2, "padding": 2, "dilation": (1, 2)}
    grad = channels_last_images(rng, *depthwise.depthwise_conv2d(x, np.ones(weight_shape, np.float32), **options).shape)
    exact = depthwise.depthwise_conv2d_backward_weight(grad.astype(float), x.astype(float), weight_shape, **options)
    actual = cpu.depthwise_conv2d_backward_weight(grad, x, weight_shape, **options)
    np.testing.assert_allclose(actual, exact, rtol=0, atol=2e-5 * abs(exact).max())


def inside_nan(rng, shape, dtype):
    """Images that are a slice of larger ones in memory; what is around them must not be read."""
    n, c, h, w = shape
    whole = np.full((n + 2, h + 6, w + 6, c + 40), np.nan, dtype)
    images = whole[1:-1, 3:-3, 3:-3, 20:-20].transpose(0, 3, 1, 2)
    images[...] = rng.integers(-4, 5, shape)
    return images


def compare_with_reference(rng, x, weight, bias, **options):
    """All three passes. Integers: exact in any order."""
    output = cpu.depthwise_conv2d(x, weight, bias, **options)
    np.testing.assert_array_equal(output, depthwise.depthwise_conv2d(x, weight, bias, **options))
    grad = inside_nan(rng, output.shape, x.dtype)
    for backward, other, shape in (
        ("depthwise_conv2d_backward_input", weight, x.shape),
        ("depthwise_conv2d_backward_weight", x, weight.shape),
    ):
        actual, expected = (getattr(home, backward)(grad, other, shape, **options) for home in (cpu, depthwise))
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 16, 37])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
def test_square_kernels_at_all_borders(rng, channels, padding, dtype):
    """Every remainder of height and width by the size of a tile."""
    rows, columns = padding if isinstance(padding, tuple) else (padding, padding)
    weight, bias = (rng.integers(-4, 5, shape).astype(dtype) for shape in [(channels, 1, 3, 3), channels])
    for height in range(max(1, 3 - 2 * rows), 6):
        for width in range(max(1, 3 - 2 * columns), 11):
            x = inside_nan(rng, (2, channels, height, width), dtype)
            compare_with_reference(rng, x, weight, bias, padding=padding)


def test_square_kernels_and_their_relatives():
    """Unequal paddings; strides and dilations, which have other loops."""
    rng = np.random.default_rng(0)
    x, weight = inside_nan(rng, (2, 20, 9, 8), np.float32), rng.integers(-4, 5, (20, 1, 3, 3)).astype(np.float32)
    for stride in (1, (1, 2), (2, 1)):
        for dilation in (1, (1, 2), (2, 1)):
            for padding in ((0, 1), (2, 1), "same" if stride == 1 else 1):
                compare_with_reference(rng, x, weight, None, stride=stride, dilation=dilation, padding=padding)
