"""The one-cycle policy."""

import math

from ..kernels.checks import positive, real
from .optimizer import Optimizer
from .scheduler import LRScheduler


def _cosine(start, end, fraction):
    return end + (start - end) / 2.0 * (math.cos(math.pi * fraction) + 1)


def _linear(start, end, fraction):
    return (end - start) * fraction + start


ANNEALING = {"cos": _cosine, "linear": _linear}


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to max_lr / div_factor / final_div_factor; one step per batch.

    Momentum (Adam: beta1) moves the other way, from max_momentum down to base_momentum and back, if
    `cycle_momentum`. The groups' own rates and momenta are overwritten.

    max_lr, base_momentum, max_momentum: a number, or a list with one per group. total_steps: length of the
    cycle, or else epochs * steps_per_epoch. pct_start: the fraction of it that the way up takes, a float.
    anneal_strategy: "cos" or "linear". three_phase: come down to the initial rate as fast as it went up, then
    slowly to the last rate.

    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates"
    (arXiv:1708.07120); `three_phase` is their form. ValueError: arguments out of range, a list of the wrong length, an
    optimizer without momentum (give cycle_momentum=False), or a step beyond total_steps. TypeError: another optimizer,
    or rates, momenta or factors that are not numbers.
    """

    def __init__(
        self,
        optimizer,
        max_lr,
        total_steps=None,
        epochs=None,
        steps_per_epoch=None,
        pct_start=0.3,
        anneal_strategy="cos",
        cycle_momentum=True,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25.0,
        final_div_factor=1e4,
        three_phase=False,
        last_epoch=-1,
    ):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"OneCycleLR: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: Expected float between 0 and 1 pct_start, but got {pct_start!r}")
        if anneal_strategy not in ANNEALING:
            raise ValueError(
                f"OneCycleLR: anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy!r}"
            )
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError(
                "OneCycleLR: optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        positive("OneCycleLR", "div_factor", div_factor)
        positive("OneCycleLR", "final_div_factor", final_div_factor)
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.use_beta1 = "betas" in optimizer.defaults
        self.phases = _phases(pct_start * self.total_steps, self.total_steps, three_phase)

        columns = {"max_lr": max_lr, "max_momentum": max_momentum, "base_momentum": base_momentum}
        columns = {name: _per_group(optimizer, name, value) for name, value in columns.items()}
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["max_lr"] = columns["max_lr"][i]
                group["initial_lr"] = group["max_lr"] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    group["max_momentum"] = columns["max_momentum"][i]
                    group["base_momentum"] = columns["base_momentum"][i]
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates of step `last_epoch`, in closed form; writes the momenta of that step as well."""
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: Tried to step {self.last_epoch} times. "
                f"The specified number of total steps is {self.total_steps}"
            )
        last = len(self.phases) - 1
        now = next((i for i, phase in enumerate(self.phases) if self.last_epoch <= phase[0]), last)
        start_step = self.phases[now - 1][0] if now > 0 else 0.0
        end_step, lrs, momenta = self.phases[now]
        length = end_step - start_step
        fraction = (self.last_epoch - start_step) / length if length else 1.0

        anneal = ANNEALING[self.anneal_strategy]
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                momentum = anneal(group[momenta[0]], group[momenta[1]], fraction)
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return [anneal(group[lrs[0]], group[lrs[1]], fraction) for group in self.optimizer.param_groups]

    closed_form_lr = get_lr


def _count_steps(total_steps, epochs, steps_per_epoch):
    counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    if total_steps is not None:
        counts = {"total_steps": total_steps}
    elif None in counts.values():
        raise ValueError("OneCycleLR: You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, count in counts.items():
        if not isinstance(count, int) or count <= 0:
            raise ValueError(f"OneCycleLR: Expected positive integer {name}, but got {count!r}")
    return math.prod(counts.values())


def _phases(steps_up, total_steps, three_phase):
    """Phases (last step, (rate at start, at end), (momentum at start, at end)); values are named as in the groups."""
    up = [steps_up - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum")]
    if not three_phase:
        return [up, [total_steps - 1, ("max_lr", "min_lr"), ("base_momentum", "max_momentum")]]
    down = [2 * steps_up - 2, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")]
    return [up, down, [total_steps - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")]]


def _per_group(optimizer, name, value):
    groups = len(optimizer.param_groups)
    for number in value if isinstance(value, (list, tuple)) else (value,):
        real("OneCycleLR", name, number)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"OneCycleLR: {name} has {len(value)} values, the optimizer {groups} parameter groups")
    return list(value)
