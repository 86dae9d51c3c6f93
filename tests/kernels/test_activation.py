"""Rectified and exponential linear units against torch."""

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference.activation import elu, elu_backward, relu, relu_backward
from tests.compare import assert_close

from .inputs import arrays, dtypes, oracle, shapes, unmodified

KINDS = ("normal", "ties", "nonfinite")


@given(st.data(), shapes, dtypes)
def test_relu_equals_torch(data, shape, dtype):
    x, grad_output = data.draw(arrays(shape, dtype, KINDS)), data.draw(arrays(shape, dtype, KINDS))
    with unmodified(x, grad_output):
        output = relu(x)
        grad_x = relu_backward(grad_output, output)
    expected, (expected_grad,) = oracle(F.relu, grad_output, x)
    for actual, wanted in ((output, expected), (grad_x, expected_grad)):
        assert isinstance(actual, np.ndarray) and actual.dtype == dtype
        np.testing.assert_array_equal(actual, wanted, strict=True)


@given(st.data(), shapes, st.sampled_from([1.0, 0.3, 2, 0.0, -1.5]), dtypes)
def test_elu_equals_torch(data, shape, alpha, dtype):
    x, grad_output = data.draw(arrays(shape, dtype, KINDS)), data.draw(arrays(shape, dtype, KINDS))
    with unmodified(x, grad_output):
        output = elu(x, alpha)
        grad_x = elu_backward(grad_output, x, alpha)
    expected, (expected_grad,) = oracle(lambda t: F.elu(t, alpha), grad_output, x)
    assert isinstance(output, np.ndarray) and isinstance(grad_x, np.ndarray)
    assert_close(output, expected)
    # at NaN torch answers NaN or grad_output, depending on where the element lies in the array; here it is NaN
    expected_grad[np.isnan(x)] = np.nan
    assert_close(grad_x, expected_grad)


def test_relu_gradient_at_zero_is_zero_and_nan_passes():
    x = np.array([-1.0, -0.0, 0.0, 1.0, np.nan])
    np.testing.assert_array_equal(relu(x), [0, 0, 0, 1, np.nan])
    grad_output = np.array([np.inf, np.nan, 5.0, 5.0, 5.0])
    np.testing.assert_array_equal(relu_backward(grad_output, relu(x)), [0, 0, 0, 5, 5])


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


X = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: relu(X.astype(int)), TypeError, "^relu: x must be float32 or float64, got int64"),
        (lambda: relu([1.0]), TypeError, "^relu: x must be an array, got list"),
        (lambda: relu_backward(X[0], X), ValueError, r"^relu_backward: grad_output must have shape \(2, 3\)"),
        (lambda: relu_backward(X, X.astype("f4")), TypeError, "^relu_backward: all arrays must have"),
        (lambda: elu(X > 0), TypeError, "^elu: x must be float32 or float64, got bool"),
        (lambda: elu(X, "1"), TypeError, "^elu: alpha must be a real number, got '1'"),
        (lambda: elu(X, X), TypeError, "^elu: alpha must be a real number"),
        (lambda: elu_backward(X[0], X), ValueError, r"^elu_backward: grad_output must have shape \(2, 3\)"),
        (lambda: elu_backward(X, X, None), TypeError, "^elu_backward: alpha must be a real number"),
    ],
)
def test_bad_calls(call, error, words):
    with pytest.raises(error, match=words):
        call()
