"""The sum of squares of many arrays, and their common factor."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from minception import kernels

from ..case import Case
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation, Theirs

KINDS = ("normal", "ties", "mixed", "large", "huge", "subnormal")


@st.composite
def list_cases(draw, *kinds):
    shapes = draw(st.lists(array_shapes(min_dims=0, max_dims=4, max_side=4) | st.just((0, 2)), max_size=4))
    arrays = {f"array_{i}": draw(numbers(shape, *kinds)) for i, shape in enumerate(shapes)}
    return Case({}, {"factor": draw(st.sampled_from([0.5, -3.0, 0.1, 0.0]))}, arrays, seed=draw(seeds))


def example(*shapes, kind="normal"):
    arrays = {f"array_{i}": Numbers(shape, kind, i) for i, shape in enumerate(shapes)}
    return Case({}, {"factor": 0.1}, arrays)


def torch_sum(call):
    terms = [torch.tensor(np.array(a, order="C")).double().square().sum() for a in call.constants.values()]
    return {"sum": np.asarray(sum(terms, start=torch.zeros((), dtype=torch.float64)))}


def our_sum(call):
    total = kernels.sum_of_squares(list(call.constants.values()))
    assert type(total) is float
    with np.errstate(over="ignore"):  # the sum is a float64 number in any case
        return {"sum": np.asarray(total, call.dtype)}


def torch_scaled(call):
    factor = call.options["factor"]
    return {n: (torch.tensor(np.array(a, order="C")) * factor).numpy() for n, a in call.constants.items()}


def our_scaled(call):
    kernels.scale_all(list(call.constants.values()), call.options["factor"])
    return {name: np.asarray(a) for name, a in call.constants.items()}


EXAMPLES = {
    "parameters of a layer": example((4, 3, 3, 3), (4,)),
    "more than fits in a block of the kernel": example((70, 70), (3,)),
    "no arrays": example(),
}
ROWS = [
    Operation(
        name="sum_of_squares",
        torch=Theirs(torch_sum),
        cases=list_cases(*KINDS),
        faces={"kernel": our_sum},
        proves=("kernels.sum_of_squares",),
        roundings=lambda call, results: {"sum": 2 * sum(a.size for a in call.constants.values()) + 1},
        magnitudes=lambda call, results: results,
        examples=EXAMPLES,
    ),
    Operation(
        name="scale_all",
        torch=Theirs(torch_scaled),
        cases=list_cases(*KINDS, "nonfinite"),
        faces={"kernel": our_scaled},
        proves=("kernels.scale_all",),
        roundings=2,  # the factor, the product
        magnitudes=lambda call, results: {name: np.abs(a) for name, a in results.items()},
        in_place=("array_0", "array_1", "array_2", "array_3"),
        examples=EXAMPLES,
    ),
]
