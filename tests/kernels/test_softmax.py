"""Softmax and log-softmax against torch."""

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from minception.kernels.reference.softmax import (
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)
from tests.compare import assert_close

from .inputs import arrays, dtypes, largest, oracle, unmodified

KERNELS = {
    "softmax": (softmax, softmax_backward, F.softmax),
    "log_softmax": (log_softmax, log_softmax_backward, F.log_softmax),
}
shapes = array_shapes(min_dims=1, max_dims=4, max_side=5) | st.sampled_from([(0,), (3, 0), (0, 3), (2, 0, 3)])
INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("name", KERNELS)
@given(st.data(), shapes, st.sampled_from([1.0, 50.0, 1e4]), dtypes)
def test_equals_torch(name, data, shape, factor, dtype):
    forward, backward, function = KERNELS[name]
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x, grad_output = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    x = x * dtype(factor)
    with unmodified(x, grad_output):
        output = forward(x, axis)
    with unmodified(output, grad_output):
        grad_x = backward(grad_output, output, axis)
    expected, (expected_grad,) = oracle(lambda t: function(t, axis), grad_output, x)
    length = shape[axis]
    assert_close(output, expected, terms=length, scale=max(1.0, largest(expected)))
    # an error of log-probabilities l of relative size u makes one of |l| * u in the probabilities
    scale = length * largest(grad_output) * max(1.0, min(largest(expected), 40.0))
    assert_close(grad_x, expected_grad, terms=length, scale=scale)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    "row", [[-INF, -INF], [INF, 1], [INF, INF], [-INF, 1], [NAN, 1], [NAN, -INF], [3e38, -3e38]]
)
def test_infinities_and_nan_answer_as_torch(name, row):
    forward, backward, function = KERNELS[name]
    x, grad_output = np.array([row, [1, 2]], np.float32), np.array([[2, 3], [5, -7]], np.float32)
    output = forward(x, 1)
    grad_x = backward(grad_output, output, 1)
    expected, (expected_grad,) = oracle(lambda t: function(t, 1), grad_output, x)
    assert_close(output, expected)
    assert_close(grad_x, expected_grad, scale=10)


def test_sums_to_one_and_ignores_a_shift(rng):
    x = rng.standard_normal((4, 1000)) * 10
    np.testing.assert_allclose(softmax(x, 1).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(x + 512.0, 1), softmax(x, 1), rtol=1e-11)
    np.testing.assert_allclose(np.exp(log_softmax(x, 1)), softmax(x, 1), rtol=1e-12)


def test_log_softmax_is_exact_where_the_probability_rounds_to_zero():
    np.testing.assert_array_equal(log_softmax(np.array([0.0, -1e4]), 0), [0, -1e4])


X = np.zeros((2, 3))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("x", "axis", "error", "words"),
    [
        (X, 2, ValueError, "axis 2 is out of range for an array with 2 dimensions"),
        (X, -3, ValueError, "axis -3 is out of range for an array with 2 dimensions"),
        (np.zeros(()), 0, ValueError, "axis 0 is out of range for an array with 0 dimensions"),
        (X, 1.0, TypeError, r"axis must be an integer, got 1\.0"),
        (X, None, TypeError, "axis must be an integer, got None"),
        (X.astype(int), 1, TypeError, "must be float32 or float64, got int64"),
        ([[1.0]], 1, TypeError, "must be an array, got list"),
    ],
)
def test_bad_calls(name, x, axis, error, words):
    forward, backward, _ = KERNELS[name]
    with pytest.raises(error, match=f"^{name}: .*{words}"):
        forward(x, axis)
    with pytest.raises(error, match=f"^{name}_backward: .*{words}"):
        backward(x, x, axis)


@pytest.mark.parametrize("name", KERNELS)
def test_bad_gradients(name):
    backward = KERNELS[name][1]
    with pytest.raises(ValueError, match=rf"{name}_backward: grad_output must have shape \(2, 3\)"):
        backward(X[0], X, 1)
    with pytest.raises(TypeError, match="all arrays must have one dtype"):
        backward(X.astype(np.float32), X, 1)
