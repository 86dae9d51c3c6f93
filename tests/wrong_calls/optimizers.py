"""Wrong calls of the optimizers and of gradient clipping."""

import numpy as np

from minception import nn, optim

from .samples import sgd, tensor
from .table import not_reals, wrong


def parameter(*shape):
    return nn.Parameter(np.ones(shape or (2,), np.float32))


def parameters(make):
    """What no optimizer accepts as parameters; `make(params)`."""
    p = parameter()
    return [
        wrong("one tensor", lambda: make(p), TypeError, "params must be an iterable", "one tensor", "list"),
        wrong("None", lambda: make(None), TypeError, "params must be an iterable", "NoneType"),
        wrong("a set", lambda: make({p}), TypeError, "set", "list"),
        wrong("no parameters", lambda: make([]), ValueError, "empty parameter list"),
        wrong("arrays", lambda: make([np.ones(2)]), TypeError, "can only optimize tensors", "ndarray"),
        wrong("a parameter twice", lambda: make([p, p]), ValueError, "more than once", "(2,)"),
        wrong("a computed tensor", lambda: make([p * 2]), ValueError, "non-leaf", "(2,)"),
        wrong("a group without params", lambda: make([{"lr": 0.1}]), ValueError, '"params"', "lr"),
        wrong("a tensor after a group", lambda: make([{"params": [p]}, p]), TypeError, "must be a dict", "Parameter"),
        wrong("a group out of range", lambda: make([{"params": [p], "lr": -1.0}]), ValueError, "learning rate: -1.0"),
    ]


def not_negative(make, option, what):
    """Wrong values of an option that is a number of at least 0."""
    nan = float("nan")
    return [
        wrong(f"{option} negative", lambda: make(**{option: -0.5}), ValueError, f"Invalid {what}: -0.5"),
        wrong(f"{option} NaN", lambda: make(**{option: nan}), ValueError, f"Invalid {what}: nan"),
        wrong(
            f"{option} None", lambda: make(**{option: None}), TypeError, f"Invalid {what}: None", "not a real number"
        ),
        wrong(f"{option} a str", lambda: make(**{option: "a"}), TypeError, f"Invalid {what}: 'a'", "not a real number"),
        wrong(
            f"{option} True", lambda: make(**{option: True}), TypeError, f"Invalid {what}: True", "not a real number"
        ),
        wrong(f"{option} a vector", lambda: make(**{option: np.ones(2)}), TypeError, f"Invalid {what}", "not a real"),
    ]


def common(cls):
    def make(**options):
        return cls([parameter()], **options)

    return [
        *parameters(cls),
        *not_negative(make, "lr", "learning rate"),
        *not_negative(make, "weight_decay", "weight_decay value"),
    ]


def adams(cls):
    def make(**options):
        return cls([parameter()], **options)

    def betas(first, second):
        return lambda: make(betas=(first, second))

    return [
        *common(cls),
        *not_negative(make, "eps", "epsilon value"),
        wrong("beta1 one", betas(1.0, 0.9), ValueError, "beta parameter at index 0: 1.0"),
        wrong("beta2 one", betas(0.9, 1.0), ValueError, "beta parameter at index 1: 1.0"),
        wrong("beta1 negative", betas(-0.1, 0.9), ValueError, "beta parameter at index 0: -0.1"),
        wrong("beta2 NaN", betas(0.9, float("nan")), ValueError, "beta parameter at index 1: nan"),
        wrong("beta2 a str", betas(0.9, "a"), TypeError, "beta parameter at index 1: 'a'"),
        wrong("betas a number", lambda: make(betas=0.9), ValueError, "betas: 0.9", "pair"),
        wrong("betas of one", lambda: make(betas=(0.9,)), ValueError, "betas: (0.9,)", "pair"),
        wrong("betas None", lambda: make(betas=None), ValueError, "betas: None", "pair"),
    ]


def rms_prop(**options):
    return optim.RMSprop([parameter()], **options)


RMSPROP = [
    *common(optim.RMSprop),
    *not_negative(rms_prop, "eps", "epsilon value"),
    *not_negative(rms_prop, "momentum", "momentum value"),
    *not_negative(rms_prop, "alpha", "alpha value"),
]


class NoUpdate(optim.Optimizer):
    """Lacks the one method that an optimizer must have."""


def step_without_update():
    p = parameter()
    p.grad = tensor(2)
    NoUpdate([p], {"lr": 0.1, "weight_decay": 0.0}).step()


def saved(**changes):
    """A right state of `sgd()` with momentum, changed."""
    return sgd(momentum=0.9).state_dict() | changes


def group_of(*params):
    return {**sgd().state_dict()["param_groups"][0], "params": list(params)}


def with_grad(value=1.0):
    p = parameter()
    p.grad = tensor(2) * value
    return p


def clips(clip):
    return [
        wrong("parameters None", lambda: clip(None, 1.0), TypeError, "parameters must be tensors", "NoneType"),
        wrong("parameters of arrays", lambda: clip([np.ones(2)], 1.0), TypeError, "parameters[0]", "ndarray"),
    ]


TABLES = {
    "optim.Optimizer": parameters(lambda params: optim.Optimizer(params, {"lr": 0.1, "weight_decay": 0.0})),
    "Optimizer.update": [
        wrong("of the base class", step_without_update, NotImplementedError, "NoUpdate", "update method of its own"),
    ],
    "optim.SGD": [
        *common(optim.SGD),
        *not_negative(sgd, "momentum", "momentum value"),
        *not_reals("dampening", lambda bad: sgd(dampening=bad)),
        wrong("nesterov without momentum", lambda: sgd(nesterov=True), ValueError, "Nesterov momentum requires"),
        wrong(
            "nesterov with dampening",
            lambda: sgd(nesterov=True, momentum=0.9, dampening=0.1),
            ValueError,
            "Nesterov momentum requires a momentum and zero dampening",
        ),
    ],
    "optim.Adam": adams(optim.Adam),
    "optim.AdamW": adams(optim.AdamW),
    "optim.RMSprop": RMSPROP,
    "optim.RMSProp": RMSPROP,
    "Optimizer.add_param_group": [
        wrong(
            "a list", lambda: sgd().add_param_group([parameter()]), TypeError, "parameter group must be a dict", "list"
        ),
        wrong("no params", lambda: sgd().add_param_group({"lr": 0.1}), ValueError, '"params"', "lr"),
        wrong("params None", lambda: sgd().add_param_group({"params": None}), TypeError, "params must be", "NoneType"),
        wrong("arrays", lambda: sgd().add_param_group({"params": [np.ones(2)]}), TypeError, "only optimize tensors"),
        wrong(
            "lr negative",
            lambda: sgd().add_param_group({"params": [parameter()], "lr": -1}),
            ValueError,
            "learning rate: -1",
        ),
    ],
    "Optimizer.check_options": [
        wrong("lr NaN", lambda: sgd().check_options({"lr": float("nan")}), ValueError, "learning rate: nan"),
    ],
    "Optimizer.require": [
        wrong("negative", lambda: sgd().require("width", -1), ValueError, "Invalid width: -1"),
        wrong("too large", lambda: sgd().require("width", 2, below=2), ValueError, "Invalid width: 2"),
    ],
    "Optimizer.step": [
        wrong("closure a number", lambda: sgd().step(3), TypeError, "closure must be callable, got 3"),
    ],
    "Optimizer.load_state_dict": [
        wrong("None", lambda: sgd().load_state_dict(None), TypeError, "expected a dict, got NoneType"),
        wrong("a list", lambda: sgd().load_state_dict([]), TypeError, "expected a dict, got list"),
        wrong("empty", lambda: sgd().load_state_dict({}), ValueError, '"param_groups" and "state"', "[]"),
        wrong("no groups", lambda: sgd().load_state_dict(saved(param_groups=[])), ValueError, "groups of [1]", "[]"),
        wrong(
            "more parameters",
            lambda: sgd().load_state_dict(saved(param_groups=[group_of(0, 1)])),
            ValueError,
            "groups of [1] parameters, the saved state [2]",
        ),
        wrong(
            "state of no parameter",
            lambda: sgd().load_state_dict(saved(state={7: {}})),
            ValueError,
            "state of parameter 7, which no group has",
        ),
        wrong(
            "state of another shape",
            lambda: sgd().load_state_dict(saved(state={0: {"momentum_buffer": np.ones(3)}})),
            ValueError,
            "momentum_buffer has shape (3,)",
            "(2,)",
        ),
        wrong(
            "option out of range",
            lambda: sgd().load_state_dict(saved(param_groups=[group_of(0) | {"lr": -1.0}])),
            ValueError,
            "learning rate: -1.0",
        ),
    ],
    "optim.clip_grad_norm_": [
        *clips(optim.clip_grad_norm_),
        *not_reals("max_norm", lambda bad: optim.clip_grad_norm_([with_grad()], bad), nan="must not be negative"),
        wrong("max_norm negative", lambda: optim.clip_grad_norm_([with_grad()], -1.0), ValueError, "max_norm", "-1.0"),
        *not_reals("norm_type", lambda bad: optim.clip_grad_norm_([with_grad()], 1.0, bad)),
        wrong(
            "infinite norm",
            lambda: optim.clip_grad_norm_([with_grad(np.inf)], 1.0, error_if_nonfinite=True),
            RuntimeError,
            "total norm of order 2.0",
            "inf",
            "error_if_nonfinite",
        ),
    ],
    "optim.clip_grad_value_": [
        *clips(optim.clip_grad_value_),
        *not_reals("clip_value", lambda bad: optim.clip_grad_value_([with_grad()], bad), nan="must not be negative"),
        wrong(
            "clip_value negative", lambda: optim.clip_grad_value_([with_grad()], -1.0), ValueError, "clip_value", "-1.0"
        ),
    ],
    "optim.split_weight_decay": [
        wrong(
            "parameters", lambda: optim.split_weight_decay([parameter()], 0.1), TypeError, "must be a Module", "list"
        ),
        wrong("None", lambda: optim.split_weight_decay(None, 0.1), TypeError, "model must be a Module", "NoneType"),
    ],
}
