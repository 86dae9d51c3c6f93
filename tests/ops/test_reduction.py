"""Reductions of nothing, of integers and of very many numbers."""

import numpy as np
import pytest
import torch

import minception as mc
from tests.ops.check import assert_same


def test_variance_of_too_few_elements_is_not_a_number(rng):
    assert np.isnan(mc.Tensor(rng.standard_normal(1)).var().item())
    assert np.isnan(mc.Tensor(np.empty(0)).var(correction=0).item())


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
