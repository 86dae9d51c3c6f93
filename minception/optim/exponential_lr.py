"""Exponential decay."""

from ..kernels.checks import real
from .scheduler import LRScheduler


class ExponentialLR(LRScheduler):
    """Multiply the rate by `gamma` every epoch: lr = base * gamma ** epoch. TypeError: gamma is not a number."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        real("ExponentialLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_initial:
            return self.current_lrs()
        return [lr * self.gamma for lr in self.current_lrs()]

    def closed_form_lr(self):
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]
