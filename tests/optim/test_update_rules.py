"""Whole optimizers against torch.optim: groups, options, absent gradients, changing learning rates."""

import copy

import numpy as np
import pytest
import torch

from minception import optim
from tests.optim.twins import Twins, as_groups

CASES = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    "SGD dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}),
    "SGD Nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}),
    "SGD maximize": ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.1}),
    "RMSprop": ("RMSprop", {"lr": 0.01}),
    "RMSprop momentum": ("RMSprop", {"lr": 0.01, "momentum": 0.9, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    "RMSprop centered": ("RMSprop", {"lr": 0.01, "centered": True, "maximize": True}),
    "RMSprop centered momentum": ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5}),
    "Adam": ("Adam", {"lr": 0.01}),
    "Adam decay": ("Adam", {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1}),
    "Adam AMSGrad": ("Adam", {"lr": 0.01, "betas": (0.9, 0.9), "amsgrad": True, "maximize": True}),
    "AdamW": ("AdamW", {"lr": 0.01}),
    "AdamW AMSGrad": ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
}
every_case = pytest.mark.parametrize(("name", "options"), CASES.values(), ids=CASES.keys())
STEPS = 20


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_twenty_steps_equal_torch(name, options, dtype):
    twins = Twins(dtype=dtype)
    ours = getattr(optim, name)(as_groups(twins.ours, lr=0.02, weight_decay=0.2), **options)
    theirs = getattr(torch.optim, name)(as_groups(twins.theirs, lr=0.02, weight_decay=0.2), foreach=False, **options)
    for step in range(STEPS):
        twins.draw_grads(without=[0] if step in (0, 7) else [1] if step == 3 else [])
        for optimizer in (ours, theirs):
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= 0.9
        twins.assert_equal(step + 1)


@every_case
def test_defaults_are_those_of_torch(name, options):
    twins = Twins()
    theirs = getattr(torch.optim, name)(twins.theirs).param_groups[0]
    for option, value in getattr(optim, name)(twins.ours).param_groups[0].items():
        assert option == "params" or value == theirs[option], option


@every_case
def test_saved_state_continues_with_identical_bits(name, options):
    """Saved in the middle, loaded into a fresh optimizer of other options over copies of the parameters."""
    twins = Twins(dtype=np.float32)
    first = getattr(optim, name)(as_groups(twins.ours, lr=0.02), **options)
    for step in range(5):
        twins.draw_grads(without=[2] if step < 3 else [])
        first.step()
    saved = first.state_dict()
    copies = copy.deepcopy(twins.ours)
    second = getattr(optim, name)(as_groups(copies), lr=7.0)
    second.load_state_dict(saved)

    for _ in range(5):
        twins.draw_grads()
        for p, duplicate in zip(twins.ours, copies, strict=True):
            duplicate.grad = p.grad.clone()
        first.step()
        second.step()
    for p, duplicate in zip(twins.ours, copies, strict=True):
        np.testing.assert_array_equal(np.asarray(p), np.asarray(duplicate))


@every_case
def test_state_of_torch_can_be_loaded(name, options):
    """The layout of the state dict is torch's: a checkpoint's arrays fit without renaming."""
    twins = Twins()
    theirs = getattr(torch.optim, name)(twins.theirs, foreach=False, **options)
    for _ in range(3):
        twins.draw_grads()
        theirs.step()
    saved = theirs.state_dict()
    state = {
        index: {key: None if value is None else value.numpy().copy() for key, value in values.items()}
        for index, values in saved["state"].items()
    }
    ours = getattr(optim, name)(twins.ours)
    ours.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
    for p, t in zip(twins.ours, twins.theirs, strict=True):
        p._array[...] = t.detach().numpy()
    for step in range(5):
        twins.draw_grads()
        ours.step()
        theirs.step()
        twins.assert_equal(step + 1)


def test_turning_momentum_on_later_starts_an_empty_buffer():
    twins = Twins()
    ours, theirs = optim.SGD(twins.ours, lr=0.1), torch.optim.SGD(twins.theirs, lr=0.1, foreach=False)
    for step in range(6):
        twins.draw_grads()
        for optimizer in (ours, theirs):
            optimizer.param_groups[0]["momentum"] = 0.9 if step >= 2 else 0.0
            optimizer.step()
        twins.assert_equal(step + 1)


def test_both_spellings_of_rmsprop():
    assert optim.RMSProp is optim.RMSprop
