"""The same schedule in minception and in torch, stepped side by side."""

import torch

from minception import optim
from minception.optim import lr_scheduler
from tests.optim.twins import Twins, as_groups


def optimizers(name="SGD", seed=0, **options):
    """An optimizer with two groups of different learning rates, and its torch twin."""
    twins = Twins(seed)
    options = {"lr": 0.1, **options}
    if name == "SGD":
        options.setdefault("momentum", 0.9)
    ours = getattr(optim, name)(as_groups(twins.ours, lr=0.03), **options)
    theirs = getattr(torch.optim, name)(as_groups(twins.theirs, lr=0.03), **options)
    return ours, theirs


def rates(optimizer):
    """What schedules write: learning rate and momentum of every group."""
    return [(group["lr"], group.get("momentum"), tuple(group.get("betas", ()))) for group in optimizer.param_groups]


def assert_same_rates(make, epochs, ours, theirs):
    """Equal rates, to the last bit, for the schedule `make(module, optimizer)` over so many epochs."""
    our_schedule = make(lr_scheduler, ours)
    their_schedule = make(torch.optim.lr_scheduler, theirs)
    seen = []
    for epoch in range(epochs):
        assert rates(ours) == rates(theirs), f"epoch {epoch}"
        assert our_schedule.get_last_lr() == their_schedule.get_last_lr() == [lr for lr, *_ in rates(ours)]
        seen.append(rates(ours))
        for optimizer, schedule in ((ours, our_schedule), (theirs, their_schedule)):
            optimizer.step()
            schedule.step()
    assert rates(ours) == rates(theirs)
    return seen


SCHEDULES = {
    "StepLR": lambda module, optimizer: module.StepLR(optimizer, step_size=3, gamma=0.3),
    "StepLR default": lambda module, optimizer: module.StepLR(optimizer, 5),
    "MultiStepLR": lambda module, optimizer: module.MultiStepLR(optimizer, milestones=[9, 2, 5, 5], gamma=0.3),
    "MultiStepLR at 0": lambda module, optimizer: module.MultiStepLR(optimizer, [0, 4]),
    "ExponentialLR": lambda module, optimizer: module.ExponentialLR(optimizer, gamma=0.9),
    "LinearLR": lambda module, optimizer: module.LinearLR(optimizer),
    "LinearLR down": lambda module, optimizer: module.LinearLR(optimizer, 1.0, 0.25, total_iters=7),
    "CosineAnnealingLR": lambda module, optimizer: module.CosineAnnealingLR(optimizer, T_max=7),
    "CosineAnnealingLR minimum": lambda module, optimizer: module.CosineAnnealingLR(optimizer, 25, eta_min=0.01),
    "OneCycleLR": lambda module, optimizer: module.OneCycleLR(optimizer, max_lr=[1.0, 0.5], total_steps=25),
    "OneCycleLR linear": lambda module, optimizer: module.OneCycleLR(
        optimizer, 0.7, epochs=5, steps_per_epoch=5, pct_start=0.4, anneal_strategy="linear", div_factor=10.0
    ),
    "OneCycleLR three phases": lambda module, optimizer: module.OneCycleLR(
        optimizer, 0.7, total_steps=30, base_momentum=[0.8, 0.7], max_momentum=0.9, three_phase=True
    ),
    "OneCycleLR long way up": lambda module, optimizer: module.OneCycleLR(
        optimizer, 0.7, total_steps=25, pct_start=0.7, three_phase=True, final_div_factor=10.0
    ),
    "OneCycleLR without momentum": lambda module, optimizer: module.OneCycleLR(
        optimizer, 0.7, total_steps=25, cycle_momentum=False
    ),
    "warm-up and cosine": lambda module, optimizer: module.SequentialLR(
        optimizer,
        [module.LinearLR(optimizer, 0.1, total_iters=5), module.CosineAnnealingLR(optimizer, 20, 1e-3)],
        milestones=[5],
    ),
    "three in sequence": lambda module, optimizer: module.SequentialLR(
        optimizer,
        [module.ExponentialLR(optimizer, 0.8), module.StepLR(optimizer, 2), module.MultiStepLR(optimizer, [0, 3])],
        milestones=[4, 12],
    ),
    "warm-up and one cycle": lambda module, optimizer: module.SequentialLR(
        optimizer, [module.LinearLR(optimizer), module.OneCycleLR(optimizer, 0.3, total_steps=20)], milestones=[5]
    ),
    "sequence that begins with the second": lambda module, optimizer: module.SequentialLR(
        optimizer, [module.LinearLR(optimizer), module.ExponentialLR(optimizer, 0.9)], milestones=[0]
    ),
}
