"""The fully connected layer, and matrix products."""

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Numbers, maybe, numbers, seeds
from ..operation import Operation, kernel_face


@st.composite
def linear_cases(draw):
    rows = draw(st.lists(st.integers(0, 4), max_size=3))
    inputs, outputs = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    return Case(
        {
            "x": draw(numbers((*rows, inputs), "normal", "ties", "mixed", "nonfinite", "subnormal")),
            "weight": draw(numbers((outputs, inputs))),
            "bias": draw(maybe(numbers((outputs,)))),
        },
        seed=draw(seeds),
    )


@kernel_face
def linear_kernels(k, call):
    x, weight, bias = call.inputs.values()
    output = k.linear(x, weight, bias)
    g = call.cotangent(output.shape)
    found = {
        "output": output,
        "grad x": k.linear_backward_input(g, weight),
        "grad weight": k.linear_backward_weight(g, x),
    }
    return found if bias is None else found | {"grad bias": k.linear_backward_bias(g)}


def linear_layer(call):
    outputs, inputs = call.inputs["weight"].shape
    return nn.Linear(inputs, outputs, bias=call.inputs["bias"] is not None)


@st.composite
def matmul_cases(draw):
    """Vectors, matrices and broadcast batches of them."""
    k = draw(st.integers(0, 5))
    batches = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=3)).input_shapes
    left = draw(st.sampled_from(["vector", "matrix"])), batches[0], draw(st.integers(0, 4))
    right = draw(st.sampled_from(["vector", "matrix"])), batches[1], draw(st.integers(0, 4))
    a = (k,) if left[0] == "vector" else (*left[1], left[2], k)
    b = (k,) if right[0] == "vector" else (*right[1], k, right[2])
    return Case({"a": draw(numbers(a)), "b": draw(numbers(b))}, seed=draw(seeds))


def long_rows():
    inputs = {"x": Numbers((5, 400), seed=1), "weight": Numbers((6, 400), seed=2), "bias": Numbers((6,), seed=3)}
    return Case(inputs, seed=4)


def many_weights(rows, inputs, outputs):
    """More than the fast kernels leave to the reference."""
    arrays = {"x": (*rows, inputs), "weight": (outputs, inputs), "bias": (outputs,)}
    return Case({name: Numbers(shape, seed=i) for i, (name, shape) in enumerate(arrays.items())}, seed=4)


def huge():
    inputs = {"x": Numbers((3, 5), "huge"), "weight": Numbers((2, 5), "huge"), "bias": Numbers((2,), seed=3)}
    return Case(inputs, cotangent="huge")


ROWS = [
    Operation(
        name="linear",
        torch=lambda x, **arguments: F.linear(x, **arguments),
        cases=linear_cases(),
        faces={
            "kernel": linear_kernels,
            "function": by_autograd(lambda x, **arguments: ours.linear(x, **arguments)),
            "layer": by_layer(linear_layer),
        },
        proves=(
            "kernels.linear",
            "kernels.linear_backward_bias",
            "kernels.linear_backward_input",
            "kernels.linear_backward_weight",
            "functional.linear",
            "nn.Linear",
            "Linear",
        ),
        examples={
            "long sums": long_rows(),
            "overflow": huge(),
            "many weights": many_weights((2, 3), 517, 259),
            "many weights, longer sums": many_weights((19,), 1050, 130),
        },
    ),
    Operation(
        name="matmul",
        torch=lambda a, b: torch.matmul(a, b),
        cases=matmul_cases(),
        faces={
            "function": by_autograd(lambda a, b: ours.matmul(a, b)),
            "method": by_autograd(lambda a, b: a.matmul(b)),
            "operator": by_autograd(lambda a, b: a @ b),
            "reflected": by_autograd(lambda a, b: b.__rmatmul__(a)),
        },
        proves=("functional.matmul", "Tensor.matmul", "Tensor.__matmul__", "Tensor.__rmatmul__", "MatMul"),
    ),
]
