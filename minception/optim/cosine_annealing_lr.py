"""Cosine annealing."""

import math

from ..kernels.checks import positive, real
from .scheduler import LRScheduler


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the base rate down to `eta_min` in `T_max` epochs (and up again if stepped on):

        lr = eta_min + (base - eta_min) * (1 + cos(pi * epoch / T_max)) / 2

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (arXiv:1608.03983),
    equation 5, without restarts. ValueError: a T_max that is not positive. TypeError: arguments that are not numbers.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):  # noqa: N803 - PyTorch's name
        positive("CosineAnnealingLR", "T_max", T_max)
        real("CosineAnnealingLR", "eta_min", eta_min)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        lrs = self.current_lrs()
        if self._is_initial:
            return lrs
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The rate before was eta_min, from which no factor leads up again.
            return [
                lr + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
                for lr, base in zip(lrs, self.base_lrs, strict=True)
            ]
        factor = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / (
            1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        )
        return [factor * (lr - self.eta_min) + self.eta_min for lr in lrs]

    def closed_form_lr(self):
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]
