"""GradScaler makes the steps and leaves out those that PyTorch's does, with the same scales."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import checkpoint, nn, optim
from minception.amp import GradScaler

OPTIONS = {"init_scale": 8.0, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 3}
# What is wrong with the gradients of each step.
STEPS = [None, None, None, "inf", None, "nan", "inf", None, None, None, None, None, None, "nan"]


def parameter_pair(values):
    theirs = torch.nn.Parameter(torch.tensor(values))
    return nn.Parameter(np.array(values)), theirs


def factor_of(step):
    return np.float32({None: 0.5, "inf": np.inf, "nan": np.nan}[step])


@pytest.mark.parametrize("unscaling", [False, True])
def test_equals_torch(unscaling):
    values = np.array([1.0, -2.0, 3.0], np.float32)
    ours, theirs = parameter_pair(values)
    scaler, their_scaler = GradScaler(**OPTIONS), torch.amp.GradScaler("cpu", **OPTIONS)
    optimizer, their_optimizer = optim.SGD([ours], lr=0.1, momentum=0.9), torch.optim.SGD([theirs], 0.1, 0.9)
    for step in STEPS:
        factor = factor_of(step)
        optimizer.zero_grad()
        their_optimizer.zero_grad()
        scaler.scale((ours * ours * mc.Tensor(factor)).sum()).backward()
        their_scaler.scale((theirs * theirs * torch.tensor(factor)).sum()).backward()
        if unscaling:
            assert scaler.unscale_(optimizer) is (step is None)
            their_scaler.unscale_(their_optimizer)
        np.testing.assert_allclose(np.asarray(ours.grad), theirs.grad.numpy(), rtol=1e-5)
        scaler.step(optimizer)
        their_scaler.step(their_optimizer)
        scaler.update()
        their_scaler.update()
        assert scaler.get_scale() == their_scaler.get_scale()
        np.testing.assert_allclose(np.asarray(ours.detach()), theirs.detach().numpy(), rtol=1e-5)
        assert scaler.state_dict() == their_scaler.state_dict()


def test_the_optimizer_steps_only_with_finite_gradients():
    p = nn.Parameter(np.ones(2, np.float32))
    scaler, optimizer = GradScaler(), optim.SGD([p], lr=0.5)
    for bad, after in (([np.inf, 1], [1, 1]), ([1, np.nan], [1, 1]), ([2, 4], [0, -1])):
        p.grad = mc.Tensor(np.array(bad, np.float32) * np.float32(scaler.get_scale()))
        scaler.step(optimizer)
        scaler.update()
        assert p.tolist() == after
    assert scaler.get_scale() == 65536 / 4


def test_one_of_two_optimizers_may_step():
    p, q = (nn.Parameter(np.ones(1, np.float32)) for _ in range(2))
    scaler, optimizers = GradScaler(init_scale=2.0), [optim.SGD([p], lr=1.0), optim.SGD([q], lr=1.0)]
    p.grad, q.grad = mc.Tensor(np.array([np.inf], np.float32)), mc.Tensor(np.array([4.0], np.float32))
    for optimizer in optimizers:
        scaler.step(optimizer)
    assert (p.item(), q.item()) == (1, -1)
    scaler.update()
    assert scaler.get_scale() == 1


def test_scale_of_several_tensors():
    scaler = GradScaler(init_scale=4.0)
    a, b = mc.Tensor([1.0, 2.0]), mc.Tensor(3.0)
    found = scaler.scale([a, (b,)])
    assert (found[0].tolist(), found[1][0].item()) == ([4, 8], 12)


def test_not_enabled():
    p = nn.Parameter(np.ones(1, np.float32))
    scaler, optimizer, loss = GradScaler(enabled=False), optim.SGD([p], lr=1.0), mc.Tensor(3.0)
    assert scaler.scale(loss) is loss
    assert not scaler.is_enabled()
    for _ in range(2):  # it does not count
        p.grad = mc.Tensor(np.array([np.inf], np.float32))
        assert scaler.unscale_(optimizer) is True
        scaler.step(optimizer)
        scaler.update()
    assert p.item() == -np.inf
    assert (scaler.get_scale(), scaler.state_dict()) == (1.0, {})
    scaler.load_state_dict({"scale": 2.0})
    assert scaler.get_scale() == 1.0


def test_the_scale_stays_a_float32_number():
    scaler, optimizer = GradScaler(init_scale=2.0**127, growth_interval=1), optim.SGD([nn.Parameter(np.ones(1))], 0.1)
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**127
    scaler.update(new_scale=3)
    assert scaler.get_scale() == 3.0


def test_its_state_goes_through_a_checkpoint(tmp_path):
    p = nn.Parameter(np.ones(1, np.float32))
    scaler, optimizer = GradScaler(**OPTIONS), optim.SGD([p], lr=1.0)
    scaler.step(optimizer)
    scaler.update()
    checkpoint.save(tmp_path / "scaler.safetensors", {"scaler": scaler.state_dict()})
    other = GradScaler()
    other.load_state_dict(checkpoint.load(tmp_path / "scaler.safetensors")["scaler"])
    assert other.state_dict() == scaler.state_dict()
    theirs = torch.amp.GradScaler("cpu")
    theirs.load_state_dict(scaler.state_dict())
    assert theirs.state_dict() == scaler.state_dict()
