"""The fully connected layer without features, and over many rows."""

import numpy as np

from minception.kernels.reference.linear import (
    linear,
    linear_backward_bias,
    linear_backward_input,
    linear_backward_weight,
)


def test_no_inputs_and_no_outputs():
    """A sum of nothing is zero, and so the output is the bias."""
    bias = np.array([2.0, 3.0])
    np.testing.assert_array_equal(linear(np.ones((4, 0)), np.ones((2, 0)), bias), np.broadcast_to(bias, (4, 2)))
    np.testing.assert_array_equal(linear_backward_input(np.ones((4, 0)), np.ones((0, 3))), np.zeros((4, 3)))
    assert linear(np.ones((4, 3)), np.ones((0, 3)), np.ones(0)).shape == (4, 0)
    assert linear_backward_weight(np.ones((4, 0)), np.ones((4, 3))).shape == (0, 3)
    assert linear_backward_bias(np.ones((4, 0))).shape == (0,)


def test_float32_bias_gradient_of_many_rows_is_as_good_as_in_float64(rng):
    grad_output = (rng.random((100_000, 2)) + 100).astype(np.float32)
    exact = grad_output.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(linear_backward_bias(grad_output), exact, rtol=np.finfo(np.float32).eps)
