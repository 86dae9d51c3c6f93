"""The base of all learning-rate schedules."""

import copy
import warnings
from collections.abc import Mapping

from ..kernels.checks import integer
from .optimizer import Optimizer


class LRScheduler:
    """Writes `group["lr"]` of every parameter group, once at construction and then at each `step()`.

    optimizer: whose learning rates to write. The rate that a group has now is kept as `group["initial_lr"]`
    and is the base of the schedule. last_epoch: -1 to start; to go on in the middle, the number of the epoch
    that was last done, in an optimizer whose loaded groups have "initial_lr".

    Most schedules compute the next rate from the *current* one (`get_lr`), as PyTorch does, so that several
    schedules can work on one optimizer and a change by hand persists; `closed_form_lr` states the rate as a
    function of `last_epoch` alone. "Epoch" means one call of `step`: per epoch or per batch, as the caller
    likes.

    TypeError: optimizer is not an optimizer, or last_epoch not an integer.
    KeyError: last_epoch is given and a group lacks "initial_lr".
    """

    _not_saved = frozenset({"optimizer"})  # attributes that are not in the state dict

    def __init__(self, optimizer, last_epoch=-1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        last_epoch = integer(type(self).__name__, "last_epoch", last_epoch)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f'{type(self).__name__}: parameter group {i} has no "initial_lr" to go on from with '
                    f"last_epoch={last_epoch}; load the optimizer's state first, or start with last_epoch=-1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.initial_step()

    def get_lr(self):
        """The rates of epoch `last_epoch`, one per group, from those of the epoch before, which the groups hold."""
        raise NotImplementedError(f"{type(self).__name__}: a schedule needs a get_lr method of its own")

    def closed_form_lr(self):
        """The rates of epoch `last_epoch`, one per group, from the base rates alone."""
        raise NotImplementedError(f"{type(self).__name__}: a schedule needs a closed_form_lr method of its own")

    def get_last_lr(self):
        """The rates that this schedule wrote last, one per group."""
        return self._last_lr

    def current_lrs(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def initial_step(self):
        """The step that construction makes."""
        self._step_count = 1
        self._is_initial = True
        self.last_epoch += 1
        self._write(self.get_lr())
        self._is_initial = False

    def undo_initial_step(self):
        """Take back the count, though not the rate, of the step that construction made."""
        self.last_epoch -= 1

    def step(self):
        """Go on to the next epoch. Call it after the optimizer's step: the other way round loses the first rate."""
        if self._step_count == 1 and not self.optimizer.step_was_called:
            warnings.warn(
                f"{type(self).__name__}: step() was called before the optimizer's step(), so the first learning rate "
                "of the schedule is skipped; call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        self._write(self.get_lr())

    def restart(self):
        """Begin the schedule at epoch 0, from the base rates."""
        self.last_epoch = 0
        self._write(self.closed_form_lr())

    def _write(self, lrs):
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
        self._last_lr = self.current_lrs()

    def state_dict(self):
        """All numbers of the schedule as independent copies. The current rates are in the optimizer's state."""
        return {name: copy.deepcopy(value) for name, value in vars(self).items() if name not in self._not_saved}

    def load_state_dict(self, state_dict):
        """Go on from a `state_dict()` of the same schedule; load the optimizer's state too, after this construction.

        ValueError: the state belongs to another schedule. TypeError: it is not a dict.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"{type(self).__name__}.load_state_dict: expected a dict, got {type(state_dict).__name__}"
            )
        expected = vars(self).keys() - self._not_saved
        if state_dict.keys() != expected:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: expected the entries {sorted(expected)}, "
                f"got {sorted(state_dict)}"
            )
        vars(self).update(copy.deepcopy(dict(state_dict)))
