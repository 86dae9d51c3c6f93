"""Functions of one tensor, clip, maximum, minimum and where against torch, in ordinary and cornered values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.compare import assert_close
from tests.kernels.inputs import arrays, dtypes, seeds, shapes
from tests.ops.check import assert_same, broadcastable, check

EVERYWHERE = [("exp", F.exp), ("tanh", F.tanh), ("sigmoid", F.sigmoid), ("abs", abs), ("relu", F.relu)]
POSITIVE = [("log", F.log), ("sqrt", F.sqrt)]
CORNERS = np.array([0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e-30, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize(("name", "ours"), EVERYWHERE)
@given(data=st.data(), shape=shapes, dtype=dtypes, seed=seeds)
def test_functions(name, ours, data, shape, dtype, seed):
    x = data.draw(arrays(shape, dtype))
    check(ours, getattr(torch, name), x, seed=seed, scale=10.0)


@pytest.mark.parametrize(("name", "ours"), POSITIVE)
@given(data=st.data(), shape=shapes, dtype=dtypes, seed=seeds)
def test_functions_of_positive_numbers(name, ours, data, shape, dtype, seed):
    x = np.abs(data.draw(arrays(shape, dtype))) + dtype(0.1)
    check(ours, getattr(torch, name), x, seed=seed)


@pytest.mark.parametrize(("name", "ours"), [*EVERYWHERE, *POSITIVE])
@pytest.mark.parametrize("value", CORNERS)
def test_corners(name, ours, value):
    """Zero, saturation, infinity and NaN: values and gradients of torch, without a warning."""
    x = np.array([value])
    if name == "abs" and np.isnan(value):  # torch's gradient is 0
        assert np.isnan(ours(mc.Tensor(x)).item())
        return
    check(ours, getattr(torch, name), x, terms=1)
    assert ours(mc.Tensor(x.astype(np.float32))).dtype == np.float32


@pytest.mark.parametrize(("name", "ours"), [*EVERYWHERE[:3], *POSITIVE])
def test_integers_become_float32(name, ours):
    x = np.array([[1, 2, 5], [3, 1, 4]])
    assert_close(ours(mc.Tensor(x)), getattr(torch, name)(torch.tensor(x)))
    assert_close(ours(mc.Tensor(x > 2)), getattr(torch, name)(torch.tensor(x > 2)))


def test_methods_are_the_functions(rng):
    x = mc.Tensor(rng.uniform(0.5, 2, (2, 3)))
    for name in ("exp", "log", "sqrt", "abs", "tanh", "sigmoid", "relu"):
        function = abs if name == "abs" else getattr(F, name)
        np.testing.assert_array_equal(getattr(x, name)().numpy(), function(x).numpy())


# clip

BOUNDS = [(-0.5, 0.5), (None, 0.5), (-0.5, None), (0.5, -0.5), (1, 1), (-1, 1)]


@pytest.mark.parametrize(("low", "high"), BOUNDS)
@given(data=st.data(), shape=shapes, dtype=dtypes, seed=seeds)
def test_clip(low, high, data, shape, dtype, seed):
    """Drawn small integers lie on the bounds often; bounds in the wrong order give the upper one."""
    x = data.draw(arrays(shape, dtype))
    check(lambda t: t.clip(low, high), lambda t: t.clamp(low, high), x, seed=seed)


def test_clip_keeps_the_dtype_and_nan():
    x = np.array([np.nan, np.inf, -np.inf, 0.3], np.float32)
    check(lambda t: t.clamp(min=-1, max=1.0), lambda t: t.clamp(-1, 1), x)
    assert mc.Tensor(x).clip(np.float64(0.1), mc.Tensor(0.2)).dtype == np.float32
    blocked = mc.Tensor([2.0, 0.0], requires_grad=True)
    blocked.clip(-1, 1).backward(np.array([np.inf, 1.0]))
    assert blocked.grad.tolist() == [0, 1]


@pytest.mark.parametrize(("low", "high"), [(1, 3), (1.5, None), (None, 2.5)])
def test_clip_of_integers_promotes_as_torch(low, high):
    x = np.arange(5)
    assert_same(mc.Tensor(x).clip(low, high), torch.tensor(x).clamp(low, high))


def test_clip_without_bounds():
    with pytest.raises(ValueError, match="clip: at least one of min and max"):
        mc.Tensor([1.0]).clip()


# maximum, minimum, where


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@given(operands=broadcastable(), seed=seeds)
def test_extremum(name, operands, seed):
    """Ties share the gradient, as in torch."""
    check(getattr(F, name), getattr(torch, name), *operands, seed=seed)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremum_of_nan_and_infinity(name):
    a, b = np.meshgrid([np.nan, np.inf, -np.inf, 0.0], [np.nan, np.inf, -np.inf, 1.0])
    check(getattr(F, name), getattr(torch, name), a, b)


@given(operands=broadcastable(3), seed=seeds)
def test_where(operands, seed):
    condition, a, b = operands
    mask = np.asarray(condition > 0)
    check(lambda x, y: mc.where(mask, x, y), lambda x, y: torch.where(torch.tensor(mask), x, y), a, b, seed=seed)


def test_where_with_numbers_and_tensor_conditions(rng):
    x = rng.standard_normal((3, 4)).astype(np.float32)
    check(lambda t: mc.where(t > 0, t, 0.1), lambda t: torch.where(t > 0, t, 0.1), x)
    check(lambda t: mc.where(t > 0, 2, t), lambda t: torch.where(t > 0, 2, t), x)
    check(lambda t: mc.where(True, t, -t), lambda t: torch.where(torch.tensor(True), t, -t), x)


def test_where_stops_what_it_does_not_choose():
    """An infinite or NaN gradient does not leak into the other branch (0 * inf)."""
    x = mc.Tensor([1.0, 2.0], requires_grad=True)
    y = mc.Tensor([3.0, 4.0], requires_grad=True)
    mc.where(np.array([True, False]), x, y).backward(np.array([np.inf, np.nan]))
    np.testing.assert_array_equal(x.grad.numpy(), [np.inf, 0])
    np.testing.assert_array_equal(y.grad.numpy(), [0, np.nan])


def test_where_keeps_the_condition_of_its_call():
    """The caller may reuse the array of the condition before backward."""
    x = mc.Tensor([1.0, 2.0], requires_grad=True)
    condition = np.array([True, False])
    y = mc.where(condition, x, 0.0)
    condition[:] = False
    y.sum().backward()
    assert x.grad.tolist() == [1, 0]


def test_where_needs_a_bool_condition():
    with pytest.raises(TypeError, match="where: condition must be bool, got float32"):
        mc.where(mc.Tensor([1.0]), mc.Tensor([1.0]), mc.Tensor([2.0]))
