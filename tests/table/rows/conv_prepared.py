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


@st.composite
def separable_cases(draw):
    """A depthwise convolution, mostly the usual kind, and a pointwise one after it."""
    channels, outputs = draw(st.sampled_from([1, 2, 5, 17, 40])), draw(st.sampled_from([1, 3, 16, 33, 70]))
    size = draw(st.tuples(st.integers(1, 3), st.just(channels), st.integers(1, 11), st.integers(1, 11)))
    usual = {"kernel": (3, 3), "padding": draw(st.sampled_from([1, 1, (1, 2), 2])), "stride": 1}
    unusual = {"kernel": (1, 3), "padding": 1, "stride": draw(st.sampled_from([1, 2]))}
    return separable_case(
        size,
        outputs,
        **draw(st.sampled_from([usual, usual, unusual])),
        biases=draw(st.tuples(st.booleans(), st.booleans())),
        relus=draw(st.tuples(st.booleans(), st.booleans())),
        seed=draw(st.integers(1, 1000)),
    )


def separable_case(size, outputs, kernel=(3, 3), padding=1, stride=1, biases=(True, True), relus=(True, True), seed=1):
    """A case from the size of the images; biases, relus: of the depthwise half and of the pointwise one."""
    channels = size[1]
    arrays = {
        "x": Numbers(size, seed=seed),
        "depthwise": Numbers((channels, 1, *kernel), seed=seed + 1),
        "depthwise_bias": Numbers((channels,), seed=seed + 2) if biases[0] else None,
        "weight": Numbers((outputs, channels, 1, 1), seed=seed + 3),
        "bias": Numbers((outputs,), seed=seed + 4) if biases[1] else None,
    }
    return Case({}, {"padding": padding, "stride": stride, "relus": relus}, arrays)


def their_separable(x, depthwise, depthwise_bias, weight, bias, padding, stride, relus):
    between = F.conv2d(x, depthwise, depthwise_bias, stride, padding, groups=x.shape[1])
    output = F.conv2d(between.relu() if relus[0] else between, weight, bias)
    return output.relu() if relus[1] else output


@kernel_face
def separable_kernels(k, call):
    x, depthwise, depthwise_bias, weight, bias = (
        call.constants[name] for name in ("x", "depthwise", "depthwise_bias", "weight", "bias")
    )
    options = {name: call.options[name] for name in ("padding", "stride")}
    before, after = call.options["relus"]
    first = k.conv2d_prepare(depthwise, depthwise_bias, groups=x.shape[1], relu=before, **options)
    return {"output": k.conv2d_prepared(x, k.conv2d_prepare(weight, bias, relu=after, before=first))}


ROWS = [
    Operation(
        name="conv2d_prepared, separable",
        torch=their_separable,
        cases=separable_cases(),
        faces={"kernel": separable_kernels},
        proves=("kernels.conv2d_prepare", "kernels.conv2d_prepared"),
        examples={
            "one pixel": separable_case((1, 1, 1, 1), 1),
            "several chunks of lines": separable_case((2, 20, 33, 30), 40),
            "last chunk of one line": separable_case((1, 16, 25, 24), 33, relus=(False, True)),
            "wider than high": separable_case((1, 5, 2, 250), 7, biases=(False, False)),
            "many channels": separable_case((1, 300, 5, 4), 70, relus=(False, False)),
            "5x3 taps": separable_case((2, 6, 7, 9), 20, kernel=(5, 3), padding=2),
            "strided": separable_case((2, 6, 7, 9), 20, stride=2),
            "empty batch": separable_case((0, 6, 7, 9), 20),
        },
    ),
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
