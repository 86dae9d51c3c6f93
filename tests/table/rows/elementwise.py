"""Functions and arithmetic of single elements, with broadcasting: operators, methods and functions."""

import operator

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import minception as mc
import minception.functional as ours

from ..case import Case
from ..faces import by_autograd
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation

ANY = ("normal", "ties", "mixed", "nonfinite", "subnormal")


@st.composite
def unary_cases(draw, kinds):
    shape = draw(array_shapes(min_dims=0, max_dims=4, max_side=5) | st.sampled_from([(0,), (0, 3), (2, 0, 4)]))
    return Case({"x": draw(numbers(shape, *kinds))}, seed=draw(seeds))


@st.composite
def binary_cases(draw, kinds, others=None):
    """Two operands whose shapes broadcast: 0-d, axes of size 1, empty ones."""
    shapes = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4)).input_shapes
    a, b = draw(numbers(shapes[0], *kinds)), draw(numbers(shapes[1], *(others or kinds)))
    return Case({"a": a, "b": b}, seed=draw(seeds))


def spread(call, slopes, output):
    """Magnitudes where every element of an input meets each element of the output that it was broadcast to.

    output: the magnitude of the output; slopes: that of the derivative by each input, in the shape of the output.
    """
    g = np.abs(call.cotangent(output.shape))
    found = {"output": output}
    for name, slope in slopes.items():
        shape = call.inputs[name].shape
        terms = np.broadcast_to(g * slope, output.shape)
        leading = tuple(range(terms.ndim - len(shape)))
        terms = terms.sum(leading)
        repeated = tuple(i for i, size in enumerate(shape) if size == 1)
        found[f"grad {name}"] = terms.sum(repeated, keepdims=True)
    return found


def from_slopes(function):
    """Magnitudes from a function of the absolute inputs that returns (|output|, {name: |slope|})."""

    def magnitudes(call, results):
        with np.errstate(all="ignore"):
            output, slopes = function(*(np.abs(a) for a in call.inputs.values()))
            return spread(call, slopes, np.asarray(output))

    return magnitudes


def repeats(own):
    """Roundings: `own` in each element, and one for every addition that undoes broadcasting."""

    def roundings(call, results):
        size = results["output"].size
        return {
            "output": own,
            **{f"grad {n}": own + (size // max(a.size, 1) if size > a.size else 0) for n, a in call.inputs.items()},
        }

    return roundings


def unary(name, theirs, kinds, slopes, roundings, faces, proves, examples=None):
    return Operation(
        name=name,
        torch=lambda x: theirs(x),
        cases=unary_cases(kinds),
        faces={face: by_autograd(function) for face, function in faces.items()},
        proves=proves,
        roundings=roundings,
        magnitudes=from_slopes(slopes),
        examples=examples or {},
    )


def binary(name, theirs, kinds, slopes, roundings, faces, proves, others=None):
    return Operation(
        name=name,
        torch=lambda a, b: theirs(a, b),
        cases=binary_cases(kinds, others),
        faces={face: by_autograd(function) for face, function in faces.items()},
        proves=proves,
        roundings=repeats(roundings),
        magnitudes=from_slopes(slopes),
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


@st.composite
def number_cases(draw):
    """A tensor and a Python number, on either side."""
    shape = draw(array_shapes(min_dims=0, max_dims=3, max_side=4))
    symbol = draw(st.sampled_from(list(OPERATORS)))
    number = draw(st.sampled_from([2, 3, 0.5, -1.5, 1, 0] if symbol != "/" else [2, 0.5, -1.5, 4]))
    swapped = draw(st.booleans())
    kinds = ("positive",) if symbol in ("**", "/") else ("normal", "ties", "mixed")
    number = abs(number) if symbol == "**" and swapped else number
    options = {"symbol": symbol, "number": number, "swapped": swapped}
    return Case({"x": draw(numbers(shape, *kinds))}, options, seed=draw(seeds))


def with_number(x, symbol, number, swapped):
    return OPERATORS[symbol](number, x) if swapped else OPERATORS[symbol](x, number)


def number_magnitudes(call, results):
    """|x| and |number| added, or the result itself; slopes are those results divided by x."""
    x, number = np.abs(call.inputs["x"]), abs(call.options["number"])
    output, slope = np.abs(results["output"]), np.abs(results["grad x"])
    return {"output": output + (x + number if call.options["symbol"] in "+-" else 0), "grad x": slope}


@st.composite
def clip_cases(draw):
    shape = draw(array_shapes(min_dims=0, max_dims=3, max_side=5))
    low = draw(st.none() | st.sampled_from([-1, 0, 0.5]))
    high = draw(st.sampled_from([-1, 1, 0.75]) if low is None else st.none() | st.sampled_from([-1, 1, 0.75]))
    return Case({"x": draw(numbers(shape, *ANY))}, {"min": low, "max": high}, seed=draw(seeds))


@st.composite
def where_cases(draw):
    shapes = draw(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=4)).input_shapes
    condition = Numbers(shapes[0], "ties", draw(seeds))
    inputs = {"a": draw(numbers(shapes[1], *ANY)), "b": draw(numbers(shapes[2], *ANY))}
    return Case(inputs, {}, {"condition": condition}, seed=draw(seeds))


def where_magnitudes(call, results):
    chosen, output = call.constants["condition"] > 0, np.abs(results["output"])
    return spread(call, {"a": np.where(chosen, 1.0, 0.0), "b": np.where(chosen, 0.0, 1.0)}, output)


UNARY = [
    unary("neg", torch.neg, ANY, lambda x: (x, {"x": 1}), 0, {"operator": lambda x: -x}, ("Tensor.__neg__", "Negate")),
    unary(
        "abs",
        torch.abs,
        ("normal", "ties", "mixed", "infinite", "subnormal"),
        lambda x: (x, {"x": 1}),
        0,
        {"method": lambda x: x.abs(), "operator": lambda x: abs(x)},
        ("Tensor.abs", "Tensor.__abs__", "Abs"),
    ),
    unary(
        "exp",
        torch.exp,
        ANY,
        lambda x: (np.exp(x), {"x": np.exp(x)}),
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
        lambda x: (sigmoid(x), {"x": sigmoid(x)}),  # y (1 - y): 1 - y is a difference of terms of magnitude 1
        10,
        {"function": lambda x: ours.sigmoid(x), "method": lambda x: x.sigmoid()},
        ("functional.sigmoid", "Tensor.sigmoid", "Sigmoid"),
    ),
]

BINARY = [
    binary(
        "add, broadcast",
        torch.add,
        ANY,
        lambda a, b: (a + b, {"a": 1, "b": 1}),
        1,
        {
            "function": lambda a, b: ours.add(a, b),
            "operator": lambda a, b: a + b,
            "reflected": lambda a, b: b.__radd__(a),
        },
        ("functional.add", "Tensor.__add__", "Tensor.__radd__", "Add"),
    ),
    binary(
        "subtract",
        torch.sub,
        ANY,
        lambda a, b: (a + b, {"a": 1, "b": 1}),
        1,
        {"operator": lambda a, b: a - b, "reflected": lambda a, b: b.__rsub__(a)},
        ("Tensor.__sub__", "Tensor.__rsub__", "Subtract"),
    ),
    binary(
        "multiply",
        torch.mul,
        ANY,
        lambda a, b: (a * b, {"a": b, "b": a}),
        1,
        {"operator": lambda a, b: a * b, "reflected": lambda a, b: b.__rmul__(a)},
        ("Tensor.__mul__", "Tensor.__rmul__", "Multiply"),
    ),
    binary(
        "divide",
        torch.div,
        ("normal", "ties", "mixed"),
        lambda a, b: (a / b, {"a": 1 / b, "b": a / b**2}),
        4,
        {"operator": lambda a, b: a / b, "reflected": lambda a, b: b.__rtruediv__(a)},
        ("Tensor.__truediv__", "Tensor.__rtruediv__", "Divide"),
        others=("normal", "positive"),
    ),
    binary(
        "power",
        torch.pow,
        ("positive", "one"),
        lambda a, b: (None, None),
        10,
        {
            "operator": lambda a, b: a**b,
            "method": lambda a, b: a.pow(b),
            "reflected": lambda a, b: b.__rpow__(a),
        },
        ("Tensor.__pow__", "Tensor.pow", "Tensor.__rpow__", "Power"),
        others=("normal", "ties"),
    ),
    binary(
        "maximum",
        torch.maximum,
        ("normal", "ties", "infinite"),
        lambda a, b: (np.maximum(a, b), {"a": 1, "b": 1}),
        1,
        {"function": lambda a, b: ours.maximum(a, b)},
        ("functional.maximum", "Extremum"),
    ),
    binary(
        "minimum",
        torch.minimum,
        ("normal", "ties", "infinite"),
        lambda a, b: (np.maximum(a, b), {"a": 1, "b": 1}),
        1,
        {"function": lambda a, b: ours.minimum(a, b)},
        ("functional.minimum",),
    ),
]


def power_magnitudes(call, results):
    """y = a^b;  da = b a^(b - 1),  db = y log a"""
    a, b = call.inputs.values()
    output = a**b
    return spread(call, {"a": np.abs(b) * a ** (b - 1), "b": output * np.abs(np.log(a))}, output)


POWER = {row.name: row for row in BINARY}["power"]
BINARY[BINARY.index(POWER)] = Operation(**{**vars(POWER), "magnitudes": power_magnitudes})

ROWS = [
    *UNARY,
    *BINARY,
    Operation(
        name="arithmetic with numbers",
        torch=with_number,
        cases=number_cases(),
        faces={"operator": by_autograd(with_number)},
        proves=(),
        roundings=10,
        magnitudes=number_magnitudes,
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
    Operation(
        name="where",
        torch=lambda a, b, condition: torch.where(condition > 0, a, b),
        cases=where_cases(),
        faces={"function": by_autograd(lambda a, b, condition: ours.where(condition > 0, a, b))},
        proves=("functional.where", "minception.where", "Where"),
        roundings=repeats(0),
        magnitudes=where_magnitudes,
    ),
]

assert mc.where is ours.where
