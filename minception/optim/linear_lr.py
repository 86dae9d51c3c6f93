"""Linear warm-up."""

from ..kernels.checks import real
from .scheduler import LRScheduler


class LinearLR(LRScheduler):
    """Move a factor on the rate along a straight line, from `start_factor` to `end_factor` in `total_iters` epochs:

        lr = base * (start_factor + (end_factor - start_factor) * min(epoch, total_iters) / total_iters)

    With the defaults, and stepped per batch, this is the usual warm-up (Goyal et al., "Accurate, large minibatch SGD",
    arXiv:1706.02677, section 2.2). ValueError: start_factor outside (0, 1], end_factor outside [0, 1] or
    total_iters below 0. TypeError: arguments that are not numbers.
    """

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        numbers = {"start_factor": start_factor, "end_factor": end_factor, "total_iters": total_iters}
        for argument, value in numbers.items():
            real("LinearLR", argument, value)
        if not total_iters >= 0:
            raise ValueError(f"LinearLR: total_iters must not be negative, got {total_iters}")
        if not 0 < start_factor <= 1:
            raise ValueError(
                f"LinearLR: Starting multiplicative factor expected to be greater than 0 and less or equal to 1, "
                f"got {start_factor}"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: Ending multiplicative factor expected to be between 0 and 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        lrs = self.current_lrs()
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in lrs]
        if self._is_initial or self.last_epoch > self.total_iters:
            return lrs
        rise = self.end_factor - self.start_factor
        previous = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / previous) for lr in lrs]

    def closed_form_lr(self):
        rise = self.end_factor - self.start_factor
        done = min(self.total_iters, self.last_epoch)
        return [base * (self.start_factor + rise * done / self.total_iters) for base in self.base_lrs]
