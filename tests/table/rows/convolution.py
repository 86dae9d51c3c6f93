"""Convolution: the full and the grouped one, im2col, and the gradients of all."""

import math

import torch.nn.functional as F
from hypothesis import strategies as st

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Numbers, both, int_or_pair, maybe, numbers, seeds
from ..operation import Operation, kernel_face

IMAGE_KINDS = ("normal", "ties", "mixed", "nonfinite", "subnormal")


@st.composite
def windows(draw, largest_kernel=5, same=True):
    """(sizes, kernel_size, options): rectangles, 1xn kernels, strides beyond the kernel, dilation with padding.

    At least one window fits; the stride mostly does not divide what is left.
    """
    kernel_size = draw(st.tuples(st.integers(1, largest_kernel), st.integers(1, largest_kernel)))
    dilation = draw(int_or_pair(1, 3))
    named = st.sampled_from(["same", "valid"])
    padding = draw(st.one_of(named, int_or_pair(0, 4)) if same else int_or_pair(0, 4))
    stride = draw(st.sampled_from([1, (1, 1)]) if padding == "same" else int_or_pair(1, 6))
    sizes = []
    for axis in range(2):
        span = both(dilation)[axis] * (kernel_size[axis] - 1) + 1
        zeros = {"valid": 0, "same": span - 1}[padding] if isinstance(padding, str) else 2 * both(padding)[axis]
        sizes.append(max(1, span - zeros) + draw(st.integers(0, 7)))
    return tuple(sizes), kernel_size, {"stride": stride, "padding": padding, "dilation": dilation}


@st.composite
def conv_cases(draw):
    groups = draw(st.integers(1, 4))
    inputs, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    sizes, kernel_size, options = draw(windows())
    return Case(
        {
            "x": draw(numbers((draw(st.integers(0, 3)), inputs, *sizes), *IMAGE_KINDS)),
            "weight": draw(numbers((outputs, inputs // groups, *kernel_size))),
            "bias": draw(maybe(numbers((outputs,)))),
        },
        options | {"groups": groups},
        seed=draw(seeds),
    )


def conv_case(x, weight, bias=True, **options):
    """A named case from its shapes."""
    inputs = {"x": Numbers(x, seed=1), "weight": Numbers(weight, seed=2)}
    return Case(inputs | {"bias": Numbers(weight[:1], seed=3) if bias else None}, options, seed=4)


@kernel_face
def conv2d_kernels(k, call):
    x, weight, bias = (call.inputs[name] for name in ("x", "weight", "bias"))
    output = k.conv2d(x, weight, bias, **call.options)
    g = call.cotangent(output.shape)
    found = {
        "output": output,
        "grad x": k.conv2d_backward_input(g, weight, x.shape, **call.options),
        "grad weight": k.conv2d_backward_weight(g, x, weight.shape, **call.options),
    }
    return found if bias is None else found | {"grad bias": k.conv2d_backward_bias(g)}


def overflow(x, weight):
    """Every product is too large for float32."""
    inputs = {"x": Numbers(x, "huge"), "weight": Numbers(weight, "huge"), "bias": Numbers(weight[:1], seed=3)}
    return Case(inputs, {"padding": 1}, cotangent="huge")


def conv2d_layer(call):
    out_channels, channels, *kernel_size = call.inputs["weight"].shape
    groups = call.options["groups"] if "groups" in call.options else 1
    return nn.Conv2d(
        channels * groups, out_channels, tuple(kernel_size), bias=call.inputs["bias"] is not None, **call.options
    )


@st.composite
def im2col_cases(draw):
    sizes, kernel_size, options = draw(windows())
    shape = (draw(st.integers(0, 3)), draw(st.integers(1, 4)), *sizes)
    return Case({"x": draw(numbers(shape, *IMAGE_KINDS))}, options | {"kernel_size": kernel_size}, seed=draw(seeds))


def zeros_around(kernel_size, padding, dilation):
    """(left, right, top, bottom): as many zeros as a padding stands for, of "same" the odd one at the end."""
    if padding == "valid":
        return 0, 0, 0, 0
    if padding != "same":
        return both(padding)[1], both(padding)[1], both(padding)[0], both(padding)[0]
    height, width = (both(dilation)[axis] * (kernel_size[axis] - 1) for axis in range(2))
    return width // 2, width - width // 2, height // 2, height - height // 2


def torch_unfold(x, kernel_size, stride, padding, dilation):
    """torch's unfold, (N, C*KH*KW, L), in the order of im2col: (N*L, KH*KW*C)."""
    n, c, taps = x.shape[0], x.shape[1], math.prod(kernel_size)
    columns = F.unfold(F.pad(x, zeros_around(kernel_size, padding, dilation)), kernel_size, dilation, 0, stride)
    return columns.reshape(n, c, taps, columns.shape[2]).permute(0, 3, 2, 1).reshape(-1, taps * c)


def im2col_case(x, kernel_size, stride=1, padding=0, dilation=1):
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    return Case({"x": Numbers(x, seed=1)}, options, seed=2)


@kernel_face
def im2col_kernels(k, call):
    x = call.inputs["x"]
    columns = k.im2col(x, **call.options)
    return {"output": columns, "grad x": k.col2im(call.cotangent(columns.shape), x.shape, **call.options)}


ROWS = [
    Operation(
        name="conv2d",
        torch=lambda x, **arguments: F.conv2d(x, **arguments),
        cases=conv_cases(),
        faces={
            "kernel": conv2d_kernels,
            "function": by_autograd(lambda x, **arguments: ours.conv2d(x, **arguments)),
            "layer": by_layer(conv2d_layer),
        },
        proves=(
            "kernels.conv2d",
            "kernels.conv2d_backward_input",
            "kernels.conv2d_backward_weight",
            "kernels.conv2d_backward_bias",
            "functional.conv2d",
            "nn.Conv2d",
            "Conv2d",
        ),
        examples={
            "one pixel": conv_case((1, 1, 1, 1), (1, 1, 1, 1)),
            "one pixel, padded": conv_case((2, 3, 1, 1), (4, 3, 3, 3), padding=1),
            "one row": conv_case((2, 3, 1, 8), (4, 3, 1, 3), padding=(0, 1)),
            "one column": conv_case((2, 3, 8, 1), (4, 3, 3, 1), padding=(1, 0)),
            "kernel as large as the image": conv_case((2, 3, 4, 5), (6, 3, 4, 5)),
            "pointwise": conv_case((3, 8, 4, 6), (5, 8, 1, 1), bias=False),
            "pointwise, strided": conv_case((3, 8, 5, 6), (5, 8, 1, 1), stride=2),
            "pointwise, padded": conv_case((3, 8, 5, 6), (5, 8, 1, 1), padding=(0, 2)),
            "pointwise, grouped": conv_case((3, 8, 5, 6), (6, 4, 1, 1), groups=2),
            "1x7": conv_case((2, 3, 9, 9), (4, 3, 1, 7), padding=(0, 3)),
            "7x1": conv_case((2, 3, 9, 9), (4, 3, 7, 1), padding=(3, 0)),
            "stride that does not divide": conv_case((2, 3, 8, 11), (4, 3, 3, 3), stride=(2, 3)),
            "stride beyond the kernel": conv_case((2, 3, 11, 13), (4, 3, 2, 3), stride=(5, 4)),
            "padding beyond the kernel": conv_case((2, 3, 3, 4), (4, 3, 2, 2), padding=3),
            "dilation and padding": conv_case((2, 3, 9, 8), (4, 3, 3, 3), padding=(2, 3), dilation=(2, 3)),
            "everything at once": conv_case(
                (3, 6, 10, 13), (9, 2, 3, 2), stride=(2, 3), padding=(1, 2), dilation=(2, 3), groups=3
            ),
            "same, odd": conv_case((2, 3, 6, 7), (4, 3, 3, 5), padding="same"),
            "same, even": conv_case((2, 3, 6, 7), (4, 3, 2, 4), padding="same"),
            "same, even and dilated": conv_case((2, 3, 6, 7), (4, 3, 4, 2), padding="same", dilation=(1, 3)),
            "valid, strided": conv_case((2, 3, 6, 7), (4, 3, 2, 4), padding="valid", stride=2),
            "groups": conv_case((2, 8, 5, 6), (12, 2, 3, 3), padding=1, groups=4),
            "as many groups as channels": conv_case((2, 4, 5, 6), (4, 1, 3, 3), padding=1, groups=4),
            "as many groups as channels, multiplied": conv_case((2, 4, 5, 6), (12, 1, 3, 3), padding=1, groups=4),
            "groups of many outputs": conv_case((2, 4, 5, 6), (270, 2, 3, 2), padding=1, groups=2),
            "groups of many channels": conv_case((2, 140, 5, 4), (4, 70, 3, 2), padding=1, stride=(2, 1), groups=2),
            "empty batch": conv_case((0, 3, 5, 6), (4, 3, 3, 3), padding=1),
            "images beyond one chunk": conv_case((5, 24, 33, 31), (8, 24, 3, 3), padding=1),
            "few channels, many outputs": conv_case((3, 3, 17, 15), (70, 3, 3, 3), padding=1, stride=2),
            "few channels read in place": conv_case((2, 4, 40, 37), (9, 4, 5, 3), dilation=(1, 2)),
            "long sums": conv_case((2, 96, 12, 13), (33, 96, 3, 3), padding=1),
            "large groups": conv_case((2, 40, 10, 13), (140, 20, 3, 3), padding=(1, 0), groups=2),
            "infinities and NaN": Case(
                {"x": Numbers((2, 3, 5, 6), "nonfinite", 1), "weight": Numbers((4, 3, 3, 3), seed=2), "bias": None},
                seed=4,
            ),
            "overflow": overflow((2, 3, 4, 5), (4, 3, 3, 3)),
        },
    ),
    Operation(
        name="im2col",
        torch=torch_unfold,
        cases=im2col_cases(),
        faces={"kernel": im2col_kernels},
        proves=("kernels.im2col", "kernels.col2im"),
        roundings=lambda call, results: {"output": 0, "grad x": math.prod(call.options["kernel_size"])},
        examples={
            "one pixel, padded": im2col_case((2, 3, 1, 1), (3, 3), padding=1),
            "pointwise": im2col_case((2, 3, 4, 5), (1, 1)),
            "pixels that no window reads": im2col_case((2, 3, 11, 13), (2, 3), stride=(5, 4)),
            "everything at once": im2col_case((3, 6, 10, 13), (3, 2), (2, 3), (1, 2), (2, 3)),
            "same, even and dilated": im2col_case((2, 3, 6, 7), (4, 2), padding="same", dilation=(1, 3)),
            "valid, strided": im2col_case((2, 3, 6, 7), (2, 4), stride=2, padding="valid"),
            "empty batch": im2col_case((0, 3, 5, 6), (3, 3), padding=1),
        },
    ),
]
