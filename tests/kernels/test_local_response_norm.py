"""Local response normalisation against torch."""

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference.local_response_norm import (
    local_response_norm,
    local_response_norm_backward,
)
from tests.compare import assert_close, torch_grads

from .inputs import arrays, dtypes, is_channels_last, largest, oracle, unmodified

INF, NAN = np.inf, np.nan
image_shapes = st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(1, 4), st.integers(1, 4))


@given(
    st.data(),
    image_shapes,
    st.integers(1, 9),
    st.sampled_from([1e-4, 0.5, 3.0]),
    st.sampled_from([0.75, 0.5, 1.0, 2.0]),
    st.sampled_from([1.0, 2.0, 0.25]),
    dtypes,
)
def test_equals_torch(data, shape, size, alpha, beta, k, dtype):
    x, grad_output = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    with unmodified(x, grad_output):
        output, scale = local_response_norm(x, size, alpha, beta, k)
        grad_x = local_response_norm_backward(grad_output, x, scale, size, alpha, beta, k)

    expected, (expected_grad,) = oracle(
        lambda t: F.local_response_norm(t, size, alpha, beta, k), grad_output, x
    )
    assert_close(output, expected, terms=size)
    # the two parts of the gradient may cancel; each is at most size * |grad| * k^-beta * (1 + 2 * beta)
    magnitude = size * (1 + 2 * beta) * k**-beta * largest(grad_output)
    assert_close(grad_x, expected_grad, terms=size, scale=magnitude)
    assert is_channels_last(output) and is_channels_last(scale) and is_channels_last(grad_x)


def test_defaults_are_those_of_torch(rng):
    x = 30 * rng.standard_normal((2, 6, 3, 3))
    output, _ = local_response_norm(x, 5)
    expected, _ = torch_grads(lambda t: F.local_response_norm(t, 5), np.ones(x.shape), x)
    assert_close(output, expected, terms=5)


def test_even_window_reaches_further_to_the_front():
    x = np.array([1.0, 2.0, 3.0, 5.0]).reshape(1, 4, 1, 1)
    _, scale = local_response_norm(x, size=4, alpha=4.0, k=0.0)
    # channels c - 2 ... c + 1
    np.testing.assert_array_equal(scale.ravel(), [1 + 4, 1 + 4 + 9, 1 + 4 + 9 + 25, 4 + 9 + 25])


@pytest.mark.parametrize(
    ("channels", "k"),
    [([0.0, INF, 1.0, 1e30], 1.0), ([0.0, NAN, 1.0, 2.0], 1.0), ([0.0, 0.0, 0.0, 1.0], 0.0)],
)
def test_infinite_nan_and_zero_scales_answer_as_torch(channels, k):
    x = np.array(channels, np.float32).reshape(1, 4, 1, 1)
    output, scale = local_response_norm(x, 2, k=k)
    grad_x = local_response_norm_backward(np.ones_like(x), x, scale, 2, k=k)
    expected, (expected_grad,) = torch_grads(lambda t: F.local_response_norm(t, 2, k=k), np.ones_like(x), x)
    assert_close(output, expected)
    assert_close(grad_x, expected_grad)


IMAGE = np.zeros((2, 3, 4, 4))
ROWS = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"size": 0}, ValueError, "size must be positive, got 0"),
        ({"size": -3}, ValueError, "size must be positive, got -3"),
        ({"size": 2.5}, TypeError, r"size must be an integer, got 2\.5"),
        ({"alpha": "1"}, TypeError, "alpha must be a real number, got '1'"),
        ({"beta": None}, TypeError, "beta must be a real number, got None"),
        ({"k": 1j}, TypeError, "k must be a real number, got 1j"),
        ({"x": ROWS}, ValueError, r"x must have 4 dimensions \(N, C, H, W\), got shape \(2, 3\)"),
        ({"x": IMAGE.astype(np.float16)}, TypeError, "x must be float32 or float64, got float16"),
    ],
)
def test_bad_calls(arguments, error, words):
    arguments = {"x": IMAGE, "size": 5, **arguments}
    with pytest.raises(error, match=f"^local_response_norm: {words}"):
        local_response_norm(**arguments)
    x = arguments["x"]
    with pytest.raises(error, match=r"^local_response_norm_backward: "):
        local_response_norm_backward(x, scale=x, **arguments)


def test_bad_gradient_and_scale():
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3, 4, 4\)"):
        local_response_norm_backward(IMAGE[:1], IMAGE, IMAGE, 5)
    with pytest.raises(ValueError, match=r"scale must have shape \(2, 3, 4, 4\)"):
        local_response_norm_backward(IMAGE, IMAGE, IMAGE[:, :1], 5)
    with pytest.raises(TypeError, match="all arrays must have one dtype"):
        local_response_norm_backward(IMAGE, IMAGE.astype(np.float32), IMAGE, 5)
