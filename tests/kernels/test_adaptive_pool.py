"""Adaptive and global average pooling: their windows and their accuracy."""

import numpy as np
import pytest

from minception.kernels.reference.adaptive_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    global_avg_pool2d,
)


class TestAdaptiveAveragePool:
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


def test_float32_global_mean_of_a_large_image_is_as_good_as_in_float64(rng):
    x = (rng.random((1, 300, 301, 2)) + 1000).astype(np.float32).transpose(0, 3, 1, 2)
    exact = x.astype(np.float64).mean(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(global_avg_pool2d(x), exact, rtol=np.finfo(np.float32).eps)
