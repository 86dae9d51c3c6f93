"""ReLU, ELU and dropout: layers without parameters that act on each element alone."""

from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer, by_torch
from ..numbers import Numbers, cotangents, numbers, seeds
from ..operation import Operation, by_absolute_cotangent, kernel_face

shapes = array_shapes(min_dims=0, max_dims=4, max_side=6) | st.sampled_from([(0,), (2, 0, 3), (3, 4, 40, 41)])


@st.composite
def relu_cases(draw):
    x = draw(numbers(draw(shapes), "normal", "ties", "mixed", "nonfinite", "subnormal"))
    return Case({"x": x}, cotangent=draw(cotangents), seed=draw(seeds))


@kernel_face
def relu_kernels(k, call):
    output = k.relu(call.inputs["x"])
    return {"output": output, "grad x": k.relu_backward(call.cotangent(output.shape), output)}


@st.composite
def elu_cases(draw):
    x = draw(numbers(draw(shapes), "normal", "ties", "mixed", "infinite", "subnormal"))
    options = {"alpha": draw(st.sampled_from([1.0, 0.3, 2.0, 0.0, -1.5]))}
    # exp(x) of the "mixed" ones is zero in float32 and not in float64: so is its product with infinity NaN, or infinite
    cotangent = "normal" if x.kind == "mixed" else draw(cotangents)
    return Case({"x": x}, options, cotangent=cotangent, seed=draw(seeds))


@kernel_face
def elu_kernels(k, call):
    x, alpha = call.inputs["x"], call.options["alpha"]
    output = k.elu(x, alpha)
    return {"output": output, "grad x": k.elu_backward(call.cotangent(x.shape), x, alpha)}


class Scripted(np.random.Generator):
    """A generator whose uniform numbers are given: dropout then has a counterpart without chance."""

    def __init__(self, uniform):
        super().__init__(np.random.PCG64(0))
        self.uniform = uniform

    def random(self, size=None, dtype=np.float64, out=None):
        uniform = np.moveaxis(self.uniform, 1, -1) if self.uniform.ndim == 4 else self.uniform
        assert tuple(size) == uniform.shape, f"asked for {size}, images are drawn channels-last"
        return uniform.astype(dtype)


@st.composite
def dropout_cases(draw):
    shape = draw(shapes)
    inputs = {"x": draw(numbers(shape, "normal", "ties", "mixed"))}
    uniform = Numbers(shape, draw(st.sampled_from(["uniform", "eighths"])), draw(seeds))
    return Case(inputs, {"p": draw(st.sampled_from([0.0, 0.125, 0.5, 0.875, 0.1, 1.0]))}, {"uniform": uniform})


def torch_dropout(x, uniform, p):
    """x is kept with probability 1 - p, where a uniform number is not below p, and divided by that probability."""
    return torch.where(uniform >= p, x / (1 - p), 0 * x) if p < 1 else 0 * x


@kernel_face
def dropout_kernels(k, call):
    x = call.inputs["x"]
    output, mask = k.dropout(x, call.options["p"], Scripted(call.constants["uniform"]))
    return {"output": output, "grad x": k.dropout_backward(call.cotangent(x.shape), mask)}


def dropout_layer(call):
    with mock.patch("minception.ops.activation.default_generator", lambda: Scripted(call.constants["uniform"])):
        return by_layer(lambda call: nn.Dropout(call.options["p"]))(call)


def case(kind, shape=(3, 4, 5), **options):
    return Case({"x": Numbers(shape, kind, 1)}, options, seed=2)


ROWS = [
    Operation(
        name="relu",
        torch=lambda x: F.relu(x),
        cases=relu_cases(),
        faces={
            "kernel": relu_kernels,
            "function": by_autograd(lambda x: ours.relu(x)),
            "method": by_autograd(lambda x: x.relu()),
            "layer": by_layer(lambda call: nn.ReLU()),
        },
        proves=(
            "kernels.relu",
            "kernels.relu_backward",
            "functional.relu",
            "Tensor.relu",
            "nn.ReLU",
            "ReLU",
        ),
        roundings=0,
        magnitudes=by_absolute_cotangent(by_torch(lambda x: F.relu(x))),
        examples={"zeros": case("zero"), "infinities and NaN": case("nonfinite"), "many": case("ties", (2, 3, 60, 61))},
    ),
    Operation(
        name="elu",
        torch=lambda x, alpha: F.elu(x, alpha),
        cases=elu_cases(),
        faces={
            "kernel": elu_kernels,
            "function": by_autograd(lambda x, alpha: ours.elu(x, alpha)),
            "layer": by_layer(lambda call: nn.ELU(**call.options)),
        },
        proves=("kernels.elu", "kernels.elu_backward", "functional.elu", "nn.ELU", "ELU"),
        roundings=8,
        magnitudes=lambda call, results: {name: np.abs(result) for name, result in results.items()},
        examples={
            "zeros": case("zero", alpha=2.0),
            "subnormal numbers": case("subnormal", alpha=1.0),
            "exp(x) is subnormal": case("mixed", shape=(3, 4, 40, 41), alpha=1.0),  # found where x was the cotangent
        },
    ),
    Operation(
        name="dropout",
        torch=torch_dropout,
        cases=dropout_cases(),
        faces={
            "kernel": dropout_kernels,
            "function": by_autograd(lambda x, uniform, p: ours.dropout(x, p, True, Scripted(uniform))),
            "layer": dropout_layer,
        },
        proves=("kernels.dropout", "kernels.dropout_backward", "functional.dropout", "nn.Dropout", "Dropout"),
        roundings=3,
        magnitudes=lambda call, results: {name: np.abs(result) for name, result in results.items()},
    ),
]
