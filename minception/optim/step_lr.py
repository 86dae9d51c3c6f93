"""Decay in steps."""

from bisect import bisect_right
from collections.abc import Iterable

from ..kernels.checks import integer, positive, real
from .scheduler import LRScheduler


class StepLR(LRScheduler):
    """Multiply the rate by `gamma` every `step_size` epochs: lr = base * gamma ** (epoch // step_size).

    ValueError: a step_size that is not positive. TypeError: a step_size or gamma that is not a number.
    """

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        positive("StepLR", "step_size", step_size)
        real("StepLR", "gamma", gamma)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self.current_lrs()
        return [lr * self.gamma for lr in self.current_lrs()]

    def closed_form_lr(self):
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiply the rate by `gamma` at each of the `milestones`: lr = base * gamma ** (milestones reached).

    An epoch that is listed n times multiplies n times. TypeError: milestones that are not integers, or a gamma that
    is not a number.
    """

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        if not isinstance(milestones, Iterable):
            raise TypeError(f"MultiStepLR: milestones must be a list of integers, got {milestones!r}")
        self.milestones = sorted(integer("MultiStepLR", "milestones", milestone) for milestone in milestones)
        real("MultiStepLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        times = self.milestones.count(self.last_epoch)
        return [lr * self.gamma**times if times else lr for lr in self.current_lrs()]

    def closed_form_lr(self):
        reached = bisect_right(self.milestones, self.last_epoch)
        return [base * self.gamma**reached for base in self.base_lrs]
