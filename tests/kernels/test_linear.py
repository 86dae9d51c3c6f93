"""The fully connected layer against torch."""

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference.linear import (
    linear,
    linear_backward_bias,
    linear_backward_input,
    linear_backward_weight,
)
from tests.compare import assert_close

from .inputs import arrays, dtypes, largest, oracle, unmodified

leading_axes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
features = st.integers(0, 5)


@given(st.data(), leading_axes, features, features, st.booleans(), dtypes)
def test_equals_torch(data, leading, in_features, out_features, with_bias, dtype):
    x = data.draw(arrays((*leading, in_features), dtype))
    weight = data.draw(arrays((out_features, in_features), dtype))
    bias = data.draw(arrays((out_features,), dtype)) if with_bias else None
    grad_output = data.draw(arrays((*leading, out_features), dtype))
    with unmodified(x, weight, grad_output, *([bias] if with_bias else [])):
        output = linear(x, weight, bias)
        grad_x = linear_backward_input(grad_output, weight)
        grad_weight = linear_backward_weight(grad_output, x)
        grad_bias = linear_backward_bias(grad_output)

    expected, (expected_x, expected_weight, expected_bias) = oracle(F.linear, grad_output, x, weight, bias)
    rows = int(np.prod(leading))
    sizes = [largest(array) for array in (x, weight, grad_output)]
    bias_size = largest(bias) if with_bias else 0
    assert_close(output, expected, terms=in_features, scale=in_features * sizes[0] * sizes[1] + bias_size)
    assert_close(grad_x, expected_x, terms=out_features, scale=out_features * sizes[1] * sizes[2])
    assert_close(grad_weight, expected_weight, terms=rows, scale=rows * sizes[0] * sizes[2])
    assert grad_bias.shape == (out_features,) and grad_bias.dtype == dtype
    if with_bias:
        assert_close(grad_bias, expected_bias, terms=rows, scale=rows * sizes[2])


def test_infinities_and_nan_pass_as_in_torch():
    x = np.array([[np.inf, 1.0], [np.nan, 1.0], [np.inf, -np.inf], [3e38, 3e38]], np.float32)
    weight = np.array([[1.0, 1.0], [-1.0, 2.0]], np.float32)
    np.testing.assert_array_equal(
        linear(x, weight), [[np.inf, -np.inf], [np.nan] * 2, [np.nan, -np.inf], [np.inf, np.float32(3e38)]]
    )


def test_float32_bias_gradient_of_many_rows_is_as_good_as_in_float64(rng):
    grad_output = (rng.random((100_000, 2)) + 100).astype(np.float32)
    exact = grad_output.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(linear_backward_bias(grad_output), exact, rtol=np.finfo(np.float32).eps)


X, WEIGHT, GRAD = np.zeros((4, 3)), np.zeros((2, 3)), np.zeros((4, 2))
SCALAR = np.zeros(())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: linear(X, np.zeros((2, 4))), ValueError, "weight expects 4 input features .* has 3"),
        (lambda: linear(SCALAR, WEIGHT), ValueError, "linear: x must have at least one dimension"),
        (lambda: linear(X, WEIGHT[0]), ValueError, r"linear: weight must have 2 dimensions \(out_features"),
        (lambda: linear(X, WEIGHT, np.zeros(3)), ValueError, r"linear: bias must have shape \(2,\)"),
        (lambda: linear(X, WEIGHT, 1.0), TypeError, "linear: bias must be an array, got float"),
        (lambda: linear(X, WEIGHT.astype("f4")), TypeError, "linear: all arrays must have one dtype"),
        (lambda: linear(X.astype(int), WEIGHT), TypeError, "linear: x must be float32 or float64, got int64"),
        (lambda: linear_backward_input(X, WEIGHT), ValueError, r"grad_output must have shape \(4, 2\)"),
        (lambda: linear_backward_input(GRAD, WEIGHT[0]), ValueError, "weight must have 2 dimensions"),
        (lambda: linear_backward_input(SCALAR, WEIGHT), ValueError, "grad_output must have at least one"),
        (lambda: linear_backward_weight(GRAD[:3], X), ValueError, r"grad_output must have shape \(4, 2\)"),
        (lambda: linear_backward_weight(GRAD, SCALAR), ValueError, "x must have at least one dimension"),
        (lambda: linear_backward_weight(GRAD, X.astype("f4")), TypeError, "all arrays must have one dtype"),
        (lambda: linear_backward_bias(SCALAR), ValueError, "grad_output must have at least one dimension"),
        (lambda: linear_backward_bias(GRAD > 0), TypeError, "must be float32 or float64, got bool"),
    ],
)
def test_bad_calls(call, error, words):
    with pytest.raises(error, match=words):
        call()
