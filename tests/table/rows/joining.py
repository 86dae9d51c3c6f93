"""Concatenation, sums and scaled sums of arrays of one shape: how branches and residuals meet."""

import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minception as mc
import minception.functional as ours

from ..case import Case
from ..faces import by_autograd, by_torch
from ..numbers import Numbers, cotangents, numbers, seeds
from ..operation import Operation, by_absolute_cotangent, kernel_face

KINDS = ("normal", "ties", "mixed", "nonfinite")


@st.composite
def concatenate_cases(draw):
    shape = draw(array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    axis_length = slice(axis % len(shape), axis % len(shape) + 1)
    resized = [(*shape[: axis_length.start], n, *shape[axis_length.stop :]) for n in lengths]
    inputs = {f"branch_{i}": draw(numbers(s, *KINDS)) for i, s in enumerate(resized)}
    return Case(inputs, {"axis": axis}, cotangent=draw(cotangents), seed=draw(seeds))


@kernel_face
def concatenate_kernels(k, call):
    axis, arrays = call.options["axis"], list(call.inputs.values())
    output = k.concatenate(arrays, axis)
    grads = k.concatenate_backward(call.cotangent(output.shape), [a.shape[axis] for a in arrays], axis)
    return {"output": output} | {f"grad {name}": g for name, g in zip(call.inputs, grads, strict=True)}


def joined(function):
    return lambda axis, **branches: function(list(branches.values()), axis)


@st.composite
def sum_cases(draw, scaled):
    shape = draw(array_shapes(min_dims=0, max_dims=4, max_side=5) | st.sampled_from([(0, 2), (2, 40, 30, 31)]))
    inputs = {"a": draw(numbers(shape, *KINDS)), "b": draw(numbers(shape, *KINDS))}
    options = {"scale": draw(st.sampled_from([0.17, 1.0, -0.5, -2, 0, 0.0]))} if scaled else {}
    return Case(inputs, options, cotangent=draw(cotangents), seed=draw(seeds))


@kernel_face
def add_kernels(k, call):
    output = k.add(*call.inputs.values())
    grad_a, grad_b = k.add_backward(call.cotangent(output.shape))
    return {"output": output, "grad a": grad_a, "grad b": grad_b}


@kernel_face
def scaled_add_kernels(k, call):
    scale = call.options["scale"]
    output = k.scaled_add(*call.inputs.values(), scale)
    grad_a, grad_b = k.scaled_add_backward(call.cotangent(output.shape), scale)
    return {"output": output, "grad a": grad_a, "grad b": grad_b}


def torch_scaled_add(a, b, scale):
    return a + scale * b


def torch_scaled_terms(a, b, scale):
    return a + abs(scale) * b


def inception(*channels, kind="normal"):
    branches = {f"branch_{i}": Numbers((2, c, 30, 31), kind, i) for i, c in enumerate(channels)}
    return Case(branches, {"axis": 1}, seed=7)


ROWS = [
    Operation(
        name="concatenate",
        torch=joined(torch.cat),
        cases=concatenate_cases(),
        faces={
            "kernel": concatenate_kernels,
            "function": by_autograd(joined(ours.concatenate)),
            "cat": by_autograd(joined(ours.cat)),
        },
        proves=(
            "kernels.concatenate",
            "kernels.concatenate_backward",
            "functional.concatenate",
            "functional.cat",
            "minception.cat",
            "Concatenate",
        ),
        roundings=0,
        magnitudes=by_absolute_cotangent(by_torch(joined(torch.cat))),
        examples={"an Inception module": inception(16, 24, 8, 8), "one branch": inception(5)},
    ),
    Operation(
        name="add",
        torch=lambda a, b: a + b,
        cases=sum_cases(scaled=False),
        faces={"kernel": add_kernels},
        proves=("kernels.add", "kernels.add_backward"),
        roundings=lambda call, results: {"output": 1, "*": 0},
        examples={"many": Case({"a": Numbers((2, 40, 30, 31), seed=1), "b": Numbers((2, 40, 30, 31), seed=2)}, seed=3)},
    ),
    Operation(
        name="scaled_add",
        torch=torch_scaled_add,
        cases=sum_cases(scaled=True),
        faces={
            "kernel": scaled_add_kernels,
            "function": by_autograd(lambda a, b, scale: ours.scaled_add(a, b, scale)),
        },
        proves=("kernels.scaled_add", "kernels.scaled_add_backward", "functional.scaled_add", "ScaledAdd"),
        roundings=3,
        magnitudes=lambda call, results: _absolute(call),
    ),
]


def _absolute(call):
    scale = abs(call.options["scale"])
    changed = call.changed(abs)
    changed.options["scale"] = scale
    return by_torch(torch_scaled_terms)(changed)


assert mc.cat is ours.cat
