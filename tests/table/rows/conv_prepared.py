"""Convolution with weights that were made ready, bias and ReLU: values only, it has no gradient."""

import torch.nn.functional as F
from hypothesis import strategies as st

import minception as mc
import minception.functional as ours
from minception import kernels

from ..case import Case
from ..numbers import Numbers
from ..operation import Operation, kernel_face
from .convolution import conv_cases


@st.composite
def prepared_cases(draw):
    case = draw(conv_cases())
    return Case({}, case.options | {"relu": draw(st.booleans())}, case.inputs, seed=case.seed)


def prepared_case(x, weight, bias=True, relu=True, **options):
    """A named case from its shapes."""
    arrays = {"x": Numbers(x, seed=1), "weight": Numbers(weight, seed=2)}
    arrays["bias"] = Numbers(weight[:1], seed=3) if bias else None
    return Case({}, options | {"relu": relu}, arrays)


def theirs(x, relu, **arguments):
    output = F.conv2d(x, **arguments)
    return output.relu() if relu else output


@kernel_face
def prepared_kernels(k, call):
    x, weight, bias = (call.constants[name] for name in ("x", "weight", "bias"))
    prepared = k.conv2d_prepare(weight, bias, **call.options)
    return {"output": k.conv2d_prepared(x, prepared)}


def prepared_function(call):
    x, weight, bias = (call.constants[name] for name in ("x", "weight", "bias"))
    prepared = kernels.conv2d_prepare(weight, bias, **call.options)
    return {"output": ours.conv2d_prepared(mc.from_numpy(x), prepared).numpy()}


ROWS = [
    Operation(
        name="conv2d_prepared",
        torch=theirs,
        cases=prepared_cases(),
        faces={"kernel": prepared_kernels, "function": prepared_function},
        proves=("kernels.conv2d_prepare", "kernels.conv2d_prepared", "functional.conv2d_prepared"),
        examples={
            "one pixel": prepared_case((1, 1, 1, 1), (1, 1, 1, 1)),
            "without bias": prepared_case((2, 3, 5, 6), (4, 3, 3, 3), bias=False, padding=1),
            "without ReLU": prepared_case((2, 3, 5, 6), (4, 3, 3, 3), relu=False, padding=1),
            "Winograd": prepared_case((2, 33, 7, 9), (40, 33, 3, 3), padding=1),
            "sums in pieces": prepared_case((1, 300, 4, 5), (70, 300, 1, 1)),
            "sums in pieces of several taps": prepared_case((2, 70, 6, 7), (40, 70, 1, 7), padding=(0, 3)),
            "many outputs of few pixels": prepared_case((1, 40, 3, 3), (200, 40, 3, 3), padding=1, stride=2),
            "depthwise": prepared_case((2, 20, 7, 9), (20, 1, 3, 3), padding=1, groups=20),
            "depthwise, strided": prepared_case((2, 20, 7, 9), (20, 1, 5, 3), padding=2, groups=20, stride=2),
            "depthwise, multiplied": prepared_case((2, 4, 5, 6), (12, 1, 3, 3), padding=1, groups=4),
            "groups": prepared_case((2, 8, 5, 6), (12, 2, 3, 3), padding=1, groups=4),
            "empty batch": prepared_case((0, 3, 5, 6), (4, 3, 3, 3), padding=1),
        },
    ),
]
