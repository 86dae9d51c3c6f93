"""Schedules one after the other."""

from bisect import bisect_right
from collections.abc import Mapping

from ..kernels.checks import integer
from .scheduler import LRScheduler


class SequentialLR(LRScheduler):
    """Run `schedulers[i]` until epoch `milestones[i]`, where `schedulers[i + 1]` begins at its own epoch 0.

        warm_up = LinearLR(optimizer, start_factor=0.1, total_iters=5)
        decay = CosineAnnealingLR(optimizer, T_max=95)
        schedule = SequentialLR(optimizer, [warm_up, decay], milestones=[5])

    ValueError: no schedulers, milestones not one fewer than schedulers or not increasing, a scheduler of another
    optimizer. TypeError: something else than schedulers, or milestones that are not integers.
    To go on from a checkpoint, use `load_state_dict`.
    """

    _not_saved = frozenset({"optimizer", "schedulers"})

    def __init__(self, optimizer, schedulers, milestones):
        for argument, value in (("schedulers", schedulers), ("milestones", milestones)):
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"SequentialLR: {argument} must be a list, got {value!r}")
        milestones = [integer("SequentialLR", "milestones", milestone) for milestone in milestones]
        if not schedulers:
            raise ValueError("SequentialLR: expects at least one scheduler, but got no scheduler")
        for i, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"SequentialLR: schedulers[{i}] must be an LRScheduler, got {scheduler!r}")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"SequentialLR: schedulers[{i}] belongs to another optimizer")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "SequentialLR: expects number of schedulers provided to be one more than the number of milestone "
                f"points, but got {len(schedulers)} schedulers and {len(milestones)} milestones"
            )
        if milestones != sorted(milestones):
            raise ValueError(f"SequentialLR: milestones must increase, got {milestones}")
        self.optimizer = optimizer
        self.schedulers = list(schedulers)
        self.milestones = milestones
        self.last_epoch = 0

        # Each scheduler wrote its first rate when it was made. Take that back, and begin with the one for epoch 0.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self.undo_initial_step()
        first = self._scheduler_now(0)
        first.initial_step()
        self._last_lr = first.get_last_lr()

    def _scheduler_now(self, epoch):
        return self.schedulers[bisect_right(self.milestones, epoch)]

    def undo_initial_step(self):
        for scheduler in self.schedulers:
            scheduler.undo_initial_step()

    def initial_step(self):
        self._scheduler_now(0).initial_step()

    def step(self):
        self.last_epoch += 1
        scheduler = self._scheduler_now(self.last_epoch)
        if self.last_epoch in self.milestones:
            scheduler.restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def restart(self):
        self.last_epoch = 0
        scheduler = self._scheduler_now(0)
        scheduler.restart()
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self):
        """The numbers of this schedule, and the list of the states of its schedulers under "schedulers"."""
        return super().state_dict() | {"schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def load_state_dict(self, state_dict):
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"SequentialLR.load_state_dict: expected a dict, got {type(state_dict).__name__}")
        saved = state_dict.get("schedulers", ())
        if len(saved) != len(self.schedulers):
            raise ValueError(
                f"SequentialLR.load_state_dict: expected the states of {len(self.schedulers)} schedulers, "
                f"got {len(saved)}"
            )
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "schedulers"})
        for scheduler, state in zip(self.schedulers, saved, strict=True):
            scheduler.load_state_dict(state)
