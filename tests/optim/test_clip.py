"""Gradient clipping against torch."""

import math

import numpy as np
import pytest
import torch

from minception import Tensor, optim
from minception.nn import Parameter
from tests.optim.twins import Twins


def gradients(parameters):
    return [None if p.grad is None else np.array(p.grad.numpy()) for p in parameters]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm_type", [2, 2.0, 1, 3.5, math.inf, "inf", 0.5])
@pytest.mark.parametrize("max_norm", [0.0, 0.1, 1.0, 1e6])
def test_clip_grad_norm_equals_torch(dtype, norm_type, max_norm):
    twins = Twins(dtype=dtype)
    twins.draw_grads(without=[1])
    ours = optim.clip_grad_norm_(iter(twins.ours), max_norm, norm_type)
    theirs = torch.nn.utils.clip_grad_norm_(twins.theirs, max_norm, norm_type, foreach=False)
    rtol = 16 * float(np.finfo(dtype).eps)
    assert isinstance(ours, float)
    assert ours == pytest.approx(theirs.item(), rel=rtol)
    for actual, expected in zip(gradients(twins.ours), gradients(twins.theirs), strict=True):
        if expected is None:
            assert actual is None
        else:
            assert actual.dtype == dtype
            np.testing.assert_allclose(actual, expected, rtol=rtol)


def test_clipped_gradients_have_the_norm_and_the_direction():
    twins = Twins()
    twins.draw_grads()
    before = np.concatenate([g.ravel() for g in gradients(twins.ours)])
    versions = [p.grad._version for p in twins.ours]
    total = optim.clip_grad_norm_(twins.ours, 0.5)
    after = np.concatenate([g.ravel() for g in gradients(twins.ours)])
    assert total == pytest.approx(np.linalg.norm(before), rel=1e-14)
    assert np.linalg.norm(after) == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(after / np.linalg.norm(after), before / np.linalg.norm(before), rtol=1e-13)
    assert all(p.grad._version > version for p, version in zip(twins.ours, versions, strict=True))


def test_small_gradients_keep_their_bits():
    twins = Twins()
    twins.draw_grads()
    before = gradients(twins.ours)
    optim.clip_grad_norm_(twins.ours, 1e3)
    for actual, expected in zip(gradients(twins.ours), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_the_norm_of_many_float32_values_is_accurate():
    p = Parameter(np.ones(2_000_000, np.float32))
    p.grad = Tensor(np.full(p.shape, 0.1, np.float32))
    expected = float(np.float32(0.1)) * math.sqrt(2_000_000)
    assert optim.clip_grad_norm_([p], 1e9) == pytest.approx(expected, rel=1e-11)


def test_the_norm_of_huge_float32_values_does_not_overflow():
    p = Parameter(np.ones(2, np.float32))
    p.grad = Tensor(np.array([3e30, 4e30], np.float32))
    assert optim.clip_grad_norm_(p, 5.0) == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(p.grad.numpy(), [3.0, 4.0], rtol=1e-6)


def test_without_gradients_the_norm_is_zero():
    twins = Twins()
    assert optim.clip_grad_norm_(twins.ours, 1.0) == 0.0
    assert optim.clip_grad_norm_([], 1.0) == 0.0
    optim.clip_grad_value_(twins.ours, 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_norms(bad):
    twins = Twins()
    twins.draw_grads()
    twins.ours[2].grad._array[0, 1] = bad
    twins.theirs[2].grad[0, 1] = bad
    before = gradients(twins.ours)
    with pytest.raises(RuntimeError, match=r"clip_grad_norm_: the total norm of order 2.0 .* is (nan|inf)"):
        optim.clip_grad_norm_(twins.ours, 1.0, error_if_nonfinite=True)
    for actual, expected in zip(gradients(twins.ours), before, strict=True):
        np.testing.assert_array_equal(actual, expected)

    ours = optim.clip_grad_norm_(twins.ours, 1.0)
    theirs = torch.nn.utils.clip_grad_norm_(twins.theirs, 1.0, foreach=False)
    np.testing.assert_equal(ours, theirs.item())
    for actual, expected in zip(gradients(twins.ours), gradients(twins.theirs), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip_value", [0, 0.1, 0.7, math.inf])
def test_clip_grad_value_equals_torch(dtype, clip_value):
    twins = Twins(dtype=dtype)
    twins.draw_grads(without=[1])
    twins.ours[2].grad._array[0] = [np.nan, np.inf, -np.inf]
    twins.theirs[2].grad[0] = torch.tensor([math.nan, math.inf, -math.inf])
    version = twins.ours[0].grad._version
    assert optim.clip_grad_value_(twins.ours, clip_value) is None
    torch.nn.utils.clip_grad_value_(twins.theirs, clip_value, foreach=False)
    for actual, expected in zip(gradients(twins.ours), gradients(twins.theirs), strict=True):
        if expected is not None:
            assert actual.dtype == dtype
            np.testing.assert_array_equal(actual, expected)
    assert twins.ours[0].grad._version > version


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_limits_below_zero_are_refused(bad):
    twins = Twins()
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm must not be negative"):
        optim.clip_grad_norm_(twins.ours, bad)
    with pytest.raises(ValueError, match="clip_grad_value_: clip_value must not be negative"):
        optim.clip_grad_value_(twins.ours, bad)
