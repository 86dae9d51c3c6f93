"""Rectified and exponential linear units at zero, at infinity and at NaN."""

import numpy as np

from minception import kernels
from minception.kernels.reference.activation import elu, elu_backward, relu, relu_backward


def test_relu_gradient_at_zero_is_zero_and_nan_passes():
    x = np.array([-1.0, -0.0, 0.0, 1.0, np.nan])
    np.testing.assert_array_equal(relu(x), [0, 0, 0, 1, np.nan])
    grad_output = np.array([np.inf, np.nan, 5.0, 5.0, 5.0])
    np.testing.assert_array_equal(relu_backward(grad_output, relu(x)), [0, 0, 0, 5, 5])


def test_elu_and_its_gradient_are_nan_at_nan():
    """torch's gradient at NaN is NaN or that of the output, depending on where the element lies in the array."""
    x = np.array([np.nan, 1.0, -1.0])
    assert np.isnan(elu(x)).tolist() == np.isnan(elu_backward(np.ones(3), x)).tolist() == [True, False, False]


def test_elu_is_accurate_near_zero():
    x = np.array([-1e-12, -1e-300])
    np.testing.assert_allclose(elu(x), x, rtol=1e-11)


def test_elu_does_not_overflow_where_the_exponential_is_not_used():
    x = np.array([1000.0, -1000.0], np.float32)
    np.testing.assert_array_equal(elu(x), [1000, -1])
    np.testing.assert_array_equal(elu_backward(np.ones_like(x), x), [1, 0])


def test_alpha_of_another_precision_leaves_the_dtype():
    x = np.ones(3, np.float32)
    assert elu(x, np.float64(0.5)).dtype == np.float32
    assert elu_backward(x, x, np.float64(0.5)).dtype == np.float32


def test_relu_passes_a_gradient_that_is_a_slice_of_channels():
    """As behind a concatenation; of images in either order in memory."""
    images = np.random.default_rng(0).standard_normal((2, 5, 7, 64), np.float32)
    for array in (images.transpose(0, 3, 1, 2), images.transpose(0, 2, 1, 3)):
        grad_output = array[:, 1:4]
        output = np.ascontiguousarray(grad_output.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) - np.float32(0.5)
        expected = relu_backward(grad_output, output)
        np.testing.assert_array_equal(kernels.relu_backward(grad_output, output), expected, strict=True)


def test_relu_of_images_in_either_order_in_memory():
    images = np.random.default_rng(0).standard_normal((2, 5, 7, 3), np.float32)
    for x in (images, images.transpose(0, 3, 1, 2), images.transpose(0, 2, 1, 3)):
        expected = np.where(x > 0, x, 0)
        np.testing.assert_array_equal(kernels.relu(x), expected)
        grad = np.ascontiguousarray(x)
        np.testing.assert_array_equal(kernels.relu_backward(grad, x), expected)
