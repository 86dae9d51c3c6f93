"""Which algorithm each pass of a convolution takes on the CPU. The choice can be printed, and overridden.

    >>> print(plan_convolution((32, 64, 32, 32), (192, 64, 3, 3), padding=1))
    forward:         Winograd, squares of 2 x 2 outputs
    input gradient:  Winograd, squares of 2 x 2 outputs
    weight gradient: Winograd, squares of 2 x 2 outputs

There are two. *Direct*: tiles that read the windows in place (`correlation.py`, `weight_gradient.py`), for everything.
*Winograd* (`winograd.py`): for float32 kernels of 3x3 with stride 1, and enough channels and pixels to make up for the
transformations. `minception.set_winograd` says how large its squares may be.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..conv_geometry import conv2d_geometry
from ..settings import get_winograd
from .axis import axes_of, forward_axes, gradient_axes
from .correlation import correlate
from .packing import pack, padded_bias
from .weight_gradient import correlate_weights
from .winograd import correlate_squares, correlate_weights_squares, transform_kernels

__all__ = [
    "ConvolutionPlan", "pack_weights", "plan_convolution", "run_correlation", "run_packed", "run_weights",
    "squares_for",
]  # fmt: skip

FEWEST_CHANNELS = 32  # of input and of output: below, the transformations cost more than they save
# So many weights (without their taps) cost as much to transform as one square of outputs saves, measured; and so many
# gradients of weights.
WEIGHTS_FOR_A_SQUARE, GRADIENTS_FOR_A_SQUARE = 720, 1500
FEWEST_SQUARES = 32  # for weights that are transformed already: there are 16/9 as many to read, or 4 times


def _squares(rows, columns, channels, outputs, dtype, images=None, worth=None):
    """Width of the squares for a correlation of so many images; 0 for the direct algorithm.

    images: None if the transformed weights will be used again and again.
    """
    fitting = all(len(axis.taps) == 3 and axis.adjacent() and axis.stride == axis.step == 1 for axis in (rows, columns))
    if not fitting or dtype != np.float32 or min(channels, outputs) < FEWEST_CHANNELS:
        return 0
    if images is not None:
        squares = images * -(-rows.count // 2) * -(-columns.count // 2)
        if squares * (worth or WEIGHTS_FOR_A_SQUARE) < channels * outputs:
            return 0
    return get_winograd()


class PackedWeights(NamedTuple):
    """Weights in the order in which an algorithm reads them."""

    squares: int  # the width of Winograd's squares, 0 for the direct algorithm
    values: np.ndarray
    outputs: int


def squares_for(images, weight, rows, columns):
    """Width of Winograd's squares for so many images and prepared weights; 0 for the direct algorithm."""
    width = _squares(rows, columns, weight.shape[1], weight.shape[0], weight.dtype)
    few = width and images * -(-rows.count // width) * -(-columns.count // width) < FEWEST_SQUARES
    return 0 if few else width


def pack_weights(weight, rows, columns, squares):
    """Weights (outputs, channels, KH, KW) for Winograd's squares of this width, or 0 for the direct algorithm."""
    outputs, channels = weight.shape[:2]
    packed = pack(weight, rows, columns)
    values = transform_kernels(squares, packed, channels, outputs) if squares else packed
    return PackedWeights(squares, values, outputs)


def run_packed(x, weights, bias, rows, columns, output, accumulate=False, floor=-np.inf):
    """`correlation.correlate` by the algorithm that the PackedWeights are for. bias: padded, `padded_bias`."""
    squares, values, outputs = weights
    if squares:
        correlate_squares(squares, x, values, bias, outputs, rows, columns, output, accumulate, floor)
    else:
        correlate(x, values, bias, outputs, rows, columns, output, accumulate, floor)


def run_correlation(x, weight, bias, rows, columns, output, accumulate=False):
    """`run_packed` with weights (outputs, channels, KH, KW) and a bias (outputs,) or None as they are."""
    bias = padded_bias(bias, weight.shape[0], x.dtype)
    squares = _squares(rows, columns, *weight.shape[1::-1], weight.dtype, len(x))
    run_packed(x, pack_weights(weight, rows, columns, squares), bias, rows, columns, output, accumulate)


def run_weights(x, grad, rows, columns, out):
    """`weight_gradient.correlate_weights` by the algorithm that the plan chooses."""
    squares = _squares(rows, columns, x.shape[1], grad.shape[1], x.dtype, len(x), GRADIENTS_FOR_A_SQUARE)
    if squares:
        correlate_weights_squares(squares, x, grad, rows, columns, out)
    else:
        correlate_weights(x, grad, rows, columns, out)


@dataclass(frozen=True)
class ConvolutionPlan:
    """The algorithms of the three passes: the width of Winograd's squares, or 0 for the direct algorithm."""

    forward: int
    backward_input: int
    backward_weight: int

    def __str__(self):
        lines = []
        for name, squares in (
            ("forward", self.forward),
            ("input gradient", self.backward_input),
            ("weight gradient", self.backward_weight),
        ):
            text = f"Winograd, squares of {squares} x {squares} outputs" if squares else "direct"
            lines.append(f"{name + ':':17}{text}")
        return "\n".join(lines)


def plan_convolution(x_shape, weight_shape, stride=1, padding=0, dilation=1, groups=1, dtype=np.float32):
    """The plan for a convolution of images `x_shape` with filters `weight_shape`; arguments as `conv2d`.

    Raises TypeError or ValueError as `conv2d`.
    """
    geometry, groups = conv2d_geometry("plan_convolution", x_shape, weight_shape, stride, padding, dilation, groups)
    forward = forward_axes(geometry)
    backward = [gradient_axes(*axis, size) for axis, size in zip(axes_of(geometry), geometry.x_shape[2:], strict=True)]
    channels, outputs = weight_shape[1], weight_shape[0] // groups
    images = x_shape[0]
    ahead = _squares(*forward, channels, outputs, dtype, images)
    classes = [classes[0] for classes in backward]
    back = _squares(*classes, outputs, channels, dtype, images) if None not in classes else 0
    return ConvolutionPlan(
        ahead, back, _squares(*forward, channels, outputs, dtype, images, GRADIENTS_FOR_A_SQUARE)
    )
