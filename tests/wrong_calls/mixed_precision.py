"""Wrong calls of `minception.amp`."""

import numpy as np

from minception import nn, optim
from minception.amp import GradScaler

from .table import wrong


def sgd():
    return optim.SGD([nn.Parameter(np.ones(2, np.float32))], lr=0.1)


def not_numbers(option, words, out_of_range):
    """No number, and numbers out of range, for an option of the constructor."""
    return [
        wrong(f"{option} a str", lambda: GradScaler(**{option: "a"}), TypeError, f"{option} must be", "'a'"),
        wrong(f"{option} True", lambda: GradScaler(**{option: True}), TypeError, f"{option} must be", "True"),
        *(
            wrong(f"{option} {bad}", lambda bad=bad: GradScaler(**{option: bad}), ValueError, option, words, str(bad))
            for bad in out_of_range
        ),
    ]


def twice(name):
    scaler, optimizer = GradScaler(), sgd()
    getattr(scaler, name)(optimizer)
    getattr(scaler, name)(optimizer)


def unscale_after_step():
    scaler, optimizer = GradScaler(), sgd()
    scaler.step(optimizer)
    scaler.unscale_(optimizer)


def load(**changes):
    GradScaler().load_state_dict({**GradScaler().state_dict(), **changes})


NAN, INFINITE = float("nan"), float("inf")
TABLES = {
    "amp.GradScaler": [
        *not_numbers("init_scale", "positive", [0.0, -1.0, NAN, INFINITE]),
        *not_numbers("growth_factor", "greater than 1", [1.0, 0.5, NAN, INFINITE]),
        *not_numbers("backoff_factor", "between 0 and 1", [0.0, 1.0, 2.0, NAN]),
        *not_numbers("growth_interval", "positive", [0, -3]),
        wrong("growth_interval a float", lambda: GradScaler(growth_interval=2.0), TypeError, "an integer, got 2.0"),
    ],
    "GradScaler.scale": [
        wrong("an array", lambda: GradScaler().scale(np.ones(2)), TypeError, "must be a Tensor or a list of them"),
        wrong("a list of numbers", lambda: GradScaler().scale([1.0]), TypeError, "must be a Tensor", "1.0"),
    ],
    "GradScaler.unscale_": [
        wrong("no optimizer", lambda: GradScaler().unscale_([]), TypeError, "expected an optimizer, got list"),
        wrong("twice", lambda: twice("unscale_"), RuntimeError, "already been called", "last update()"),
        wrong("after step", unscale_after_step, RuntimeError, "step() came first since the last update()"),
    ],
    "GradScaler.step": [
        wrong("no optimizer", lambda: GradScaler().step(None), TypeError, "expected an optimizer, got NoneType"),
        wrong("twice", lambda: twice("step"), RuntimeError, "already been called", "last update()"),
    ],
    "GradScaler.update": [
        wrong("no step", lambda: GradScaler().update(), RuntimeError, "no step() or unscale_()"),
        wrong("new_scale a str", lambda: GradScaler().update("2"), TypeError, "new_scale must be a number, got '2'"),
        wrong("new_scale zero", lambda: GradScaler().update(0.0), ValueError, "new_scale must be positive, got 0.0"),
    ],
    "GradScaler.load_state_dict": [
        wrong("empty", lambda: GradScaler().load_state_dict({}), RuntimeError, "empty", "not enabled"),
        wrong("without a scale", lambda: GradScaler().load_state_dict({"x": 1}), KeyError, "no 'scale'"),
        wrong("scale zero", lambda: load(scale=0.0), ValueError, "init_scale must be positive, got 0.0"),
    ],
}
