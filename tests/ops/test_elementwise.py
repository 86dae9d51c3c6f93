"""Functions of one tensor, clip and where: integers, dtypes, numbers as operands, what a gradient must not reach."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import functional as F
from tests.compare import assert_close
from tests.ops.check import assert_same, check


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "log", "sqrt"])
def test_integers_become_float32(name):
    x = np.array([[1, 2, 5], [3, 1, 4]])
    for integers in (x, x > 2):
        assert_close(getattr(F, name)(mc.Tensor(integers)), getattr(torch, name)(torch.tensor(integers)))


# clip


def test_clip_keeps_the_dtype_and_stops_gradients():
    x = mc.Tensor([np.nan, np.inf, 0.15]).float()
    clipped = x.clip(np.float64(0.1), mc.Tensor(0.2)).numpy()
    np.testing.assert_array_equal(clipped, np.array([np.nan, 0.2, 0.15], np.float32), strict=True)
    blocked = mc.Tensor([2.0, 0.0], requires_grad=True)
    blocked.clip(-1, 1).backward(np.array([np.inf, 1.0]))
    assert blocked.grad.tolist() == [0, 1]


@pytest.mark.parametrize(("low", "high"), [(1, 3), (1.5, None), (None, 2.5)])
def test_clip_of_integers_promotes_as_torch(low, high):
    x = np.arange(5)
    assert_same(mc.Tensor(x).clip(low, high), torch.tensor(x).clamp(low, high))


# where


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
