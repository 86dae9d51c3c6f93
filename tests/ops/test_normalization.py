"""Batch and local response normalization as operations: gradients in both modes, running statistics, state."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.compare import assert_close
from tests.kernels.inputs import arrays, dtypes, seeds
from tests.ops.check import check


def batch_norm_of(module, running, training, momentum=0.3, eps=1e-3):
    """Batch norm of (x, weight, bias) on copies of the running statistics, in torch or here."""
    wrap = mc.Tensor if module is F else torch.tensor

    def function(x, weight=None, bias=None):
        statistics = [wrap(array.astype(np.float64) if module is not F else array) for array in running]
        return module.batch_norm(x, *statistics, weight, bias, training, momentum, eps)

    return function


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_batch_norm(training, affine, data, dtype, seed):
    c = data.draw(st.integers(1, 4))
    spatial = data.draw(st.sampled_from([(), (3,), (2, 5), (1, 1)]))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((data.draw(st.integers(2, 4)), c, *spatial)).astype(dtype)
    weight, bias = data.draw(arrays((c,), dtype)), data.draw(arrays((c,), dtype))
    running = rng.standard_normal(c).astype(dtype), rng.uniform(0.5, 2, c).astype(dtype)
    inputs = (x, weight, bias) if affine else (x,)
    check(
        batch_norm_of(F, running, training),
        batch_norm_of(torch.nn.functional, running, training),
        *inputs,
        seed=seed,
        scale=max(1, np.abs(weight).max()) * 100,
    )


def test_batch_norm_as_a_middle_layer(rng):
    """The input gradient under a random cotangent, not under a sum, which batch norm would make vanish."""
    x, scale, weight = rng.standard_normal((4, 3, 2, 5)), rng.standard_normal((1, 3, 2, 5)), rng.uniform(0.5, 2, 3)
    running = np.zeros(3), np.ones(3)
    for training in (True, False):
        ours = batch_norm_of(F, running, training)
        theirs = batch_norm_of(torch.nn.functional, running, training)
        check(
            lambda x, s, w, f=ours: f(x * s, w).relu() * s,
            lambda x, s, w, f=theirs: f(x * s, w).relu() * s,
            x,
            scale,
            weight,
        )


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


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((None, None), ValueError, "batch_norm: running_mean and running_var are needed"),
        ((np.zeros(2), np.ones(2)), ValueError, r"running_mean must have shape \(3,\)"),
        ((np.zeros(3, np.float32), np.ones(3)), TypeError, "one dtype"),
    ],
)
def test_errors(arguments, error, words):
    running = [None if a is None else mc.Tensor(a) for a in arguments]
    with pytest.raises(error, match=words):
        F.batch_norm(mc.Tensor(np.ones((2, 3))), *running)


def test_training_needs_both_running_statistics_or_none():
    x = mc.Tensor(np.arange(6.0).reshape(2, 3))
    assert F.batch_norm(x, None, None, training=True).shape == (2, 3)
    for running in ((mc.Tensor(np.zeros(3)), None), (None, mc.Tensor(np.ones(3)))):
        with pytest.raises(ValueError, match="batch_norm: running_mean and running_var must both be given or both"):
            F.batch_norm(x, *running, training=True)


@given(data=st.data(), dtype=dtypes, size=st.integers(1, 6), seed=seeds)
def test_local_response_norm(data, dtype, size, seed):
    c = data.draw(st.integers(1, 6))
    x = data.draw(arrays((2, c, 2, 3), dtype))
    constants = data.draw(st.sampled_from([(1e-4, 0.75, 1.0), (0.5, 0.6, 2.0)]))
    check(
        lambda t: F.local_response_norm(t, size, *constants),
        lambda t: torch.nn.functional.local_response_norm(t, size, *constants),
        x,
        seed=seed,
        scale=10.0,
    )
