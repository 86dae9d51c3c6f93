"""Functions of single elements: operators, methods and functions."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minception.functional as ours

from ..case import Case
from ..faces import by_autograd
from ..numbers import Given, Numbers, numbers, seeds
from ..operation import Operation
from .elementwise import ANY, from_slopes, spread

CORNERS = Case({"x": Given((0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e-30, np.inf, -np.inf, np.nan))}, seed=2)


@st.composite
def unary_cases(draw, kinds):
    shape = draw(array_shapes(min_dims=0, max_dims=4, max_side=5) | st.sampled_from([(0,), (0, 3), (2, 0, 4)]))
    return Case({"x": draw(numbers(shape, *kinds))}, seed=draw(seeds))


def own_slope(call, results):
    """y as the magnitude of the output and of the slope."""
    output = np.abs(results["output"])
    return spread(call, {"x": output}, output)


def unary(name, theirs, kinds, slopes, roundings, faces, proves, corners=CORNERS):
    """`slopes`: what `from_slopes` takes, or `own_slope`."""
    return Operation(
        name=name,
        torch=lambda x: theirs(x),
        cases=unary_cases(kinds),
        faces={face: by_autograd(function) for face, function in faces.items()},
        proves=proves,
        roundings=roundings,
        magnitudes=slopes if slopes is own_slope else from_slopes(slopes),
        examples={"zeros, large numbers, infinities and NaN": corners},
    )


@st.composite
def clip_cases(draw):
    shape = draw(array_shapes(min_dims=0, max_dims=3, max_side=5))
    low = draw(st.none() | st.sampled_from([-1, 0, 0.5]))
    high = draw(st.sampled_from([-1, 1, 0.75]) if low is None else st.none() | st.sampled_from([-1, 1, 0.75]))
    return Case({"x": draw(numbers(shape, *ANY))}, {"min": low, "max": high}, seed=draw(seeds))


ROWS = [
    unary("neg", torch.neg, ANY, lambda x: (x, {"x": 1}), 0, {"operator": lambda x: -x}, ("Tensor.__neg__", "Negate")),
    unary(
        "abs",
        torch.abs,
        ("normal", "ties", "mixed", "infinite", "subnormal"),
        lambda x: (x, {"x": 1}),
        0,
        {"method": lambda x: x.abs(), "operator": lambda x: abs(x)},
        ("Tensor.abs", "Tensor.__abs__", "Abs"),
        Case({"x": Given(CORNERS.inputs["x"].values[:-1])}, seed=2),  # torch's gradient at NaN is 0
    ),
    unary(
        "exp",
        torch.exp,
        ("normal", "ties", "nonfinite", "subnormal"),  # not "mixed": e^89 overflows before a small gradient multiplies
        own_slope,
        8,
        {"function": lambda x: ours.exp(x), "method": lambda x: x.exp()},
        ("functional.exp", "Tensor.exp", "Exp"),
    ),
    unary(
        "log",
        torch.log,
        ("positive", "ties", "nonfinite"),
        lambda x: (np.abs(np.log(x)), {"x": 1 / x}),
        8,
        {"function": lambda x: ours.log(x), "method": lambda x: x.log()},
        ("functional.log", "Tensor.log", "Log"),
    ),
    unary(
        "sqrt",
        torch.sqrt,
        ("positive", "ties", "nonfinite", "mixed"),
        lambda x: (np.sqrt(x), {"x": 0.5 / np.sqrt(x)}),
        4,
        {"function": lambda x: ours.sqrt(x), "method": lambda x: x.sqrt()},
        ("functional.sqrt", "Tensor.sqrt", "Sqrt"),
    ),
    unary(
        "tanh",
        torch.tanh,
        ("normal", "ties", "mixed", "nonfinite", "subnormal"),
        lambda x: (np.tanh(x), {"x": 1}),  # 1 - y^2: the slope is a difference of terms of magnitude 1
        8,
        {"function": lambda x: ours.tanh(x), "method": lambda x: x.tanh()},
        ("functional.tanh", "Tensor.tanh", "Tanh"),
    ),
    unary(
        "sigmoid",
        torch.sigmoid,
        ("normal", "ties", "nonfinite", "subnormal"),
        own_slope,  # y (1 - y): 1 - y is a difference of terms of magnitude 1
        10,
        {"function": lambda x: ours.sigmoid(x), "method": lambda x: x.sigmoid()},
        ("functional.sigmoid", "Tensor.sigmoid", "Sigmoid"),
    ),
    Operation(
        name="clip",
        examples={
            "numbers at both bounds": Case({"x": Numbers((4, 9), "ties", 1)}, {"min": -1, "max": 1}, seed=2),
            "max below min": Case({"x": Numbers((4, 9), "ties", 1)}, {"min": 1, "max": -1}, seed=2),
        },
        torch=lambda x, min, max: torch.clamp(x, min, max),
        cases=clip_cases(),
        faces={
            "function": by_autograd(lambda x, **bounds: ours.clip(x, **bounds)),
            "clamp": by_autograd(lambda x, **bounds: x.clamp(**bounds)),
            "clip": by_autograd(lambda x, **bounds: x.clip(**bounds)),
        },
        proves=("functional.clip", "Tensor.clip", "Tensor.clamp", "Clip"),
        roundings=0,
        magnitudes=lambda call, results: {"*": 0.0},
    ),
]
