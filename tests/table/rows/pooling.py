"""Max, average, adaptive and global average pooling."""

import math

import torch.nn.functional as F
from hypothesis import strategies as st

import minception.functional as ours
from minception import nn
from minception.kernels.window import output_size

from ..case import Case
from ..faces import by_autograd, by_layer, by_torch
from ..numbers import Numbers, cotangents, numbers, seeds
from ..operation import Operation, by_absolute_cotangent, kernel_face

KINDS = ("normal", "ties", "mixed", "nonfinite", "subnormal")


def every_window_sees_the_image(axis, ceil_mode):
    """Whether each window has a tap inside the image; torch's max pooling fails for dilated ones that have none."""
    size, kernel, stride, padding, dilation = axis
    count = output_size(size, kernel, stride, padding, padding, dilation, ceil_mode)
    starts = [window * stride - padding for window in range(count)]
    return all(any(0 <= start + tap * dilation < size for tap in range(kernel)) for start in starts)


@st.composite
def axis_windows(draw, dilated, ceil_mode):
    """(size, kernel, stride, padding, dilation) of one axis that at least one window fits on."""
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    padding = draw(st.integers(0, kernel // 2))
    dilation = draw(st.integers(1, 3)) if dilated else 1
    smallest = dilation * (kernel - 1) + 1 - 2 * padding - (stride - 1 if ceil_mode else 0)
    size = max(1, smallest) + draw(st.integers(0, 6))
    axis = size, kernel, stride, padding, dilation
    while not every_window_sees_the_image(axis, ceil_mode):
        axis = (axis[0] + 1, *axis[1:])
    return axis


@st.composite
def pool_cases(draw, dilated):
    ceil_mode = draw(st.booleans())
    sizes, *geometry = zip(*[draw(axis_windows(dilated, ceil_mode)) for _ in range(2)], strict=True)
    names = ("kernel_size", "stride", "padding", "dilation")[: 4 if dilated else 3]
    options = dict(zip(names, geometry, strict=False), ceil_mode=ceil_mode)
    if not dilated:
        options["count_include_pad"] = draw(st.booleans())
        options["divisor_override"] = draw(st.none() | st.sampled_from([1, 3, -2]))
    x = draw(numbers((draw(st.integers(0, 3)), draw(st.integers(1, 4)), *sizes), *KINDS))
    return Case({"x": x}, options, cotangent=draw(cotangents), seed=draw(seeds))


@kernel_face
def max_pool_kernels(k, call):
    x = call.inputs["x"]
    output, taps = k.max_pool2d(x, **call.options)
    grad_x = k.max_pool2d_backward(call.cotangent(output.shape), taps, x.shape, **call.options)
    return {"output": output, "grad x": grad_x}


@kernel_face
def avg_pool_kernels(k, call):
    x = call.inputs["x"]
    output = k.avg_pool2d(x, **call.options)
    return {"output": output, "grad x": k.avg_pool2d_backward(call.cotangent(output.shape), x.shape, **call.options)}


@st.composite
def adaptive_cases(draw):
    sizes = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    size = st.none() | st.integers(1, 11)
    output = draw(st.one_of(st.integers(1, 11), st.none(), st.tuples(size, size)))
    x = draw(numbers((draw(st.integers(0, 3)), draw(st.integers(1, 4)), *sizes), *KINDS))
    return Case({"x": x}, {"output_size": output}, cotangent=draw(cotangents), seed=draw(seeds))


@kernel_face
def adaptive_kernels(k, call):
    x = call.inputs["x"]
    output = k.adaptive_avg_pool2d(x, **call.options)
    return {"output": output, "grad x": k.adaptive_avg_pool2d_backward(call.cotangent(output.shape), x.shape)}


@st.composite
def global_cases(draw):
    shape = [draw(st.integers(low, 6)) for low in (0, 1, 1, 1)]
    return Case({"x": draw(numbers(shape, *KINDS))}, cotangent=draw(cotangents), seed=draw(seeds))


def torch_global(x):
    return x.mean((2, 3), keepdim=True)


@kernel_face
def global_kernels(k, call):
    x = call.inputs["x"]
    output = k.global_avg_pool2d(x)
    return {"output": output, "grad x": k.global_avg_pool2d_backward(call.cotangent(output.shape), x.shape)}


def torch_max_pool(x, **options):
    return F.max_pool2d(x, **options)


def torch_avg_pool(x, **options):
    return F.avg_pool2d(x, **options)


def torch_adaptive(x, output_size):
    return F.adaptive_avg_pool2d(x, (None, None) if output_size is None else output_size)


def taps(call, results):
    """As many additions as a window has taps, a division, and the reciprocal."""
    size = call.options["kernel_size"]
    return math.prod(size if isinstance(size, tuple) else (size, size)) + 3


def pixels(call, results):
    return math.prod(call.inputs["x"].shape[2:]) + math.prod(results["output"].shape[2:]) + 3


def case(shape, kind="normal", **options):
    return Case({"x": Numbers(shape, kind, seed=1)}, options, seed=2)


ROWS = [
    Operation(
        name="max_pool2d",
        torch=torch_max_pool,
        cases=pool_cases(dilated=True),
        faces={
            "kernel": max_pool_kernels,
            "function": by_autograd(lambda x, **options: ours.max_pool2d(x, **options)),
            "layer": by_layer(lambda call: nn.MaxPool2d(**call.options)),
        },
        proves=(
            "kernels.max_pool2d",
            "kernels.max_pool2d_backward",
            "functional.max_pool2d",
            "nn.MaxPool2d",
            "MaxPool2d",
        ),
        roundings=lambda call, results: {"output": 0, "grad x": taps(call, results)},
        magnitudes=by_absolute_cotangent(by_torch(torch_max_pool)),
        examples={
            "all pixels tie": case((2, 3, 6, 5), "zero", kernel_size=3, stride=2, padding=1),
            "negative pixels beside the padding": case((2, 3, 5, 4), "ties", kernel_size=3, stride=1, padding=1),
            "nothing but minus infinity": case((1, 2, 5, 4), "lowest", kernel_size=3, stride=2, padding=1),
            "last window hangs over": case((1, 2, 6, 6), "ties", kernel_size=3, stride=2, ceil_mode=True),
            "ceil_mode drops a window": case((1, 2, 3, 4), kernel_size=2, stride=3, padding=1, ceil_mode=True),
            "stride beyond the kernel": case((2, 2, 9, 11), kernel_size=2, stride=(4, 5)),
            "300 taps": case((1, 2, 21, 17), "ties", kernel_size=(20, 15), stride=1),
            "empty batch": case((0, 3, 6, 5), kernel_size=2),
            "stride left out": case((2, 3, 7, 5), kernel_size=(2, 3)),
        },
    ),
    Operation(
        name="avg_pool2d",
        torch=torch_avg_pool,
        cases=pool_cases(dilated=False),
        faces={
            "kernel": avg_pool_kernels,
            "function": by_autograd(lambda x, **options: ours.avg_pool2d(x, **options)),
            "layer": by_layer(lambda call: nn.AvgPool2d(**call.options)),
        },
        proves=(
            "kernels.avg_pool2d",
            "kernels.avg_pool2d_backward",
            "functional.avg_pool2d",
            "nn.AvgPool2d",
            "AvgPool2d",
        ),
        roundings=taps,
        examples={
            "overhang, padding counted": case((2, 3, 6, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True),
            "overhang, padding not counted": case(
                (2, 3, 6, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False
            ),
            "overhang beyond the padding": case((1, 2, 5, 8), kernel_size=(4, 3), stride=3, padding=1, ceil_mode=True),
            "divisor": case((1, 2, 5, 8), kernel_size=2, divisor_override=3),
            "empty batch": case((0, 3, 6, 5), kernel_size=2),
        },
    ),
    Operation(
        name="adaptive_avg_pool2d",
        torch=torch_adaptive,
        cases=adaptive_cases(),
        faces={
            "kernel": adaptive_kernels,
            "function": by_autograd(lambda x, **options: ours.adaptive_avg_pool2d(x, **options)),
            "layer": by_layer(lambda call: nn.AdaptiveAvgPool2d(**call.options)),
        },
        proves=(
            "kernels.adaptive_avg_pool2d",
            "kernels.adaptive_avg_pool2d_backward",
            "functional.adaptive_avg_pool2d",
            "nn.AdaptiveAvgPool2d",
            "AdaptiveAvgPool2d",
        ),
        roundings=pixels,
        examples={
            "to one pixel": case((2, 3, 7, 5), output_size=1),
            "overlapping windows": case((2, 3, 7, 5), output_size=(4, 3)),
            "more windows than pixels": case((2, 3, 2, 3), output_size=(5, 7)),
        },
    ),
    Operation(
        name="global_avg_pool2d",
        torch=torch_global,
        cases=global_cases(),
        faces={
            "kernel": global_kernels,
            "function": by_autograd(lambda x: ours.global_avg_pool2d(x)),
            "layer": by_layer(lambda call: nn.GlobalAvgPool2d()),
        },
        proves=(
            "kernels.global_avg_pool2d",
            "kernels.global_avg_pool2d_backward",
            "functional.global_avg_pool2d",
            "nn.GlobalAvgPool2d",
            "GlobalAvgPool2d",
        ),
        roundings=pixels,
        examples={"large planes": case((2, 5, 57, 43), "positive")},
    ),
]
