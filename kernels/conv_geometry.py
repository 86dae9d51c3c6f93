"""The geometry of a 2-D convolution: arguments checked once, and turned into integers.

Every convolution kernel, in every home, resolves its arguments here. So all of them accept the same calls and
refuse the same calls with the same words, before any arithmetic.
"""

import functools
from dataclasses import dataclass

import numpy as np

from . import checks
from .arrays import array_module
from .layout import to_nhwc
from .window import effective_size, output_size, same_padding, tap_slice

# IEEE 754 answers (infinity, NaN) are answers, not accidents: decorates kernels so that NumPy does not warn.
quiet = np.errstate(over="ignore", under="ignore", invalid="ignore")


@dataclass(frozen=True)
class ConvGeometry:
    """Where the windows of a convolution land. Pairs are (for height, for width).

    Attributes:
        x_shape: (N, C, H, W) of the input.
        kernel_size, stride, dilation: (KH, KW), (SH, SW), (DH, DW).
        padding: ((top, bottom), (left, right)), the zeros around each image.
        output_size: (OH, OW).
    """

    x_shape: tuple
    kernel_size: tuple
    stride: tuple
    dilation: tuple
    padding: tuple
    output_size: tuple

    @property
    def padded_size(self):
        """(HP, WP), height and width of the zero-padded image."""
        (top, bottom), (left, right) = self.padding
        return self.x_shape[2] + top + bottom, self.x_shape[3] + left + right

    @property
    def interior(self):
        """Two slices that cut the image out of the padded image."""
        (top, _), (left, _) = self.padding
        return slice(top, top + self.x_shape[2]), slice(left, left + self.x_shape[3])

    def taps(self):
        """Yield `(i, j, rows, columns)` for every kernel tap, in row-major order.

        `padded[:, rows, columns]`, of shape (N, OH, OW, C), is what tap (i, j) of all windows reads.
        """
        for i in range(self.kernel_size[0]):
            rows = tap_slice(i, self.stride[0], self.dilation[0], self.output_size[0])
            for j in range(self.kernel_size[1]):
                yield i, j, rows, tap_slice(j, self.stride[1], self.dilation[1], self.output_size[1])


def conv_geometry(name, x_shape, kernel_size, stride, padding, dilation, argument="x"):
    """Check the arguments of a sliding window and return the `ConvGeometry`.

    Args:
        name: the kernel's name, for error messages.
        x_shape: (N, C, H, W); N may be 0.
        kernel_size, stride, dilation: positive int or pair.
        padding: non-negative int or pair, "valid" (none), or "same": the output keeps the input's size, stride
            must be 1, and where the total is odd the extra zero goes after the image, as in PyTorch.
        argument: what the caller calls `x_shape`.

    Raises:
        TypeError, ValueError: naming the argument.
    """
    x_shape = checks.sizes(name, argument, x_shape, "(N, C, H, W)", (0, 1, 1, 1))
    kernel_size = checks.pair(name, "kernel_size", kernel_size, 1)
    stride = checks.pair(name, "stride", stride, 1)
    dilation = checks.pair(name, "dilation", dilation, 1)
    if not isinstance(padding, str):
        padding = tuple((both, both) for both in checks.pair(name, "padding", padding, 0))
    elif padding == "valid":
        padding = ((0, 0), (0, 0))
    elif padding == "same":
        if stride != (1, 1):
            raise ValueError(f'{name}: padding="same" needs stride 1, got stride {stride}')
        padding = tuple(same_padding(*axis) for axis in zip(kernel_size, dilation, strict=True))
    else:
        raise ValueError(f'{name}: padding must be "same", "valid", an integer or a pair, got {padding!r}')

    axes = list(zip(x_shape[2:], kernel_size, stride, padding, dilation, strict=True))
    output = tuple(output_size(size, k, s, *ends, d) for size, k, s, ends, d in axes)
    geometry = ConvGeometry(x_shape, kernel_size, stride, dilation, padding, output)
    span = tuple(effective_size(k, d) for k, d in zip(kernel_size, dilation, strict=True))
    if any(spanned > size for spanned, size in zip(span, geometry.padded_size, strict=True)):
        raise ValueError(
            f"{name}: a kernel that spans {span} pixels (kernel_size {kernel_size}, dilation {dilation}) "
            f"does not fit the padded input of {geometry.padded_size} pixels"
        )
    return geometry


def _remembered(check, known={}):  # noqa: B006 - shared on purpose: what was found before
    """Remember the geometry of calls that passed `check`: a network makes the same calls again and again.

    They are told apart by how their arguments print, because 1, 1.0 and True are equal, and only 1 is accepted.
    """

    @functools.wraps(check)
    def find(*arguments, **names):
        key = check, repr((arguments, names))
        if key not in known:
            result = check(*arguments, **names)
            if len(known) >= 4096:
                known.clear()
            known[key] = result
        return known[key]

    return find


@_remembered
def conv2d_geometry(name, x_shape, weight_shape, stride, padding, dilation, groups, **arguments):
    """Check the arguments of a grouped convolution; return `(ConvGeometry, groups)`.

    `weight_shape` is (O, C / groups, KH, KW). `arguments` may say what the caller calls the shapes.
    Raises TypeError or ValueError, naming the argument.
    """
    x_argument, weight_argument = arguments.get("x", "x"), arguments.get("weight", "weight")
    x_shape = checks.sizes(name, x_argument, x_shape, "(N, C, H, W)", (0, 1, 1, 1))
    weight_shape = checks.sizes(name, weight_argument, weight_shape, "(O, C / groups, KH, KW)", (1, 1, 1, 1))
    groups = checks.integer(name, "groups", groups)
    if groups < 1:
        raise ValueError(f"{name}: groups must be positive, got {groups}")
    if weight_shape[1] * groups != x_shape[1]:
        raise ValueError(
            f"{name}: {weight_argument} expects {weight_shape[1] * groups} input channels "
            f"(weight.shape[1] * groups), input has {x_shape[1]}"
        )
    if weight_shape[0] % groups:
        raise ValueError(
            f"{name}: groups must divide the {weight_shape[0]} output channels (weight.shape[0]), got {groups}"
        )
    return conv_geometry(name, x_shape, weight_shape[2:], stride, padding, dilation, x_argument), groups


@_remembered
def depthwise_geometry(name, x_shape, weight_shape, stride, padding, dilation, **arguments):
    """Check the arguments of a depthwise convolution; return `(ConvGeometry, depth multiplier M)`.

    `weight_shape` is (C * M, 1, KH, KW). `arguments` may say what the caller calls the shapes.
    Raises TypeError or ValueError, naming the argument.
    """
    x_argument, weight_argument = arguments.get("x", "x"), arguments.get("weight", "weight")
    channels = checks.sizes(name, x_argument, x_shape, "(N, C, H, W)", (0, 1, 1, 1))[1]
    weight_shape = checks.sizes(name, weight_argument, weight_shape, "(C * M, 1, KH, KW)", (1, 1, 1, 1))
    if weight_shape[1] != 1 or weight_shape[0] % channels:
        raise ValueError(
            f"{name}: {weight_argument} must have shape (C * M, 1, KH, KW) with C = {channels} input channels, "
            f"got {weight_shape}"
        )
    geometry = conv_geometry(name, x_shape, weight_shape[2:], stride, padding, dilation, x_argument)
    return geometry, weight_shape[0] // channels


def separable_geometry(name, x_shape, depthwise_shape, pointwise_shape, stride, padding, dilation):
    """Check the arguments of a separable convolution; return the `ConvGeometry` of its depthwise half.

    `depthwise_shape` is (C * M, 1, KH, KW), `pointwise_shape` (O, C * M, 1, 1).
    Raises TypeError or ValueError, naming the argument.
    """
    geometry, _ = depthwise_geometry(
        name, x_shape, depthwise_shape, stride, padding, dilation, weight="depthwise_weight"
    )
    checks.sizes(name, "pointwise_weight", pointwise_shape, "(O, C * M, 1, 1)", (0, 0, 0, 0))
    expected = (max(pointwise_shape[0], 1), depthwise_shape[0], 1, 1)
    if tuple(pointwise_shape) != expected:
        raise ValueError(
            f"{name}: pointwise_weight must have shape {expected} "
            f"((O, C * M, 1, 1), C * M = depthwise_weight.shape[0]), got {pointwise_shape}"
        )
    return geometry


def check_grad_output(name, grad_output, geometry, channels):
    """Require the shape of the convolution's output, (N, O, OH, OW)."""
    expected = (geometry.x_shape[0], channels, *geometry.output_size)
    checks.shape(name, "grad_output", grad_output, expected, "the shape of the output")


def check_add_to(name, add_to, grad_output, x_shape):
    """Require the sum so far to be None, or an array of the input's shape and the gradient's dtype."""
    if add_to is not None:
        checks.floating(name, grad_output=grad_output, add_to=add_to)
        checks.shape(name, "add_to", add_to, x_shape, "the shape of the input")


def pad_images(x, geometry):
    """Return `x` (N, C, H, W) with its zero padding as a contiguous (N, HP, WP, C).

    Copies only if there is something to pad or `x` is not channels-last in memory.
    """
    xp = array_module(x)
    if geometry.padded_size == x.shape[2:]:
        return xp.ascontiguousarray(to_nhwc(x))
    padded = xp.zeros((x.shape[0], *geometry.padded_size, x.shape[1]), x.dtype)
    padded[:, *geometry.interior] = to_nhwc(x)
    return padded


def image_chunks(count, bytes_per_image, bytes_per_chunk):
    """Yield slices that cut `count` images into chunks whose working memory stays in the processor's cache."""
    step = max(1, bytes_per_chunk // bytes_per_image)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
