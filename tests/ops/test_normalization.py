"""Batch normalization as an operation: its running statistics, and when they move."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import functional as F
from tests.compare import assert_close


def test_running_statistics_move_as_in_torch(rng):
    mean, var = mc.Tensor(np.zeros(3)), mc.Tensor(np.ones(3))
    twins = torch.zeros(3).double(), torch.ones(3).double()
    versions = mean._version, var._version
    for _ in range(3):
        x = rng.standard_normal((2, 3, 4, 5))
        F.batch_norm(mc.Tensor(x), mean, var, training=True, momentum=0.2)
        torch.nn.functional.batch_norm(torch.tensor(x), *twins, training=True, momentum=0.2)
    assert_close(mean, twins[0], terms=40)
    assert_close(var, twins[1], terms=40)
    assert (mean._version, var._version) == (versions[0] + 3, versions[1] + 3)
    before = mean.tolist(), var.tolist()
    F.batch_norm(mc.Tensor(x), mean, var)
    assert (mean.tolist(), var.tolist()) == before


def test_running_statistics_may_move_between_forward_and_backward(rng):
    """An evaluation pass keeps the statistics that it normalised by."""
    x, mean, var = rng.standard_normal((2, 3)), mc.Tensor(np.zeros(3)), mc.Tensor(np.full(3, 4.0))
    t = mc.Tensor(x, requires_grad=True)
    y = F.batch_norm(t, mean, var, eps=0.0)
    F.batch_norm(t.detach(), mean, var, training=True)
    y.backward(np.ones((2, 3)))
    np.testing.assert_allclose(t.grad.numpy(), np.full((2, 3), 0.5))


def test_running_statistics_are_left_alone_by_a_failing_call():
    mean, var = mc.Tensor(np.zeros(3)), mc.Tensor(np.ones(3))
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        F.batch_norm(mc.Tensor(np.ones((1, 3, 1, 1))), mean, var, training=True)
    assert (mean.tolist(), var.tolist()) == ([0] * 3, [1] * 3)
