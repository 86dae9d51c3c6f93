"""Adaptive and global average pooling against torch."""

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference.adaptive_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
)
from tests.compare import assert_close

from .inputs import arrays, dtypes, is_channels_last, largest, oracle, unmodified

image_shapes = st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
KINDS = ("normal", "ties", "nonfinite")


class TestAdaptiveAveragePool:
    @given(st.data(), image_shapes, st.tuples(st.integers(1, 12), st.integers(1, 12)), dtypes)
    def test_equals_torch(self, data, shape, output_size, dtype):
        x = data.draw(arrays(shape, dtype, KINDS))
        with unmodified(x):
            output = adaptive_avg_pool2d(x, output_size)
        grad_output = data.draw(arrays(output.shape, dtype, ("normal", "nonfinite")))
        with unmodified(grad_output):
            grad_x = adaptive_avg_pool2d_backward(grad_output, shape)

        expected, (expected_grad,) = oracle(lambda t: F.adaptive_avg_pool2d(t, output_size), grad_output, x)
        pixels = shape[2] * shape[3]
        assert_close(output, expected, terms=pixels, scale=largest(x))
        windows = np.prod(output_size)
        assert_close(grad_x, expected_grad, terms=windows, scale=windows * largest(grad_output))
        assert is_channels_last(output) and is_channels_last(grad_x)

    def test_windows_of_unequal_length_share_pixels(self):
        # 5 pixels to 3 windows: pixels 0-1, 1-3, 3-4
        x = np.array([[[[1.0, 2.0, 4.0, 8.0, 16.0]]]])
        np.testing.assert_allclose(adaptive_avg_pool2d(x, (1, 3)), [[[[1.5, 14 / 3, 12]]]], rtol=1e-15)
        grad_x = adaptive_avg_pool2d_backward(np.array([[[[2.0, 3.0, 4.0]]]]), x.shape)
        np.testing.assert_allclose(grad_x, [[[[1, 2, 1, 3, 2]]]], rtol=1e-15)

    @pytest.mark.parametrize(
        ("output_size", "expected"),
        [(None, (2, 3, 4, 6)), ((None, 2), (2, 3, 4, 2)), ([3, None], (2, 3, 3, 6)), (2, (2, 3, 2, 2))],
    )
    def test_none_keeps_the_size_and_an_integer_means_a_square(self, rng, output_size, expected):
        x = rng.standard_normal((2, 3, 4, 6))
        assert adaptive_avg_pool2d(x, output_size).shape == expected

    def test_own_size_is_the_identity(self, rng):
        x = rng.standard_normal((2, 3, 4, 6))
        np.testing.assert_array_equal(adaptive_avg_pool2d(x, None), x)

    @pytest.mark.parametrize(
        ("output_size", "error", "words"),
        [
            (0, ValueError, "output_size must be positive, got"),
            ((2, -1), ValueError, "output_size must be positive, got"),
            ((1, 2, 3), ValueError, "output_size must be an integer or a pair"),
            (2.0, TypeError, "output_size must be an integer"),
            ("22", TypeError, "output_size must be an integer"),
        ],
    )
    def test_bad_output_size(self, output_size, error, words):
        with pytest.raises(error, match=f"^adaptive_avg_pool2d: {words}"):
            adaptive_avg_pool2d(np.zeros((1, 1, 4, 4)), output_size)

    def test_bad_gradient(self):
        with pytest.raises(ValueError, match=r"adaptive_avg_pool2d_backward: grad_output must have shape"):
            adaptive_avg_pool2d_backward(np.zeros((2, 2, 1, 1)), (2, 3, 4, 4))
        with pytest.raises(ValueError, match="windows at least 1x1"):
            adaptive_avg_pool2d_backward(np.zeros((2, 3, 0, 1)), (2, 3, 4, 4))
        with pytest.raises(ValueError, match="grad_output must have 4 dimensions"):
            adaptive_avg_pool2d_backward(np.zeros((2, 3, 1)), (2, 3, 4, 4))
        with pytest.raises(ValueError, match="x_shape must have 4 dimensions"):
            adaptive_avg_pool2d_backward(np.zeros((2, 3, 1, 1)), (3, 4, 4))


class TestGlobalAveragePool:
    @given(st.data(), image_shapes, dtypes)
    def test_equals_torch(self, data, shape, dtype):
        x = data.draw(arrays(shape, dtype, KINDS))
        grad_output = data.draw(arrays((*shape[:2], 1, 1), dtype, ("normal", "nonfinite")))
        with unmodified(x, grad_output):
            output = global_avg_pool2d(x)
            grad_x = global_avg_pool2d_backward(grad_output, shape)
        expected, (expected_grad,) = oracle(lambda t: t.mean((2, 3), keepdim=True), grad_output, x)
        assert_close(output, expected, terms=shape[2] * shape[3], scale=largest(x))
        assert_close(grad_x, expected_grad)
        assert is_channels_last(output) and is_channels_last(grad_x)

    def test_float32_mean_of_a_large_image_is_as_good_as_in_float64(self, rng):
        x = (rng.random((1, 300, 301, 2)) + 1000).astype(np.float32).transpose(0, 3, 1, 2)
        exact = x.astype(np.float64).mean(axis=(2, 3), keepdims=True)
        np.testing.assert_allclose(global_avg_pool2d(x), exact, rtol=np.finfo(np.float32).eps)

    def test_bad_gradient(self):
        with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3, 1, 1\)"):
            global_avg_pool2d_backward(np.zeros((2, 3, 1, 2)), (2, 3, 4, 4))
        with pytest.raises(ValueError, match="global_avg_pool2d_backward: x_shape must have at least one pixel"):
            global_avg_pool2d_backward(np.zeros((2, 3, 1, 1)), (2, 3, 4, 0))


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((3, 4, 4)), ValueError, r"x must have 4 dimensions \(N, C, H, W\)"),
        (np.zeros((1, 3, 0, 4)), ValueError, "x must have at least one pixel"),
        (np.zeros((1, 3, 4, 4), int), TypeError, "x must be float32 or float64, got int64"),
    ],
)
def test_bad_images(image, error, words):
    with pytest.raises(error, match=f"^adaptive_avg_pool2d: {words}"):
        adaptive_avg_pool2d(image, 1)
    with pytest.raises(error, match=f"^global_avg_pool2d: {words}"):
        global_avg_pool2d(image)
