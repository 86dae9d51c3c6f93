"""Automatic mixed precision: what float16 needs beyond `set_precision("float16")`.

Source: Micikevicius et al., "Mixed precision training" (arXiv:1710.03740), section 3.2. Interface: `torch.amp`.
"""

import math
import numbers

import numpy as np

from . import kernels
from .kernels.transfer import by_device, on_device
from .optim.optimizer import Optimizer
from .tensor import Tensor

__all__ = ["GradScaler"]

READY, UNSCALED, STEPPED = "ready", "unscaled", "stepped"
LARGEST = float(np.finfo(np.float32).max)


class GradScaler:
    """Scales the loss, so that small gradients do not vanish where float16 has no numbers for them.

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)  # only if the gradients are to be looked at, as for clipping
        scaler.step(optimizer)
        scaler.update()

    The loss, and with it every gradient, is multiplied by the scale, a power of two; before the optimizer's step the
    gradients are divided by it. Where one of them is infinite or NaN then, the step is left out and the scale becomes
    smaller; after many steps without that it becomes larger. So it finds the largest scale that the numbers bear.

    init_scale: the first scale. growth_factor, backoff_factor: what it is multiplied by, after `growth_interval` steps
    in a row without an infinite gradient, and after a step with one. enabled: with False, `scale` and `unscale_` do
    nothing and `step` is the optimizer's.

    TypeError: a factor is no number, growth_interval no integer. ValueError: init_scale is not positive, growth_factor
    not above 1, backoff_factor not between 0 and 1, growth_interval not positive.
    """

    def __init__(
        self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True
    ):
        self._scale = _number("init_scale", init_scale, lambda value: value > 0, "positive")
        self._growth_factor = _number("growth_factor", growth_factor, lambda value: value > 1, "greater than 1")
        self._backoff_factor = _number("backoff_factor", backoff_factor, lambda value: 0 < value < 1, "between 0 and 1")
        if isinstance(growth_interval, bool) or not isinstance(growth_interval, int):
            raise TypeError(f"GradScaler: growth_interval must be an integer, got {growth_interval!r}")
        self._growth_interval = int(_number("growth_interval", growth_interval, lambda value: value > 0, "positive"))
        self._growth_tracker = 0  # steps since the scale has changed
        self._enabled = bool(enabled)
        self._optimizers = {}  # id: (state, whether all gradients were finite), since the latest update

    def scale(self, outputs):
        """The tensor times the scale, or a list or tuple of them; as it is if the scaler is not enabled.

        TypeError: something else than tensors.
        """
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(map(self.scale, outputs))
        if not isinstance(outputs, Tensor):
            raise TypeError(f"GradScaler.scale: outputs must be a Tensor or a list of them, got {outputs!r}")
        return outputs * self._scale if self._enabled else outputs

    def unscale_(self, optimizer):
        """Divide the gradients of the optimizer's parameters by the scale, in place: once between two updates.

        Returns whether all of them are finite (PyTorch returns nothing). TypeError: no optimizer. RuntimeError: it
        has been done since the latest `update`, or `step` has been called.
        """
        state, _ = self._state_of("unscale_", optimizer)
        if not self._enabled:
            return True
        if state != READY:
            what = "unscale_() has already been called on this optimizer" if state == UNSCALED else "step() came first"
            raise RuntimeError(f"GradScaler.unscale_: {what} since the last update()")
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        finite = True
        for device, arrays in by_device(grad._array for grad in grads).items():
            with on_device(device):
                kernels.scale_all(arrays, 1 / self._scale)
                # The squares of gradients that are finite can be too large, which is reason enough to leave them out.
                finite = finite and math.isfinite(kernels.sum_of_squares(arrays))
        for grad in grads:
            grad._bump_version()
        self._optimizers[id(optimizer)] = UNSCALED, finite
        return finite

    def step(self, optimizer):
        """Divide the gradients by the scale unless that is done, and step unless one is infinite or NaN.

        Returns what `optimizer.step()` returns, or None where it was left out. TypeError: no optimizer. RuntimeError:
        a second step since the latest `update`.
        """
        state, finite = self._state_of("step", optimizer)
        if not self._enabled:
            return optimizer.step()
        if state == STEPPED:
            raise RuntimeError("GradScaler.step: step() has already been called since the last update()")
        if state == READY:
            finite = self.unscale_(optimizer)
        self._optimizers[id(optimizer)] = STEPPED, finite
        optimizer.step_was_called = True  # for schedules, which go on all the same
        return optimizer.step() if finite else None

    def update(self, new_scale=None):
        """Make the scale smaller if a gradient was infinite or NaN since the latest call, larger if none was for long.

        new_scale: set it to this number instead. RuntimeError: there was no `step` or `unscale_` since the latest
        call. TypeError, ValueError: new_scale is not a positive number.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = _number("new_scale", new_scale, lambda value: value > 0, "positive", "GradScaler.update")
        elif not self._optimizers:
            raise RuntimeError("GradScaler.update: no step() or unscale_() of an optimizer since the last update()")
        elif not all(finite for _, finite in self._optimizers.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                larger = self._scale * self._growth_factor
                self._scale = larger if larger <= LARGEST else self._scale
                self._growth_tracker = 0
        self._optimizers.clear()

    def get_scale(self):
        """The scale, a float; 1 if the scaler is not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self):
        """Whether the scaler does anything."""
        return self._enabled

    def state_dict(self):
        """What a checkpoint has to keep: a dict of numbers, empty if the scaler is not enabled. As in PyTorch."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict):
        """The inverse of `state_dict`; does nothing if the scaler is not enabled.

        RuntimeError: the dict is empty, of a scaler that was not enabled. KeyError: it lacks a number. TypeError,
        ValueError: as in the constructor.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("GradScaler.load_state_dict: the state is empty, that of a scaler that was not enabled")
        names = "scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"
        missing = [name for name in names if name not in state_dict]
        if missing:
            raise KeyError(f"GradScaler.load_state_dict: the state has no {missing[0]!r}")
        *names, tracker = names
        loaded = GradScaler(*(state_dict[name] for name in names))
        loaded._growth_tracker = int(state_dict[tracker])
        vars(self).update(vars(loaded))

    def _state_of(self, name, optimizer):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"GradScaler.{name}: expected an optimizer, got {type(optimizer).__name__}")
        return self._optimizers.get(id(optimizer), (READY, True))


def _number(name, value, fits, words, caller="GradScaler"):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{caller}: {name} must be a number, got {value!r}")
    if not (math.isfinite(value) and fits(value)):
        raise ValueError(f"{caller}: {name} must be {words}, got {value}")
    return float(value)
