"""What all optimizers have in common: groups, gradients, saved state, errors."""

import copy
import json

import numpy as np
import pytest
import torch

import minception as mc
from minception import Tensor, optim
from minception.nn import Parameter
from tests.optim.twins import Twins, as_groups

OPTIMIZERS = [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW]


def one():
    return Parameter(np.ones(3))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_step_follows_the_gradient_of_a_real_loss(optimizer):
    target = np.array([1.0, -2.0, 3.0])
    p = Parameter(np.zeros(3))
    minimizer = optimizer([p], lr=0.1, weight_decay=0)
    losses = []
    for _ in range(100):
        minimizer.zero_grad()
        loss = ((p - target) ** 2).sum()
        loss.backward()
        minimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_step_writes_in_place_and_is_noticed_by_autograd(optimizer):
    p, q = one(), one()
    array, untouched = p._array, q._version
    minimizer = optimizer([p, q])
    product = p * p
    p.grad = Tensor(np.ones(3))
    minimizer.step()
    assert p._array is array and not np.array_equal(array, np.ones(3))
    assert q._version == untouched and np.array_equal(q._array, np.ones(3))
    with pytest.raises(RuntimeError, match="modified in place"):
        product.sum().backward()


OPTIONS = {"SGD": {"momentum": 0.9, "dampening": 0.3}, "RMSprop": {"momentum": 0.9, "centered": True}}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_parameters_may_be_at_different_steps(optimizer):
    """One whose first gradient comes later has its own first step, whatever the others have done."""
    twins = Twins()
    options = {"lr": 0.1} | OPTIONS.get(optimizer.__name__, {})
    ours, theirs = optimizer(twins.ours, **options), getattr(torch.optim, optimizer.__name__)(twins.theirs, **options)
    for without in ([1], [0, 1], [], [2], []):
        twins.draw_grads(without)
        ours.step()
        theirs.step()
    twins.assert_equal(5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_bits_are_the_same_whatever_the_memory_of_weights_and_gradients(optimizer, rng):
    """Channels-last weights, gradients in another order, a sliced parameter: as if each were row-major."""
    values, grads = rng.standard_normal((2, 4, 6, 3, 3)).astype(np.float32)
    options = {"lr": 0.1, "weight_decay": 0.01} | OPTIONS.get(optimizer.__name__, {})

    def last(array):
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)

    def trained(make_weight, make_grad):
        p, other = Parameter(np.zeros(1)), Parameter(np.ones(5, np.float32))
        p._array = make_weight(values)
        minimizer = optimizer([p, other], **options)
        for _ in range(3):
            p.grad, other.grad = Tensor._wrap(make_grad(grads)), Tensor._wrap(np.ones(5, np.float32))
            minimizer.step()
        state = {name: value for name, value in minimizer.state[p].items() if name != "step"}
        return [np.array(a, order="C") for a in (p._array, other._array, *state.values())]

    expected = trained(np.copy, np.copy)
    for pair in ((last, last), (last, np.copy), (np.copy, last), (lambda a: np.repeat(a, 2, 0)[::2], last)):
        for actual, right in zip(trained(*pair), expected, strict=True):
            assert actual.tobytes() == right.tobytes()


def test_an_optimizer_of_ones_own_writes_update(rng):
    class Sign(optim.Optimizer):
        def update(self, parameter, grad, state, group):
            state["step"] = state.get("step", 0) + 1
            parameter -= group["lr"] * np.sign(grad)

    p, q, r = one(), one(), one()
    minimizer = Sign([p, q, r], {"lr": 0.25, "weight_decay": 0})
    p.grad, q.grad = Tensor(np.array([3.0, 0.0, -2.0])), Tensor(np.ones(3))
    minimizer.step()
    assert p.tolist() == [0.75, 1.0, 1.25] and q.tolist() == [0.75] * 3 and r.tolist() == [1.0] * 3
    assert minimizer.state[p] == {"step": 1} and r not in minimizer.state


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_update_of_one_parameter_is_its_step(optimizer):
    p, q = one(), one()
    minimizer = optimizer([p], lr=0.1)
    p.grad = Tensor(np.array([3.0, 0.0, -2.0]))
    minimizer.step()
    minimizer.update(q._array, p.grad._array, {}, minimizer.param_groups[0])
    np.testing.assert_array_equal(q._array, p._array)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_gradients_survive_a_step(optimizer):
    twins = Twins()
    twins.draw_grads()
    before = [p.grad._array.copy() for p in twins.ours]
    optimizer(twins.ours, maximize=True).step()
    for p, grad in zip(twins.ours, before, strict=True):
        np.testing.assert_array_equal(np.asarray(p.grad), grad)


def test_zero_grad():
    p, q = one(), one()
    minimizer = optim.SGD([p, q])
    p.grad = Tensor(np.ones(3))
    memory, version = p.grad._array, p.grad._version
    minimizer.zero_grad(set_to_none=False)
    assert p.grad._array is memory and not memory.any() and p.grad._version > version
    assert q.grad is None
    minimizer.zero_grad()
    assert p.grad is None


def test_closure_runs_once_with_recording_on_and_its_loss_is_returned():
    p = one()
    minimizer = optim.SGD([p], lr=0.5)
    calls = []

    def closure():
        minimizer.zero_grad()
        loss = (p * np.array([1.0, 2.0, 3.0])).sum()
        loss.backward()
        calls.append(loss)
        return loss

    with mc.no_grad():
        assert minimizer.step(closure) is calls[0]
    assert len(calls) == 1
    np.testing.assert_array_equal(np.asarray(p), [0.5, 0.0, -0.5])
    assert minimizer.step() is None


def test_groups_have_their_own_options_and_else_the_defaults():
    p, q, r = one(), one(), one()
    minimizer = optim.SGD([{"params": [p], "lr": 1.0}, {"params": iter([q])}], lr=0.25)
    minimizer.add_param_group({"params": r, "momentum": 0.5, "name": "late"})
    first, second, third = minimizer.param_groups
    assert (first["lr"], second["lr"], third["lr"]) == (1.0, 0.25, 0.25)
    assert (first["momentum"], third["momentum"], third["name"]) == (0, 0.5, "late")
    for parameter in (p, q, r):
        parameter.grad = Tensor(np.ones(3))
    minimizer.step()
    assert [parameter._array[0] for parameter in (p, q, r)] == [0.0, 0.75, 0.75]


def test_the_given_groups_are_not_changed():
    group = {"params": [one()]}
    optim.SGD([group]).param_groups[0]["lr"] = 5.0
    assert group.keys() == {"params"}


def test_a_group_may_be_empty():
    p = one()
    p.grad = Tensor(np.ones(3))
    minimizer = optim.SGD([{"params": []}, {"params": [p]}], lr=1.0)
    minimizer.step()
    assert not p._array.any()


def test_state_dict_is_independent_and_loading_copies():
    twins = Twins()
    minimizer = optim.Adam(twins.ours)
    twins.draw_grads()
    minimizer.step()
    saved = minimizer.state_dict()
    kept = copy.deepcopy(saved)
    other = optim.Adam(Twins().ours)
    other.load_state_dict(saved)
    twins.draw_grads()
    minimizer.step()
    minimizer.param_groups[0]["lr"] = 3.0
    for p, t in zip(other.param_groups[0]["params"], twins.ours, strict=True):
        p.grad = t.grad.clone()
    other.step()
    for index, values in saved["state"].items():
        for key, value in values.items():
            np.testing.assert_array_equal(value, kept["state"][index][key])
    assert saved["param_groups"] == kept["param_groups"]


def test_state_dict_numbers_parameters_through_all_groups_as_torch():
    twins = Twins()
    ours, theirs = optim.Adam(as_groups(twins.ours)), torch.optim.Adam(as_groups(twins.theirs))
    twins.draw_grads(without=[1])
    ours.step()
    theirs.step()
    saved, expected = ours.state_dict(), theirs.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [g["params"] for g in expected["param_groups"]]
    assert list(saved["state"]) == list(expected["state"]) == [0, 2, 3]
    assert all(saved["state"][i].keys() == expected["state"][i].keys() for i in (0, 2, 3))
    assert all(type(values["step"]) is int for values in saved["state"].values())


def test_options_survive_json():
    """Keys may have become strings and tuples lists."""
    twins = Twins()
    minimizer = optim.Adam(twins.ours, betas=(0.5, 0.6))
    twins.draw_grads()
    minimizer.step()
    saved = minimizer.state_dict()
    saved = {
        "state": {str(index): values for index, values in saved["state"].items()},
        "param_groups": json.loads(json.dumps(saved["param_groups"])),
    }
    other = optim.Adam(Twins().ours)
    other.load_state_dict(saved)
    assert other.state[other.param_groups[0]["params"][1]]["step"] == 1
    other.param_groups[0]["params"][0].grad = twins.ours[0].grad
    other.step()
    assert tuple(other.param_groups[0]["betas"]) == (0.5, 0.6)


def test_state_is_cast_to_the_parameter():
    wide, narrow = Parameter(np.ones(3)), Parameter(np.ones(3, np.float32))
    first, second = optim.SGD([wide], momentum=0.9), optim.SGD([narrow], momentum=0.9)
    wide.grad = Tensor(np.ones(3))
    first.step()
    second.load_state_dict(first.state_dict())
    assert second.state[narrow]["momentum_buffer"].dtype == np.float32


def test_repr_is_that_of_torch():
    twins = Twins()
    options = {"lr": 0.1, "momentum": 0.9}
    ours = optim.SGD(as_groups(twins.ours, lr=0.5), **options)
    theirs = torch.optim.SGD(as_groups(twins.theirs, lr=0.5), **options)
    torch_only = ("differentiable", "foreach", "fused")
    expected = [line for line in repr(theirs).splitlines() if not line.strip().startswith(torch_only)]
    assert repr(ours).splitlines() == expected


SHARED = Parameter(np.ones(2))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ([], ValueError, "optimizer got an empty parameter list"),
        (SHARED, TypeError, "params must be an iterable of tensors or dicts, got one tensor"),
        ({SHARED}, TypeError, "parameters must be ordered"),
        ([{"params": {SHARED}}], TypeError, "parameters must be ordered"),
        ([np.ones(2)], TypeError, "can only optimize tensors, got ndarray"),
        ([("name", SHARED)], TypeError, "can only optimize tensors, got tuple"),
        ([SHARED * 2], ValueError, "can't optimize a non-leaf tensor"),
        ([SHARED, SHARED], ValueError, "some parameters appear more than once"),
        ([{"params": SHARED}, {"params": [SHARED]}], ValueError, "some parameters appear more than once"),
        ([{"params": [SHARED]}, [SHARED]], TypeError, "a parameter group must be a dict, got list"),
        ([{"parameters": [SHARED]}], ValueError, 'needs the key "params"'),
        ([{"params": [SHARED], "lr": -1}], ValueError, "Invalid learning rate: -1"),
    ],
)
def test_wrong_parameters(optimizer, params, error, words):
    with pytest.raises(error, match=f"{optimizer.__name__}: .*{words}"):
        optimizer(params)


@pytest.mark.parametrize(
    ("optimizer", "options", "words"),
    [
        *[(o, {"lr": -0.1}, "Invalid learning rate: -0.1") for o in OPTIMIZERS],
        *[(o, {"lr": np.nan}, "Invalid learning rate: nan") for o in OPTIMIZERS],
        *[(o, {"weight_decay": -1}, "Invalid weight_decay value: -1") for o in OPTIMIZERS],
        (optim.SGD, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        (optim.SGD, {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        (
            optim.SGD,
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            "Nesterov momentum requires a momentum and zero dampening",
        ),
        (optim.RMSprop, {"momentum": -1}, "Invalid momentum value: -1"),
        (optim.RMSprop, {"alpha": -1}, "Invalid alpha value: -1"),
        (optim.RMSprop, {"eps": -1}, "Invalid epsilon value: -1"),
        (optim.Adam, {"eps": -1}, "Invalid epsilon value: -1"),
        (optim.Adam, {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        (optim.Adam, {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        (optim.AdamW, {"betas": (0.9, 1.5)}, "Invalid beta parameter at index 1: 1.5"),
    ],
)
def test_options_out_of_range_are_refused_as_in_torch(optimizer, options, words):
    with pytest.raises(ValueError, match=words):
        optimizer([one()], **options)
    with pytest.raises(ValueError, match=words):
        optimizer([{"params": [one()], **options}])
    if not np.isnan(options.get("lr", 0)):
        with pytest.raises(ValueError, match=words):
            getattr(torch.optim, optimizer.__name__)([torch.ones(3)], **options)


def test_a_group_that_is_refused_is_not_added():
    p = one()
    minimizer = optim.SGD([p])
    for group in ({"params": [one(), p]}, {"params": [one()], "lr": -1}):
        with pytest.raises(ValueError, match="SGD: "):
            minimizer.add_param_group(group)
    assert len(minimizer.param_groups) == 1


def saved_adam(shapes):
    twins = Twins(shapes=shapes)
    twins.draw_grads()
    minimizer = optim.Adam(twins.ours)
    minimizer.step()
    return minimizer.state_dict()


def with_unknown_parameter(saved):
    return {**saved, "state": {**saved["state"], 9: saved["state"][0]}}


def with_negative_lr(saved):
    return {**saved, "param_groups": [{**saved["param_groups"][0], "lr": -1}]}


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (saved_adam([(2,)]), r"groups of \[2\] parameters, the saved state \[1\]"),
        ({"state": {}, "param_groups": []}, r"groups of \[2\] parameters, the saved state \[\]"),
        (saved_adam([(2,), (3, 4)]), r"exp_avg has shape \(3, 4\), its parameter \(3, 2\)"),
        (with_unknown_parameter(saved_adam([(2,), (3, 2)])), "state of parameter 9, which no group has"),
        (with_negative_lr(saved_adam([(2,), (3, 2)])), "Invalid learning rate: -1"),
    ],
)
def test_state_that_does_not_fit_changes_nothing(saved, words):
    twins = Twins(shapes=[(2,), (3, 2)])
    minimizer = optim.Adam(twins.ours, lr=0.5)
    twins.draw_grads()
    minimizer.step()
    before = minimizer.state_dict()
    with pytest.raises(ValueError, match=words):
        minimizer.load_state_dict(saved)
    after = minimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for index in before["state"]:
        for key, value in before["state"][index].items():
            np.testing.assert_array_equal(after["state"][index][key], value)


def test_a_gradient_of_another_dtype_is_an_error():
    p = one()
    p.grad = Tensor(np.ones(3, np.float32))
    with pytest.raises(TypeError, match=r"sgd_update: all arrays .* parameter is float64, grad is float32"):
        optim.SGD([p]).step()
