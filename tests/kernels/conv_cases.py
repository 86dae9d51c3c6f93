"""Random convolutions for the property tests, and torch's answers to them in float64."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from hypothesis import strategies as st

from tests.compare import assert_close, torch_grads
from tests.kernels.inputs import LAYOUTS, in_layout


@dataclass(frozen=True)
class ConvCase:
    """One convolution call: the arguments as the kernels take them, and how the arrays lie in memory."""

    x_shape: tuple
    weight_shape: tuple
    stride: int | tuple = 1
    padding: int | tuple | str = 0
    dilation: int | tuple = 1
    groups: int = 1
    dtype: type = np.float64
    layout: str = "contiguous"
    chunk_bytes: int = 2**20
    seed: int = 0

    @property
    def sliding(self):
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}

    def random(self, shape, salt):
        """Standard normal numbers, read-only, in the case's dtype and layout. `salt` tells arrays apart."""
        array = np.random.default_rng([self.seed, salt]).standard_normal(shape).astype(self.dtype)
        if array.ndim == 4:
            array = in_layout(array, self.layout)
        array.flags.writeable = False
        return array

    def arrays(self):
        """(x, weight, bias)."""
        return (
            self.random(self.x_shape, 1),
            self.random(self.weight_shape, 2),
            self.random(self.weight_shape[:1], 3),
        )

    def cotangent(self, shape):
        return self.random(shape, 4)


def int_or_pair(smallest, largest):
    number = st.integers(smallest, largest)
    return st.one_of(number, st.tuples(number, number))


def _both(value):
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def conv_cases(draw, depthwise=False):
    """Rectangles, single pixels, kernels 1xn and nx1, strides beyond the kernel, dilation, padding, groups."""
    groups = draw(st.integers(1, 4))
    channels_per_group = 1 if depthwise else draw(st.integers(1, 3))
    outputs = groups * draw(st.integers(1, 3))
    kernel_size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    dilation = draw(int_or_pair(1, 3))
    padding = draw(st.one_of(st.sampled_from(["same", "valid"]), int_or_pair(0, 4)))
    stride = draw(st.sampled_from([1, (1, 1)]) if padding == "same" else int_or_pair(1, 6))
    sizes = []
    for axis in range(2):
        span = _both(dilation)[axis] * (kernel_size[axis] - 1) + 1
        zeros = {"valid": 0, "same": span - 1}[padding] if isinstance(padding, str) else 2 * _both(padding)[axis]
        sizes.append(max(1, span - zeros) + draw(st.integers(0, 7)))
    return ConvCase(
        x_shape=(draw(st.integers(0, 3)), groups * channels_per_group, *sizes),
        weight_shape=(outputs, channels_per_group, *kernel_size),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        dtype=draw(st.sampled_from([np.float32, np.float64])),
        layout=draw(st.sampled_from(LAYOUTS)),
        chunk_bytes=draw(st.sampled_from([1, 1000, 2**20])),
        seed=draw(st.integers(0, 1000)),
    )


NAMED_CASES = {
    "rectangle": ConvCase((2, 3, 5, 9), (4, 3, 3, 2)),
    "one pixel": ConvCase((1, 1, 1, 1), (1, 1, 1, 1)),
    "one pixel, padded": ConvCase((2, 3, 1, 1), (4, 3, 3, 3), padding=1),
    "one row": ConvCase((2, 3, 1, 8), (4, 3, 1, 3), padding=(0, 1)),
    "kernel as large as the image": ConvCase((2, 3, 4, 5), (6, 3, 4, 5)),
    "pointwise": ConvCase((3, 8, 4, 6), (5, 8, 1, 1)),
    "pointwise, channels last": ConvCase((3, 8, 4, 6), (5, 8, 1, 1), layout="channels last"),
    "pointwise, strided": ConvCase((3, 8, 5, 6), (5, 8, 1, 1), stride=2, layout="channels last"),
    "pointwise, padded": ConvCase((3, 8, 5, 6), (5, 8, 1, 1), padding=(0, 2)),
    "pointwise, grouped": ConvCase((3, 8, 5, 6), (6, 4, 1, 1), groups=2, layout="channels last"),
    "1x7": ConvCase((2, 3, 9, 9), (4, 3, 1, 7), padding=(0, 3)),
    "7x1": ConvCase((2, 3, 9, 9), (4, 3, 7, 1), padding=(3, 0)),
    "stride that does not divide": ConvCase((2, 3, 8, 11), (4, 3, 3, 3), stride=(2, 3)),
    "stride beyond the kernel": ConvCase((2, 3, 11, 13), (4, 3, 2, 3), stride=(5, 4)),
    "padding beyond the kernel": ConvCase((2, 3, 3, 4), (4, 3, 2, 2), padding=3),
    "dilation and padding": ConvCase((2, 3, 9, 8), (4, 3, 3, 3), padding=(2, 3), dilation=(2, 3)),
    "everything at once": ConvCase((3, 6, 10, 13), (9, 2, 3, 2), (2, 3), (1, 2), (2, 3), groups=3),
    "same, odd": ConvCase((2, 3, 6, 7), (4, 3, 3, 5), padding="same"),
    "same, even": ConvCase((2, 3, 6, 7), (4, 3, 2, 4), padding="same"),
    "same, even and dilated": ConvCase((2, 3, 6, 7), (4, 3, 4, 2), padding="same", dilation=(1, 3)),
    "valid, strided": ConvCase((2, 3, 6, 7), (4, 3, 2, 4), padding="valid", stride=2),
    "groups": ConvCase((2, 8, 5, 6), (12, 2, 3, 3), padding=1, groups=4),
    "groups of one channel": ConvCase((2, 4, 5, 6), (4, 1, 3, 3), padding=1, groups=4),
    "groups of one channel, multiplied": ConvCase((2, 4, 5, 6), (12, 1, 3, 3), padding=1, groups=4),
    "empty batch": ConvCase((0, 3, 5, 6), (4, 3, 3, 3), padding=1),
    "fortran": ConvCase((3, 4, 5, 6), (4, 2, 3, 3), 2, 1, groups=2, layout="fortran"),
    "sliced": ConvCase((3, 4, 5, 6), (4, 2, 3, 3), 2, 1, groups=2, layout="sliced"),
    "negative strides": ConvCase((3, 4, 5, 6), (4, 2, 3, 3), 2, 1, groups=2, layout="reversed"),
    "one image per chunk": ConvCase((5, 3, 6, 7), (4, 3, 3, 3), 1, 1, chunk_bytes=1),
    "last chunk shorter": ConvCase((5, 1, 4, 4), (1, 1, 3, 3), padding=1, chunk_bytes=2500),
    "float32": ConvCase((2, 16, 9, 10), (8, 16, 3, 3), padding=1, dtype=np.float32),
    "float32, sliced": ConvCase((2, 16, 9, 10), (8, 16, 3, 3), padding=1, dtype=np.float32, layout="sliced"),
}


def torch_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """torch's conv2d, without its warning that an uneven "same" padding costs a copy."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


class TorchAnswers:
    """torch's output and gradients in float64, with a bound on the rounding error of the same sums.

    Each number is a sum of products, and its rounding error is a small multiple of eps times the same sum taken
    over magnitudes (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1). Feeding magnitudes
    to the same function gives those sums. `cotangent` is a function of the output's shape.
    """

    def __init__(self, function, cotangent, *arrays):
        # In C order: torch 2.13's float64 convolution may give a wrong weight gradient for channels-last input.
        doubles = [array.astype(np.float64, order="C") for array in arrays]
        self.dtype = arrays[0].dtype

        def wide(shape):
            return cotangent(shape).astype(np.float64, order="C")

        def wide_magnitude(shape):
            return np.abs(wide(shape))

        self.output, self.gradients = torch_grads(function, wide, *doubles)
        self.output_bound, self.gradient_bounds = torch_grads(function, wide_magnitude, *map(np.abs, doubles))

    def check_output(self, actual):
        self._check(actual, self.output, self.output_bound)

    def check_gradients(self, *actual):
        for got, expected, bound in zip(actual, self.gradients, self.gradient_bounds, strict=True):
            self._check(got, expected, bound)

    def _check(self, actual, expected, bound):
        assert_close(actual, expected.astype(self.dtype), scale=bound.max(initial=0))


def conv_answers(case):
    """torch's answers for conv2d with bias: gradients by x, weight and bias."""

    def function(x, weight, bias):
        return torch_conv2d(x, weight, bias, **case.sliding, groups=case.groups)

    return TorchAnswers(function, case.cotangent, *case.arrays())
