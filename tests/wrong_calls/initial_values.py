"""Wrong calls of `nn.init`."""

import numpy as np

from minception.nn import init

from .samples import tensor
from .table import not_reals, wrong


def matrix():
    return tensor(2, 3)


def fills(fill):
    return [
        wrong("an array", lambda: fill(np.ones((2, 3))), TypeError, "tensor must be a Tensor, got ndarray"),
        wrong("None", lambda: fill(None), TypeError, "tensor must be a Tensor, got NoneType"),
    ]


def draws(fill):
    """What every function that draws refuses."""
    return [
        *fills(fill),
        wrong("integers", lambda: fill(tensor(2, 3, dtype=np.int64)), TypeError, "tensor must be floating", "int64"),
        wrong("generator a seed", lambda: fill(matrix(), generator=3), TypeError, "generator must be", "got int"),
    ]


def fans(fill):
    return [
        *draws(fill),
        wrong("one axis", lambda: fill(tensor(3)), ValueError, "at least 2 dimensions", "(3,)"),
    ]


def kaiming(fill):
    return [
        *fans(fill),
        wrong("mode", lambda: fill(matrix(), mode="fan"), ValueError, "mode must be 'fan_in' or 'fan_out'", "'fan'"),
    ]


TABLES = {
    "nn.init.zeros_": fills(init.zeros_),
    "nn.init.ones_": fills(init.ones_),
    "nn.init.constant_": [
        *fills(lambda x: init.constant_(x, 1)),
        *not_reals("val", lambda bad: init.constant_(matrix(), bad)),
    ],
    "nn.init.uniform_": [
        *draws(init.uniform_),
        *not_reals("a", lambda bad: init.uniform_(matrix(), bad), nan="needs finite a <= b"),
        *not_reals("b", lambda bad: init.uniform_(matrix(), 0.0, bad), nan="needs finite a <= b"),
        wrong("a above b", lambda: init.uniform_(matrix(), 1.0, 0.0), ValueError, "a <= b", "a=1.0, b=0.0"),
        wrong("b infinite", lambda: init.uniform_(matrix(), 0.0, np.inf), ValueError, "finite", "b=inf"),
    ],
    "nn.init.normal_": [
        *draws(init.normal_),
        *not_reals("mean", lambda bad: init.normal_(matrix(), bad)),
        *not_reals("std", lambda bad: init.normal_(matrix(), 0.0, bad), nan="must not be negative"),
        wrong(
            "std negative", lambda: init.normal_(matrix(), 0.0, -1.0), ValueError, "std must not be negative", "-1.0"
        ),
    ],
    "nn.init.trunc_normal_": [
        *draws(init.trunc_normal_),
        *not_reals("mean", lambda bad: init.trunc_normal_(matrix(), bad)),
        *not_reals("std", lambda bad: init.trunc_normal_(matrix(), 0.0, bad), nan="needs a < b and std > 0"),
        wrong("std zero", lambda: init.trunc_normal_(matrix(), std=0.0), ValueError, "a < b and std > 0", "std=0.0"),
        wrong("a above b", lambda: init.trunc_normal_(matrix(), a=2.0, b=1.0), ValueError, "a < b", "a=2.0, b=1.0"),
    ],
    "nn.init.xavier_uniform_": [
        *fans(init.xavier_uniform_),
        *not_reals("gain", lambda bad: init.xavier_uniform_(matrix(), bad)),
    ],
    "nn.init.xavier_normal_": [
        *fans(init.xavier_normal_),
        *not_reals("gain", lambda bad: init.xavier_normal_(matrix(), bad)),
    ],
    "nn.init.kaiming_uniform_": kaiming(init.kaiming_uniform_),
    "nn.init.kaiming_normal_": kaiming(init.kaiming_normal_),
    "nn.init.fan_in_uniform_": [
        *draws(lambda weight, generator=None: init.fan_in_uniform_(weight, generator=generator)),
        wrong("one axis", lambda: init.fan_in_uniform_(tensor(3)), ValueError, "at least 2 dimensions", "(3,)"),
    ],
    "nn.init.calculate_gain": [
        wrong("unknown", lambda: init.calculate_gain("gelu"), ValueError, "unsupported nonlinearity 'gelu'", "relu"),
        wrong("slope a str", lambda: init.calculate_gain("leaky_relu", "a"), ValueError, "negative_slope 'a'"),
        wrong("slope True", lambda: init.calculate_gain("leaky_relu", True), ValueError, "negative_slope True"),
    ],
}
