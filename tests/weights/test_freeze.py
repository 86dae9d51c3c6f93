"""Freezing: training changes the head and nothing else, byte for byte."""

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import models, nn, optim
from minception.weights import freeze, load_weights, save_weights, unfreeze

from .files import Small


def train(model, optimizer, steps=3, seed=0):
    """A few steps on random images, in training mode."""
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        images = mc.Tensor(rng.standard_normal((4, 3, 8, 8)).astype(np.float32))
        loss = F.cross_entropy(model(images), rng.integers(0, 3, 4))
        loss.backward()
        optimizer.step()


def changed(before, model):
    """The names of what is no longer the same, byte for byte."""
    return {name for name, array in model.state_dict().items() if array.tobytes() != before[name].tobytes()}


@pytest.mark.parametrize("network", [models.mini_inception, models.mini_xception, Small])
def test_only_the_head_changes(network, tmp_path):
    """The whole recipe: published weights with other classes, a new head, training."""
    save_weights(network(7), tmp_path / "published.safetensors")
    model = network(3)
    load_weights(model, tmp_path / "published.safetensors", head="new")
    parameters = freeze(model)
    assert [id(parameter) for parameter in parameters] == [id(model.fc.weight), id(model.fc.bias)]
    before = model.state_dict()
    train(model, optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1))
    assert changed(before, model) == {"fc.weight", "fc.bias"}


def test_all_parameters_in_the_optimizer_change_no_more():
    model = Small(3)
    freeze(model)
    before = model.state_dict()
    train(model, optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1))
    assert changed(before, model) == {"fc.weight", "fc.bias"}
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if not name.startswith("fc."))


def test_auxiliary_heads_are_heads():
    model = Small(3, heads=2)
    kept = freeze(model)
    expected = {"fc.weight", "fc.bias", "aux1.2.weight", "aux1.2.bias", "aux2.2.weight", "aux2.2.bias"}
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == expected
    assert len(kept) == 6


def test_dropout_goes_on():
    model = Small(3).train()
    freeze(model)
    x = mc.Tensor(np.ones((2, 3, 4, 4), np.float32))
    assert not np.array_equal(model(x).numpy(), model(x).numpy())
    assert model.dropout.training and not model.bn.training
    model.eval()
    assert np.array_equal(model(x).numpy(), model(x).numpy())


def test_other_parts_may_remain_trainable():
    model = Small(3)
    freeze(model, trainable=["last_bn", "fc"])
    before = model.state_dict()
    train(model, optim.SGD(model.parameters(), lr=0.1))
    state = {"running_mean", "running_var", "num_batches_tracked", "weight", "bias"}
    assert changed(before, model) == {"fc.weight", "fc.bias", *(f"last_bn.{name}" for name in state)}
    assert model.last_bn.training and not model.bn.training


def test_a_whole_model_may_remain_trainable_and_none():
    assert len(freeze(nn.Sequential(nn.Linear(2, 2)), trainable=[""])) == 2
    assert freeze(nn.Sequential(nn.Linear(2, 2)), trainable=[]) == []


def test_unfreeze_undoes_it():
    model, plain = Small(3), Small(3)
    plain.load_state_dict(model.state_dict())
    freeze(model)
    freeze(model)  # twice is once
    train(model, optim.SGD(freeze(model), lr=0.0))
    unfreeze(model)
    plain.load_state_dict(model.state_dict())
    for each in (model, plain):
        mc.manual_seed(0)
        train(each, optim.SGD(each.parameters(), lr=0.1))
    assert not changed(plain.state_dict(), model) and model.bn.training
    assert all(not module._forward_pre_hooks for module in model.modules())


def test_other_hooks_stay():
    model, calls = Small(3), []
    model.bn.register_forward_pre_hook(lambda module, inputs: calls.append(module.training))
    freeze(model)
    unfreeze(model)
    model(mc.Tensor(np.ones((2, 3, 4, 4), np.float32)))
    assert calls == [True]


def test_a_parameter_shared_with_the_head_remains_trainable():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].weight = model[1].weight
    assert {id(parameter) for parameter in freeze(model)} == {id(model[1].weight), id(model[1].bias)}


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: freeze(3), TypeError, "freeze: model must be a Module, got int"),
        (lambda: unfreeze(3), TypeError, "unfreeze: model must be a Module, got int"),
        (lambda: freeze(Small(), "fc"), TypeError, "freeze: trainable must be None or a sequence of strings, got 'fc'"),
        (lambda: freeze(Small(), [3]), TypeError, "freeze: trainable must be None or a sequence of strings"),
        (lambda: freeze(Small(), ["x"]), ValueError, "freeze: Small has no module 'x'"),
        (lambda: freeze(nn.ReLU()), ValueError, "has no linear layer"),
    ],
)
def test_wrong_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()
