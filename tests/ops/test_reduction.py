"""Reductions against torch: every choice of axes, keepdim, empty and size-1 axes, ties, corrections."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import minception as mc
from tests.kernels.inputs import arrays, dtypes, seeds, shapes
from tests.ops.check import assert_same, check


@st.composite
def axes_of(draw, ndim):
    """None, one axis (counted from either end), or several of them."""
    if ndim == 0:
        return draw(st.sampled_from([None, 0, -1]))
    axis = st.integers(-ndim, ndim - 1)
    several = st.lists(axis, unique_by=lambda a: a % ndim, max_size=ndim).map(tuple)
    return draw(st.none() | axis | several)


def reduced_sizes(shape, dim):
    axes = range(len(shape)) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    return [shape[axis] for axis in axes] if shape else []


@pytest.mark.parametrize("name", ["sum", "mean"])
@given(data=st.data(), shape=shapes, dtype=dtypes, keepdim=st.booleans(), seed=seeds)
def test_sum_and_mean(name, data, shape, dtype, keepdim, seed):
    x, dim = data.draw(arrays(shape, dtype)), data.draw(axes_of(len(shape)))
    check(
        lambda t: getattr(t, name)(dim, keepdim=keepdim),
        lambda t: getattr(t, name)(dim, keepdim=keepdim) if dim is not None or keepdim else getattr(t, name)(),
        x,
        seed=seed,
        scale=max(1.0, np.abs(x).sum()),
    )


@pytest.mark.parametrize("correction", [0, 1, 2, 0.5])
@given(data=st.data(), shape=shapes, dtype=dtypes, keepdim=st.booleans(), seed=seeds)
def test_variance(correction, data, shape, dtype, keepdim, seed):
    x, dim = data.draw(arrays(shape, dtype)), data.draw(axes_of(len(shape)))
    assume(x.size and np.prod(reduced_sizes(shape, dim)) > correction)  # torch warns of the others
    theirs = None if dim == () else dim  # torch's gradient for () misses a factor
    check(
        lambda t: t.var(dim, correction=correction, keepdim=keepdim),
        lambda t: t.var(theirs, correction=correction, keepdim=keepdim),
        x,
        seed=seed,
        scale=max(1.0, 4 * np.square(x).sum()),
    )


def test_variance_of_too_few_elements_is_not_a_number(rng):
    assert np.isnan(mc.Tensor(rng.standard_normal(1)).var().item())
    assert np.isnan(mc.Tensor(np.empty(0)).var(correction=0).item())


@pytest.mark.parametrize("name", ["amax", "amin"])
@given(data=st.data(), shape=shapes, dtype=dtypes, keepdim=st.booleans(), seed=seeds)
def test_amax_and_amin_share_the_gradient_of_ties(name, data, shape, dtype, keepdim, seed):
    x, dim = data.draw(arrays(shape, dtype)), data.draw(axes_of(len(shape)))
    assume(0 not in reduced_sizes(shape, dim))
    theirs = () if dim is None else dim
    check(lambda t: getattr(t, name)(dim, keepdim), lambda t: getattr(t, name)(theirs, keepdim), x, seed=seed)


@pytest.mark.parametrize("name", ["max", "min"])
@given(data=st.data(), shape=shapes, dtype=dtypes, keepdim=st.booleans(), seed=seeds)
def test_max_and_min_along_an_axis(name, data, shape, dtype, keepdim, seed):
    """Values and indices; the gradient goes to the first of tied elements."""
    x = data.draw(arrays(shape, dtype))
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    assume(0 not in reduced_sizes(shape, dim))
    check(lambda t: getattr(t, name)(dim, keepdim)[0], lambda t: getattr(t, name)(dim, keepdim)[0], x, seed=seed)
    ours, theirs = getattr(mc.from_numpy(x), name)(dim, keepdim), getattr(torch.tensor(x.copy()), name)(dim, keepdim)
    assert_same(ours.indices, theirs.indices)
    assert_same(ours.values, theirs.values)


@pytest.mark.parametrize("name", ["max", "min"])
@given(data=st.data(), shape=shapes, dtype=dtypes, seed=seeds)
def test_max_and_min_of_everything(name, data, shape, dtype, seed):
    assume(0 not in shape)
    x = data.draw(arrays(shape, dtype))
    check(lambda t: getattr(t, name)(), lambda t: getattr(t, name)(), x, seed=seed)


@given(data=st.data(), shape=shapes, keepdim=st.booleans())
def test_argmax(data, shape, keepdim):
    assume(0 not in shape)
    x = data.draw(arrays(shape, np.float64))
    dim = data.draw(st.none() | st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    assert_same(mc.from_numpy(x).argmax(dim, keepdim), torch.tensor(x.copy()).argmax(dim, keepdim))


def test_an_axis_without_elements_is_kept_or_refused():
    x = mc.Tensor(np.empty((0, 3)))
    for name in ("max", "min", "amax", "amin", "argmax"):
        result = getattr(x, name)(1)
        assert (result.values if name in ("max", "min") else result).shape == (0,)
        with pytest.raises(ValueError, match=f"{name}: there is no {name} of no elements"):
            getattr(x, name)(0)
        with pytest.raises(ValueError, match=f"{name}: there is no {name} of no elements"):
            getattr(x, name)()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.int32, np.int64])
def test_reductions_of_integers(dtype):
    x = np.array([[1, 0, 1], [1, 1, 0]], dtype)
    for dim in (None, 0, (0, 1)):
        assert_same(mc.Tensor(x).sum(dim), torch.tensor(x).sum(dim))
    assert_same(mc.Tensor(x).amax(1), torch.tensor(x).amax(1))
    for name in ("mean", "var"):
        with pytest.raises(RuntimeError, match=f"{name}: the tensor must be floating, got {np.dtype(dtype)}"):
            getattr(mc.Tensor(x), name)()


@pytest.mark.parametrize("name", ["sum", "mean", "var", "amax", "max", "argmax"])
def test_axes_that_do_not_exist(name):
    x = mc.Tensor(np.ones((2, 3)))
    for dim in (2, -3):
        with pytest.raises(IndexError, match=f"{name}: dim {dim} is out of range for 2 dimensions"):
            getattr(x, name)(dim)


def test_an_axis_named_twice_or_several_where_one_is_meant():
    x = mc.Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"sum: an axis appears twice in dim \(0, -2\)"):
        x.sum((0, -2))
    for name in ("max", "min", "argmax"):
        with pytest.raises(TypeError, match=f"{name}: dim must be an integer"):
            getattr(x, name)((0, 1))


@pytest.mark.parametrize(("shape", "dim"), [((300_000, 2), 0), ((100, 50, 100), (0, 2)), ((600_000,), None)])
def test_long_float32_sums_are_accurate(shape, dim, rng):
    """Sums along any axis stay within one rounding of the exact one, not of a naive float32 loop."""
    x = rng.random(shape, dtype=np.float32)
    exact = x.astype(np.float64).sum(axis=dim)
    assert np.abs(mc.Tensor(x).sum(dim).numpy() / exact - 1).max() < 2e-7
    bias = mc.Tensor(np.zeros(shape[1:], np.float32), requires_grad=True)
    (mc.Tensor(x) * 0 + bias).backward(x)
    assert np.abs(bias.grad.numpy() / x.astype(np.float64).sum(axis=0) - 1).max() < 2e-7


def test_long_float32_variances_are_accurate(rng):
    x = (5 + rng.random((300_000, 2))).astype(np.float32)
    exact = x.astype(np.float64).var(axis=0, ddof=1)
    assert np.abs(mc.Tensor(x).var(0).numpy() / exact - 1).max() < 1e-5
