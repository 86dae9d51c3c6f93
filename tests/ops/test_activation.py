"""ELU, softmax, log-softmax and dropout as operations: gradients against torch, and where dropout draws from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.kernels.inputs import arrays, dtypes, seeds, shapes
from tests.ops.check import check


@pytest.mark.parametrize("alpha", [1.0, 0.3, -0.5])
@given(data=st.data(), shape=shapes, dtype=dtypes, seed=seeds)
def test_elu(alpha, data, shape, dtype, seed):
    x = data.draw(arrays(shape, dtype))
    check(lambda t: F.elu(t, alpha), lambda t: torch.nn.functional.elu(t, alpha), x, seed=seed, scale=10.0)


@given(data=st.data(), shape=shapes, dtype=dtypes, seed=seeds)
def test_relu(data, shape, dtype, seed):
    """Drawn zeros are many; the gradient there is 0."""
    check(F.relu, torch.relu, data.draw(arrays(shape, dtype)), seed=seed)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@given(data=st.data(), shape=shapes.filter(len), dtype=dtypes, seed=seeds)
def test_softmax(name, data, shape, dtype, seed):
    x = 3 * data.draw(arrays(shape, dtype))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    check(lambda t: getattr(F, name)(t, dim), lambda t: getattr(torch, name)(t, dim), x, seed=seed, scale=20.0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_large_numbers(name, rng):
    x = 1e4 * rng.standard_normal((3, 5))
    check(lambda t: getattr(F, name)(t, 1), lambda t: getattr(torch, name)(t, 1), x)


def test_dropout_gradient_is_the_mask(rng):
    x = mc.Tensor(rng.standard_normal((40, 50)) + 10, requires_grad=True)
    y = F.dropout(x, 0.3, generator=np.random.default_rng(1))
    mask = y.numpy() / x.numpy()
    cotangent = rng.standard_normal(x.shape)
    y.backward(cotangent)
    np.testing.assert_allclose(x.grad.numpy(), mask * cotangent, rtol=1e-14)
    np.testing.assert_allclose(np.unique(mask.round(12)), [0, 1 / 0.7])
    assert abs((mask == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / mask.size)


def test_dropout_draws_from_the_default_generator():
    x = mc.Tensor(np.ones((8, 8), np.float32))
    mc.manual_seed(3)
    first, second = F.dropout(x), F.dropout(x)
    mc.manual_seed(3)
    again = F.dropout(x)
    assert first.tolist() == again.tolist()
    assert first.tolist() != second.tolist()
    state = mc.default_generator().bit_generator.state
    F.dropout(x, generator=np.random.default_rng(0))
    assert mc.default_generator().bit_generator.state == state


def test_dropout_that_drops_nothing_or_everything():
    x = mc.Tensor(np.ones(5), requires_grad=True)
    assert F.dropout(x, 0.9, training=False) is x
    assert F.dropout(x, 0.0) is x
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert y.tolist() == x.grad.tolist() == [0] * 5


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_probability_out_of_range(p):
    for training in (True, False):
        with pytest.raises(ValueError, match="dropout: p must be between 0 and 1"):
            F.dropout(mc.Tensor([1.0]), p, training)


def test_arrays_are_not_tensors():
    """The functions of networks take tensors; an array would lose its gradient silently."""
    for call in (F.relu, F.elu, lambda x: F.softmax(x, 0), lambda x: F.linear(x, mc.Tensor(np.ones((1, 3))))):
        with pytest.raises(TypeError, match="input 0 must be a Tensor, got ndarray"):
            call(np.ones(3))
