"""Learning-rate schedules: equal to torch's to the last bit, and to their closed forms; saved state; errors."""

import copy
import json
import math

import numpy as np
import pytest
import torch

from minception import optim
from minception.nn import Parameter
from minception.optim import lr_scheduler
from tests.optim.schedules import SCHEDULES, assert_same_rates, optimizers, rates

every_schedule = pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES.keys())


@every_schedule
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_rates_equal_torch(make, name):
    assert_same_rates(make, 24, *optimizers(name))


def test_cosine_goes_up_again_after_its_half_period_as_in_torch():
    seen = assert_same_rates(SCHEDULES["CosineAnnealingLR"], 40, *optimizers())
    assert seen[7][0][0] == pytest.approx(0, abs=1e-15)
    assert seen[14][0][0] == pytest.approx(0.1)


@pytest.mark.parametrize("epoch", [0, 4, 8])
@pytest.mark.parametrize(
    "make",
    [
        lambda module, optimizer, last: module.StepLR(optimizer, 3, 0.3, last),
        lambda module, optimizer, last: module.MultiStepLR(optimizer, [5, 9], 0.3, last),
        lambda module, optimizer, last: module.ExponentialLR(optimizer, 0.9, last),
        lambda module, optimizer, last: module.LinearLR(optimizer, 0.3, 1.0, 7, last),
        lambda module, optimizer, last: module.CosineAnnealingLR(optimizer, 12, 0.0, last),
        lambda module, optimizer, last: module.OneCycleLR(optimizer, 0.7, 25, last_epoch=last),
    ],
)
def test_construction_in_the_middle_equals_torch(make, epoch):
    ours, theirs = optimizers()
    for module, optimizer in ((lr_scheduler, ours), (torch.optim.lr_scheduler, theirs)):
        schedule = make(module, optimizer, -1)
        for _ in range(epoch):
            optimizer.step()
            schedule.step()
    assert_same_rates(lambda module, optimizer: make(module, optimizer, epoch), 10, ours, theirs)


def test_two_schedules_on_one_optimizer_and_a_change_by_hand_as_in_torch():
    ours, theirs = optimizers()
    seen = []
    for module, optimizer in ((lr_scheduler, ours), (torch.optim.lr_scheduler, theirs)):
        schedules = [module.LinearLR(optimizer), module.ExponentialLR(optimizer, 0.9), module.StepLR(optimizer, 4)]
        lrs = []
        for epoch in range(10):
            optimizer.step()
            for schedule in schedules:
                schedule.step()
            if epoch == 6:
                optimizer.param_groups[0]["lr"] *= 5
            lrs.append(rates(optimizer))
        seen.append(lrs)
    assert seen[0] == seen[1]


CLOSED_FORMS = {
    "StepLR": lambda base, t: base * 0.3 ** (t // 3),
    "MultiStepLR": lambda base, t: base * 0.3 ** sum(t >= m for m in (2, 5, 5, 9)),
    "ExponentialLR": lambda base, t: base * 0.9**t,
    "LinearLR": lambda base, t: base * (1 / 3 + 2 / 3 * min(t, 5) / 5),
    "LinearLR down": lambda base, t: base * (1 - 0.75 * min(t, 7) / 7),
    "CosineAnnealingLR": lambda base, t: base * (1 + math.cos(math.pi * t / 7)) / 2,
    "CosineAnnealingLR minimum": lambda base, t: 0.01 + (base - 0.01) * (1 + math.cos(math.pi * t / 25)) / 2,
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_rates_follow_the_formula_in_the_docstring(name):
    ours, _ = optimizers()
    schedule = SCHEDULES[name](lr_scheduler, ours)
    for epoch in range(24):
        expected = [CLOSED_FORMS[name](base, epoch) for base in (0.1, 0.03)]
        np.testing.assert_allclose(schedule.get_last_lr(), expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(schedule.closed_form_lr(), expected, rtol=1e-12, atol=1e-15)
        ours.step()
        schedule.step()


@every_schedule
@pytest.mark.parametrize("epoch", [0, 3, 5, 11])
def test_saved_state_continues_with_identical_rates(make, epoch):
    """Through JSON, into a fresh schedule of a fresh optimizer, whose state is loaded after."""
    first, _ = optimizers()
    schedule = make(lr_scheduler, first)
    for _ in range(epoch):
        first.step()
        schedule.step()
    saved = json.loads(json.dumps(schedule.state_dict()))
    optimizer_state = copy.deepcopy(first.state_dict())

    second, _ = optimizers(seed=1)
    resumed = make(lr_scheduler, second)
    resumed.load_state_dict(saved)
    second.load_state_dict(optimizer_state)
    for _ in range(12):
        assert rates(second) == rates(first)
        assert resumed.get_last_lr() == schedule.get_last_lr()
        for optimizer, s in ((first, schedule), (second, resumed)):
            optimizer.step()
            s.step()


@every_schedule
def test_state_dict_is_independent(make):
    ours, _ = optimizers()
    schedule = make(lr_scheduler, ours)
    saved = schedule.state_dict()
    kept = copy.deepcopy(saved)
    ours.step()
    schedule.step()
    assert saved == kept
    other, _ = optimizers()
    resumed = make(lr_scheduler, other)
    resumed.load_state_dict(saved)
    other.step()
    resumed.step()
    assert saved == kept

    now = copy.deepcopy(schedule.state_dict()), copy.deepcopy(resumed.state_dict())
    for state in (saved, schedule.state_dict()):
        for value in state.values():
            if isinstance(value, list):
                value.clear()
    assert (schedule.state_dict(), resumed.state_dict()) == now


def test_state_of_another_schedule_is_refused():
    ours, _ = optimizers()
    step, exponential = lr_scheduler.StepLR(ours, 3), lr_scheduler.ExponentialLR(ours, 0.9)
    sequence = lr_scheduler.SequentialLR(ours, [step, exponential], [2])
    with pytest.raises(ValueError, match=r"StepLR.load_state_dict: expected the entries .*step_size"):
        step.load_state_dict(exponential.state_dict())
    with pytest.raises(ValueError, match=r"SequentialLR.load_state_dict: expected the states of 2 schedulers, got 0"):
        sequence.load_state_dict(step.state_dict())


def test_a_group_added_later_decays_with_the_others_as_in_torch():
    ours, theirs = optimizers()
    for module, optimizer, parameter in (
        (lr_scheduler, ours, Parameter(np.ones(2))),
        (torch.optim.lr_scheduler, theirs, torch.ones(2, requires_grad=True)),
    ):
        schedule = module.StepLR(optimizer, 1)
        optimizer.add_param_group({"params": [parameter], "lr": 9.0})
        optimizer.step()
        schedule.step()
    assert rates(ours) == rates(theirs)
    assert rates(ours)[2][0] == pytest.approx(0.9)


def test_sequences_in_sequences():
    """A warm-up and a decay as one schedule, then another: equal to the three in a row."""

    def flat(module, optimizer):
        parts = [
            module.LinearLR(optimizer),
            module.CosineAnnealingLR(optimizer, 9),
            module.ExponentialLR(optimizer, 0.5),
        ]
        return module.SequentialLR(optimizer, parts, [4, 10])

    def nested(first):
        def make(module, optimizer):
            linear, cosine = module.LinearLR(optimizer), module.CosineAnnealingLR(optimizer, 9)
            exponential = module.ExponentialLR(optimizer, 0.5)
            if first:
                inner = module.SequentialLR(optimizer, [linear, cosine], [4])
                return module.SequentialLR(optimizer, [inner, exponential], [10])
            inner = module.SequentialLR(optimizer, [cosine, exponential], [6])
            return module.SequentialLR(optimizer, [linear, inner], [4])

        return make

    seen = []
    for make in (flat, nested(True), nested(False)):
        ours, _ = optimizers()
        schedule = make(lr_scheduler, ours)
        lrs = []
        for _ in range(16):
            lrs.append(rates(ours))
            ours.step()
            schedule.step()
        seen.append(lrs)
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(("total_steps", "pct_start"), [(10, 0.1), (1, 1.0), (5, 1.0), (3, 0.0)])
def test_one_cycle_with_a_phase_of_no_length(total_steps, pct_start):
    """torch divides by zero in the first of these."""
    ours, _ = optimizers()
    schedule = lr_scheduler.OneCycleLR(ours, 1.0, total_steps, pct_start=pct_start)
    highest = 0.0
    for _ in range(total_steps - 1):
        highest = max(highest, rates(ours)[0][0])
        ours.step()
        schedule.step()
    highest = max(highest, rates(ours)[0][0])
    assert 0.5 < highest <= 1.0
    if pct_start < 1:
        assert rates(ours)[0][0] == pytest.approx(1 / 25 / 1e4)


def test_one_cycle_refuses_steps_beyond_its_end():
    ours, _ = optimizers()
    schedule = lr_scheduler.OneCycleLR(ours, 1.0, total_steps=3)
    ours.step()
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match=r"Tried to step 4 times. The specified number of total steps is 3"):
        schedule.step()


def test_stepping_before_the_optimizer_warns():
    ours, _ = optimizers()
    schedule = lr_scheduler.StepLR(ours, 3)
    with pytest.warns(UserWarning, match="first learning rate of the schedule is skipped"):
        schedule.step()
    schedule.step()


def without_momentum():
    class Plain(optim.Optimizer):
        """An optimizer without momentum."""

    return Plain([Parameter(np.ones(2))], {"lr": 0.1, "weight_decay": 0})


def other_sequence(optimizer):
    return lr_scheduler.SequentialLR(optimizer, [lr_scheduler.StepLR(optimizers()[0], 3)], [])


L = lr_scheduler


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda o: L.StepLR("sgd", 3), TypeError, "StepLR: optimizer must be an Optimizer, got str"),
        (lambda o: L.OneCycleLR(None, 1.0, 3), TypeError, "OneCycleLR: optimizer must be an Optimizer, got NoneType"),
        (lambda o: L.StepLR(o, 3, last_epoch=4), KeyError, "parameter group 0 has no .*initial_lr"),
        (lambda o: L.LinearLR(o, start_factor=0.0), ValueError, "Starting multiplicative factor expected"),
        (lambda o: L.LinearLR(o, start_factor=1.5), ValueError, "Starting multiplicative factor expected"),
        (lambda o: L.LinearLR(o, end_factor=1.5), ValueError, "Ending multiplicative factor expected"),
        (lambda o: L.LinearLR(o, end_factor=-0.1), ValueError, "Ending multiplicative factor expected"),
        (lambda o: L.OneCycleLR(o, 1.0), ValueError, r"total_steps OR \(epochs AND steps_per_epoch\)"),
        (lambda o: L.OneCycleLR(o, 1.0, epochs=3), ValueError, r"total_steps OR \(epochs AND steps_per_epoch\)"),
        (lambda o: L.OneCycleLR(o, 1.0, 0), ValueError, "Expected positive integer total_steps, but got 0"),
        (lambda o: L.OneCycleLR(o, 1.0, 2.5), ValueError, "Expected positive integer total_steps, but got 2.5"),
        (lambda o: L.OneCycleLR(o, 1.0, epochs=-1, steps_per_epoch=2), ValueError, "positive integer epochs"),
        (lambda o: L.OneCycleLR(o, 1.0, epochs=1, steps_per_epoch=0), ValueError, "positive integer steps_per_epoch"),
        (lambda o: L.OneCycleLR(o, 1.0, 3, pct_start=1.5), ValueError, "float between 0 and 1 pct_start, but got 1.5"),
        (lambda o: L.OneCycleLR(o, 1.0, 3, pct_start=1), ValueError, "float between 0 and 1 pct_start, but got 1"),
        (lambda o: L.OneCycleLR(o, 1.0, 3, anneal_strategy="cosine"), ValueError, "must be one of 'cos' or 'linear'"),
        (lambda o: L.OneCycleLR(o, [1.0], 3), ValueError, "max_lr has 1 values, the optimizer 2 parameter groups"),
        (lambda o: L.OneCycleLR(o, 1.0, 3, base_momentum=[1, 2, 3]), ValueError, "base_momentum has 3 values"),
        (lambda o: L.OneCycleLR(without_momentum(), 1.0, 3), ValueError, "must support momentum or beta1"),
        (lambda o: L.SequentialLR(o, [], []), ValueError, "expects at least one scheduler"),
        (lambda o: L.SequentialLR(o, [o], []), TypeError, r"schedulers\[0\] must be an LRScheduler"),
        (other_sequence, ValueError, r"schedulers\[0\] belongs to another optimizer"),
        (lambda o: L.SequentialLR(o, [L.StepLR(o, 3)], [2]), ValueError, "one more than the number of milestone"),
        (lambda o: L.SequentialLR(o, [L.StepLR(o, 3)] * 3, [4, 2]), ValueError, "milestones must increase"),
    ],
)
def test_wrong_arguments_change_nothing(make, error, words):
    ours, _ = optimizers()
    before = rates(ours)
    with pytest.raises(error, match=words):
        make(ours)
    assert rates(ours) == before
