"""Sums, means, variances and extremes over axes."""

import math

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from ..case import Case
from ..faces import by_autograd
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation

KINDS = ("normal", "ties", "mixed", "nonfinite", "offset", "subnormal")


def axes_from_either_end(shape):
    """An axis; PyTorch lets a number without axes have the axes 0 and -1."""
    return st.integers(-max(len(shape), 1), max(len(shape), 1) - 1)


@st.composite
def over_axes(draw, kinds=KINDS, empty=True, minimum=0):
    """`dim` None, an axis from either end, several, or () for all; `keepdim`."""
    shapes = array_shapes(min_dims=minimum, max_dims=4, max_side=6)
    shape = draw(shapes | st.sampled_from([(0, 3), (2, 0)]) if empty else shapes)
    axes = axes_from_either_end(shape)
    several = st.lists(axes, unique_by=lambda axis: axis % max(len(shape), 1)).map(tuple) if shape else st.just(())
    options = {"dim": draw(st.none() | axes | several), "keepdim": draw(st.booleans())}
    return Case({"x": draw(numbers(shape, *kinds))}, options, seed=draw(seeds))


def axes_of(call):
    x, dim = call.inputs["x"], call.options["dim"]
    axes = range(x.ndim) if dim in (None, ()) else dim if isinstance(dim, tuple) else (dim,)
    return tuple(axis % x.ndim for axis in axes) if x.ndim else ()


def count(call):
    return math.prod(call.inputs["x"].shape[axis] for axis in axes_of(call))


@st.composite
def variance_cases(draw):
    case = draw(over_axes(kinds=("normal", "ties", "offset", "mixed", "zero"), empty=False, minimum=1))
    # torch's gradient for the axes () lacks a factor, and is not that of the variance where the correction exceeds K
    options = case.options | {"dim": None if case.options["dim"] == () else case.options["dim"]}
    case = Case(case.inputs, options, seed=case.seed)
    enough = count(case.call(np.float64)) > 2
    options["correction"] = draw(st.sampled_from([0, 1, 2, 0.5] if enough else [0, 1]))
    return case


def variance_magnitudes(call, results, lost=0):
    """y = sum(d^2) / (K - correction), d = x - c - mean(x - c) for c near the mean;  dx = 2 d / (K - correction)

    lost: the magnitude of what is lost of d, beside d itself.
    """
    x, axes = call.inputs["x"], axes_of(call)
    d = np.abs(x - x.mean(axes, keepdims=True))
    d = d + d.mean(axes, keepdims=True)
    divisor = max(count(call) - call.options["correction"], 0)
    with np.errstate(all="ignore"):
        output = (d * (d + lost)).sum(axes, keepdims=call.options["keepdim"]) / divisor
        g = np.abs(call.cotangent(output.shape)).reshape(d.sum(axes, keepdims=True).shape)
        return {"output": output, "grad x": 2 * g * (d + lost) / divisor}


def tied(call, results):
    return {"output": np.abs(results["output"]), "grad x": np.abs(results["grad x"])}


@st.composite
def along_one_axis(draw):
    case = draw(over_axes(kinds=("normal", "ties", "infinite"), empty=False))
    axis = draw(axes_from_either_end(case.inputs["x"].shape))
    return Case(case.inputs, case.options | {"dim": axis}, seed=case.seed)


@st.composite
def along_one_axis_or_all(draw):
    case = draw(along_one_axis())
    return Case(case.inputs, case.options | {"dim": draw(st.sampled_from([None, case.options["dim"]]))}, seed=case.seed)


def extreme(name):
    def theirs(x, dim, keepdim):
        values, indices = getattr(torch, name)(x, dim, keepdim)
        return values, {"indices": indices}

    def mine(x, dim, keepdim):
        values, indices = getattr(x, name)(dim, keepdim)
        return values, {"indices": indices}

    return Operation(
        name=f"{name} along an axis",
        torch=theirs,
        cases=along_one_axis(),
        faces={"method": by_autograd(mine)},
        proves=(f"Tensor.{name}", "TakeAlong"),
        roundings=0,
        magnitudes=lambda call, results: {"*": 0.0},
    )


def many(kind, dim):
    return Case({"x": Numbers((50, 200), kind, 1)}, {"dim": dim, "keepdim": False}, seed=2)


MANY = {"outer axis": many("positive", 0), "inner axis": many("normal", 1), "all": many("normal", None)}


ROWS = [
    Operation(
        name="sum",
        torch=lambda x, dim, keepdim: torch.sum(x, dim, keepdim),
        cases=over_axes(),
        faces={"method": by_autograd(lambda x, dim, keepdim: x.sum(dim, keepdim))},
        proves=("Tensor.sum", "Sum"),
        examples=MANY,
    ),
    Operation(
        name="mean",
        torch=lambda x, dim, keepdim: torch.mean(x, dim, keepdim),
        cases=over_axes(),
        faces={"method": by_autograd(lambda x, dim, keepdim: x.mean(dim, keepdim))},
        proves=("Tensor.mean",),
        roundings=lambda call, results: count(call) + 3,
        examples=MANY,
    ),
    Operation(
        name="var",
        torch=lambda x, dim, keepdim, correction: torch.var(x, dim, correction=correction, keepdim=keepdim),
        cases=variance_cases(),
        faces={
            "method": by_autograd(lambda x, dim, keepdim, correction: x.var(dim, correction, keepdim)),
        },
        proves=("Tensor.var", "Variance"),
        roundings=lambda call, results: 2 * count(call) + 10,
        magnitudes=variance_magnitudes,
        torch_magnitudes=lambda call, results: variance_magnitudes(call, results, lost=np.abs(call.inputs["x"])),
        examples={
            "mean 1e4, deviation 1e-2": Case(
                {"x": Numbers((6, 50), "offset", 1)}, {"dim": 1, "keepdim": False, "correction": 1}, seed=2
            )
        },
    ),
    *(
        Operation(
            name=name,
            torch=lambda x, dim, keepdim, name=name: getattr(torch, name)(x, () if dim is None else dim, keepdim),
            cases=over_axes(kinds=("normal", "ties", "infinite"), empty=False),
            faces={"method": by_autograd(lambda x, dim, keepdim, name=name: getattr(x, name)(dim, keepdim))},
            proves=(f"Tensor.{name}", "Amax"),
            roundings=2,
            magnitudes=tied,
        )
        for name in ("amax", "amin")
    ),
    extreme("max"),
    extreme("min"),
    *(
        Operation(
            name=f"{name} of all",
            torch=lambda x, name=name: getattr(torch, name)(x),
            cases=over_axes(kinds=("normal", "ties", "infinite"), empty=False).map(
                lambda case: Case(case.inputs, seed=case.seed)
            ),
            faces={"method": by_autograd(lambda x, name=name: getattr(x, name)())},
            proves=(f"Tensor.{name}",),
            roundings=2,
            magnitudes=tied,
        )
        for name in ("max", "min")
    ),
    Operation(
        name="argmax",
        torch=lambda x, dim, keepdim: torch.argmax(x, dim, keepdim),
        cases=along_one_axis_or_all(),
        faces={"method": by_autograd(lambda x, dim, keepdim: x.argmax(dim, keepdim))},
        proves=("Tensor.argmax",),
        roundings=0,
        magnitudes=lambda call, results: {"*": 0.0},
    ),
]
