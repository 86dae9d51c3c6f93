"""Arithmetic of two operands with broadcasting: operators, methods and functions."""

import operator

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import minception as mc
import minception.functional as ours

from ..case import Case
from ..faces import by_autograd
from ..numbers import Given, Numbers, cotangents, numbers, seeds
from ..operation import Operation

ANY = ("normal", "ties", "mixed", "nonfinite", "subnormal")


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
        terms = np.where(slope == 0, 0, g * slope)  # what gets none of an infinite gradient gets 0, not NaN
        terms = np.broadcast_to(terms, output.shape)
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


def binary(name, theirs, kinds, slopes, roundings, faces, proves, others=None, examples=None):
    return Operation(
        name=name,
        torch=lambda a, b: theirs(a, b),
        cases=binary_cases(kinds, others),
        faces={face: by_autograd(function) for face, function in faces.items()},
        proves=proves,
        roundings=repeats(roundings),
        magnitudes=from_slopes(slopes),
        examples=examples or {},
    )


def pairs(a, b):
    """A named case of two operands written out."""
    return Case({"a": Given(a), "b": Given(b)}, seed=2)


EVERY_PAIR = pairs(
    (*(np.nan,) * 4, *(np.inf,) * 4, *(-np.inf,) * 4, *(0.0,) * 4), (np.nan, np.inf, -np.inf, 1.0) * 4
)


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
def where_cases(draw):
    shapes = draw(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=4)).input_shapes
    condition = Numbers(shapes[0], "ties", draw(seeds))
    inputs = {"a": draw(numbers(shapes[1], *ANY)), "b": draw(numbers(shapes[2], *ANY))}
    return Case(inputs, {}, {"condition": condition}, cotangent=draw(cotangents), seed=draw(seeds))


def where_magnitudes(call, results):
    chosen, output = call.constants["condition"] > 0, np.abs(results["output"])
    return spread(call, {"a": np.where(chosen, 1.0, 0.0), "b": np.where(chosen, 0.0, 1.0)}, output)


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
        examples={
            "zeros and infinities": pairs((1.0, -1.0, 0.0, 2.0, np.inf), (0.0, 0.0, 0.0, np.inf, np.inf)),
        },
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
        examples={"infinities and NaN": EVERY_PAIR},
    ),
    binary(
        "minimum",
        torch.minimum,
        ("normal", "ties", "infinite"),
        lambda a, b: (np.maximum(a, b), {"a": 1, "b": 1}),
        1,
        {"function": lambda a, b: ours.minimum(a, b)},
        ("functional.minimum",),
        examples={"infinities and NaN": EVERY_PAIR},
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
        name="where",
        torch=lambda a, b, condition: torch.where(condition > 0, a, b),
        cases=where_cases(),
        faces={"function": by_autograd(lambda a, b, condition: ours.where(condition > 0, a, b))},
        proves=("functional.where", "minception.where", "Where"),
        roundings=repeats(0),
        magnitudes=where_magnitudes,
        examples={
            "infinite gradients go to one side": Case(
                {"a": Numbers((3, 1, 1), "normal", 0), "b": Numbers((), "normal", 0)},
                {},
                {"condition": Numbers((), "ties", 0)},
                cotangent="nonfinite",
            )
        },
    ),
]

assert mc.where is ours.where
