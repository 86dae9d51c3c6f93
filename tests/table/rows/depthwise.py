"""Depthwise and separable convolution."""

import torch.nn.functional as F
from hypothesis import strategies as st

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Numbers, maybe, numbers, seeds
from ..operation import Operation, kernel_face
from .convolution import IMAGE_KINDS, overflow, windows


@st.composite
def depthwise_cases(draw):
    channels, multiplier = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    sizes, kernel_size, options = draw(windows())
    return Case(
        {
            "x": draw(numbers((draw(st.integers(0, 3)), channels, *sizes), *IMAGE_KINDS)),
            "weight": draw(numbers((channels * multiplier, 1, *kernel_size))),
            "bias": draw(maybe(numbers((channels * multiplier,)))),
        },
        options,
        seed=draw(seeds),
    )


def torch_depthwise(x, weight, bias, **options):
    return F.conv2d(x, weight, bias, groups=x.shape[1], **options)


@kernel_face
def depthwise_kernels(k, call):
    x, weight, bias = (call.inputs[name] for name in ("x", "weight", "bias"))
    output = k.depthwise_conv2d(x, weight, bias, **call.options)
    g = call.cotangent(output.shape)
    found = {
        "output": output,
        "grad x": k.depthwise_conv2d_backward_input(g, weight, x.shape, **call.options),
        "grad weight": k.depthwise_conv2d_backward_weight(g, x, weight.shape, **call.options),
    }
    return found if bias is None else found | {"grad bias": k.conv2d_backward_bias(g)}


def depthwise_layer(call):
    weight, channels = call.inputs["weight"], call.inputs["x"].shape[1]
    return nn.DepthwiseConv2d(
        channels,
        weight.shape[2:],
        depth_multiplier=len(weight) // channels,
        bias=call.inputs["bias"] is not None,
        **call.options,
    )


@st.composite
def separable_cases(draw):
    channels, multiplier, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    sizes, kernel_size, options = draw(windows(largest_kernel=3))
    return Case(
        {
            "x": draw(numbers((draw(st.integers(0, 3)), channels, *sizes))),
            "depthwise_weight": draw(numbers((channels * multiplier, 1, *kernel_size))),
            "pointwise_weight": draw(numbers((outputs, channels * multiplier, 1, 1))),
            "bias": draw(maybe(numbers((outputs,)))),
        },
        options,
        seed=draw(seeds),
    )


def torch_separable(x, depthwise_weight, pointwise_weight, bias, **options):
    return F.conv2d(torch_depthwise(x, depthwise_weight, None, **options), pointwise_weight, bias)


@kernel_face
def separable_kernels(k, call):
    x, depthwise, pointwise, bias = call.inputs.values()
    output = k.separable_conv2d(x, depthwise, pointwise, bias, **call.options)
    g = call.cotangent(output.shape)
    grads = k.separable_conv2d_backward(g, x, depthwise, pointwise, **call.options)
    found = {"output": output} | dict(zip([f"grad {name}" for name in call.inputs], grads, strict=True))
    return {name: result for name, result in found.items() if name != "grad bias" or bias is not None}


def separable_layer(call):
    depthwise, pointwise = call.inputs["depthwise_weight"], call.inputs["pointwise_weight"]
    channels = call.inputs["x"].shape[1]
    return nn.SeparableConv2d(
        channels,
        len(pointwise),
        depthwise.shape[2:],
        depth_multiplier=len(depthwise) // channels,
        bias=call.inputs["bias"] is not None,
        **call.options,
    )


def case(x, weight, bias=True, **options):
    inputs = {"x": Numbers(x, seed=1), "weight": Numbers(weight, seed=2)}
    return Case(inputs | {"bias": Numbers(weight[:1], seed=3) if bias else None}, options, seed=4)


def separable(x, depthwise_weight, outputs, bias=True, **options):
    inputs = {
        "x": Numbers(x, seed=1),
        "depthwise_weight": Numbers(depthwise_weight, seed=2),
        "pointwise_weight": Numbers((outputs, depthwise_weight[0], 1, 1), seed=3),
        "bias": Numbers((outputs,), seed=4) if bias else None,
    }
    return Case(inputs, options, seed=5)


ROWS = [
    Operation(
        name="depthwise_conv2d",
        torch=torch_depthwise,
        cases=depthwise_cases(),
        faces={
            "kernel": depthwise_kernels,
            "function": by_autograd(lambda x, **arguments: ours.depthwise_conv2d(x, **arguments)),
            "layer": by_layer(depthwise_layer),
        },
        proves=(
            "kernels.depthwise_conv2d",
            "kernels.depthwise_conv2d_backward_input",
            "kernels.depthwise_conv2d_backward_weight",
            "functional.depthwise_conv2d",
            "nn.DepthwiseConv2d",
            "DepthwiseConv2d",
        ),
        examples={
            "one pixel": case((1, 1, 1, 1), (1, 1, 1, 1)),
            "one pixel, padded": case((2, 3, 1, 1), (3, 1, 3, 3), padding=1),
            "one channel, multiplied": case((2, 1, 5, 6), (4, 1, 3, 3), padding=1),
            "pointwise": case((2, 3, 5, 6), (6, 1, 1, 1), bias=False),
            "1x7": case((2, 3, 9, 9), (3, 1, 1, 7), padding=(0, 3)),
            "7x1": case((2, 3, 9, 9), (3, 1, 7, 1), padding=(3, 0)),
            "kernel as large as the image": case((2, 3, 4, 5), (6, 1, 4, 5)),
            "everything at once": case(
                (3, 6, 10, 13), (12, 1, 3, 2), stride=(2, 3), padding=(1, 2), dilation=(2, 3)
            ),
            "same, even and dilated": case((2, 3, 6, 7), (3, 1, 4, 2), padding="same", dilation=(1, 3)),
            "valid, strided": case((2, 3, 6, 7), (3, 1, 2, 4), padding="valid", stride=2),
            "multiplier": case((2, 3, 7, 5), (12, 1, 3, 2), padding=(2, 1), stride=(2, 1)),
            "multiplier and dilation": case((2, 3, 9, 8), (6, 1, 3, 3), padding=2, dilation=(2, 3)),
            "5x5, stride that does not divide": case((2, 6, 12, 9), (6, 1, 5, 5), stride=(3, 2), padding=2),
            "stride beyond the kernel": case((2, 4, 9, 11), (4, 1, 2, 2), stride=(4, 5)),
            "empty batch": case((0, 3, 5, 6), (3, 1, 3, 3), padding=1),
            "many channels, images beyond one chunk": case((4, 96, 28, 27), (96, 1, 3, 3), padding=1),
            "overflow": overflow((1, 2, 3, 3), (2, 1, 2, 2)),
        },
    ),
    Operation(
        name="separable_conv2d",
        torch=torch_separable,
        cases=separable_cases(),
        faces={
            "kernel": separable_kernels,
            "function": by_autograd(lambda x, **arguments: ours.separable_conv2d(x, **arguments)),
            "layer": by_layer(
                separable_layer,
                depthwise_weight="depthwise.weight",
                pointwise_weight="pointwise.weight",
                bias="pointwise.bias",
            ),
        },
        proves=(
            "kernels.separable_conv2d",
            "kernels.separable_conv2d_backward",
            "functional.separable_conv2d",
            "nn.SeparableConv2d",
        ),
        examples={
            "one pixel, padded": separable((2, 3, 1, 1), (3, 1, 3, 3), 4, padding=1),
            "everything at once": separable(
                (3, 6, 10, 13), (12, 1, 3, 2), 4, stride=(2, 3), padding=(1, 2), dilation=(2, 3)
            ),
            "same, even and dilated": separable((2, 3, 6, 7), (3, 1, 4, 2), 4, False, padding="same", dilation=(1, 3)),
            "pointwise twice": separable((2, 3, 5, 6), (6, 1, 1, 1), 4),
            "empty batch": separable((0, 3, 5, 6), (6, 1, 3, 3), 4, padding=1),
        },
    ),
]
