"""Inverted dropout: its statistics, its repeatability, and its gradient against torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference.dropout import dropout, dropout_backward
from tests.compare import assert_close, torch_grads

from .inputs import LAYOUTS, arrays, dtypes, in_layout, seeds, shapes, unmodified

PROBABILITIES = [0.0, 0.1, 0.5, 0.9, 1.0]


def generator(seed=0):
    return np.random.default_rng(seed)


@given(st.data(), shapes, st.sampled_from(PROBABILITIES), seeds, dtypes)
def test_is_a_product_with_the_mask_and_so_is_its_gradient(data, shape, p, seed, dtype):
    x, grad_output = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, dtype))
    with unmodified(x, grad_output):
        output, mask = dropout(x, p, generator(seed))
        grad_x = dropout_backward(grad_output, mask)
    for result in (output, mask, grad_x):
        assert isinstance(result, np.ndarray) and result.shape == shape and result.dtype == dtype
    allowed = [0] if p == 1 else [0, np.asarray(1 / (1 - p), dtype)]
    assert np.isin(mask, allowed).all()
    tensor_mask = mask.copy()
    expected, (expected_grad,) = torch_grads(lambda t: t * t.new_tensor(tensor_mask), grad_output, x)
    assert_close(output, expected)
    assert_close(grad_x, expected_grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(400, 500), (20, 10, 20, 50)])
def test_drops_the_fraction_p_everywhere_and_keeps_the_mean(shape, p, dtype):
    output, mask = dropout(np.ones(shape, dtype), p, generator())
    np.testing.assert_array_equal(output, mask)
    deviation = np.sqrt(p * (1 - p))  # of one element's "kept or not"
    for axis in range(len(shape)):
        others = tuple(a for a in range(len(shape)) if a != axis)
        kept = (mask != 0).mean(axis=others)  # a share for each index along the axis
        assert np.abs(kept - (1 - p)).max() < 6 * deviation / np.sqrt(mask.size / shape[axis])
    assert abs(mask.mean(dtype=np.float64) - 1) < 6 * deviation / (1 - p) / np.sqrt(mask.size)


def test_extremes():
    x = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(dropout(x, 0, generator())[0], x)
    for result in dropout(x, 1, generator()):
        np.testing.assert_array_equal(result, np.zeros(3))


@pytest.mark.parametrize("shape", [(6,), (4, 6), (3, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_seed_and_the_shape_alone_decide_the_mask(rng, shape, layout):
    x = rng.standard_normal(shape)
    _, expected = dropout(x, 0.5, generator(7))
    _, mask = dropout(in_layout(x, layout), 0.5, generator(7))
    np.testing.assert_array_equal(mask, expected)


def test_the_generator_moves_on_alike_for_every_p():
    x = np.zeros((5, 7))
    states = set()
    for p in PROBABILITIES:
        used = generator()
        _, first = dropout(x, p, used)
        _, second = dropout(x, p, used)
        assert p in (0, 1) or (first != second).any()
        states.add(used.bit_generator.state["state"]["state"])
    assert len(states) == 1


X = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dropout(X, -0.1, generator()), ValueError, r"p must be .* between 0 and 1, got -0\.1"),
        (lambda: dropout(X, 1.5, generator()), ValueError, r"p must be .* between 0 and 1, got 1\.5"),
        (lambda: dropout(X, np.nan, generator()), ValueError, "p must be .* between 0 and 1, got nan"),
        (lambda: dropout(X, "0.5", generator()), TypeError, "p must be a real number, got '0.5'"),
        (lambda: dropout(X, 0.5, 3), TypeError, "generator must be a numpy.random.Generator, got int"),
        (lambda: dropout(X, 0.5, np.random.RandomState(0)), TypeError, "Generator, got RandomState"),
        (lambda: dropout(X.astype(int), 0.5, generator()), TypeError, "x must be float32 or float64"),
        (lambda: dropout_backward(X[0], X), ValueError, r"grad_output must have shape \(2, 3\)"),
        (lambda: dropout_backward(X, X > 0), TypeError, "mask must be float32 or float64, got bool"),
    ],
)
def test_bad_calls(call, error, words):
    with pytest.raises(error, match=words):
        call()
