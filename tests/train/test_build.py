"""Optimizers and schedules of each kind: learning rates against torch, and which parameters decay."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as torch_schedules

from minception.train.build import build_optimizer, build_schedule, build_state
from minception.train.config import TrainConfig

STEPS = 7  # an epoch


def learning_rates(config):
    state = build_state(config, num_classes=10, steps_per_epoch=STEPS)
    rates = []
    for _ in range(config.epochs * STEPS):
        rates.append(state.optimizer.param_groups[0]["lr"])
        assert {group["lr"] for group in state.optimizer.param_groups} == {rates[-1]}
        state.optimizer.step()
        state.schedule.step()
    return rates


def torch_rates(make, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def configured(**settings):
    config = replace(TrainConfig(model="tiny", epochs=4, lr=0.1), **settings)
    config.validate(["tiny"])
    return config.resolve(available_threads=1)


def warmed(after):
    """torch's schedule with one epoch of linear warm-up."""
    return lambda optimizer: torch_schedules.SequentialLR(
        optimizer,
        [torch_schedules.LinearLR(optimizer, 1 / STEPS, 1.0, STEPS), after(optimizer)],
        milestones=[STEPS],
    )


def onecycle(share):
    return lambda o: torch_schedules.OneCycleLR(
        o, 0.1, total_steps=4 * STEPS, pct_start=share, cycle_momentum=False
    )


def cosine(steps):
    return lambda o: torch_schedules.CosineAnnealingLR(o, steps)


@pytest.mark.parametrize(
    "settings, make",
    [
        ({"schedule": "onecycle"}, onecycle(0.25)),
        ({"schedule": "onecycle", "warmup_epochs": 2.0}, onecycle(0.5)),
        ({"schedule": "onecycle", "warmup_epochs": 0.0}, onecycle(0.0)),
        ({"schedule": "onecycle", "warmup_epochs": 1 / STEPS}, onecycle(0.0)),
        ({"schedule": "cosine"}, cosine(4 * STEPS)),
        ({"schedule": "cosine", "warmup_epochs": 1.0}, warmed(cosine(3 * STEPS))),
        (
            {"schedule": "step", "step_epochs": 2, "gamma": 0.3},
            lambda o: torch_schedules.StepLR(o, 2 * STEPS, gamma=0.3),
        ),
        (
            {"schedule": "exponential"},
            lambda o: torch_schedules.LambdaLR(o, lambda step: 0.94 ** (step / STEPS)),
        ),
        ({"schedule": "constant"}, lambda o: torch_schedules.ConstantLR(o, 1.0)),
        (
            {"schedule": "constant", "warmup_epochs": 1.0},
            lambda o: torch_schedules.LinearLR(o, 1 / STEPS, 1.0, STEPS),
        ),
    ],
)
def test_learning_rates(settings, make):
    rates = learning_rates(configured(**settings))
    np.testing.assert_allclose(rates, torch_rates(make, 4 * STEPS), rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_very_short_runs(schedule, steps):
    """One step is enough, and every rate is positive or the schedule's last zero."""
    config = configured(schedule=schedule, epochs=1)
    state = build_state(config, num_classes=10, steps_per_epoch=steps)
    for _ in range(steps):
        assert 0 < state.optimizer.param_groups[0]["lr"] <= config.lr
        state.optimizer.step()
        state.schedule.step()


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
def test_only_weights_decay(optimizer):
    config = configured(optimizer=optimizer, weight_decay=0.25, lr=0.01)
    model = build_state(config, num_classes=10, steps_per_epoch=STEPS).model
    built = build_optimizer(config, model)
    assert type(built).__name__.lower() == optimizer
    assert {group["lr"] for group in built.param_groups} == {0.01}
    decay = {id(p): group["weight_decay"] for group in built.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0.25 if name.endswith("weight") and parameter.ndim > 1 else 0), name


def test_sgd_settings():
    config = configured(momentum=0.8, nesterov=False)
    state = build_state(config, num_classes=10, steps_per_epoch=STEPS)
    group = build_optimizer(config, state.model).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.8, False)


def test_the_seed_decides_the_weights():
    weights = [
        build_state(configured(seed=seed), num_classes=10, steps_per_epoch=STEPS).model.state_dict()["fc.weight"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_a_long_warmup_leaves_room():
    config = configured(schedule="cosine", epochs=1, warmup_epochs=0.99)
    state = build_state(config, num_classes=10, steps_per_epoch=3)
    build_schedule(config, state.optimizer, 3)
