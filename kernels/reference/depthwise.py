"""Depthwise and depthwise separable convolution.

A depthwise convolution filters every channel on its own: with depth multiplier M, output channel c * M + m reads
input channel c only,

    output[n, c*M + m, oh, ow] = bias[c*M + m] + sum over i, j of
        weight[c*M + m, 0, i, j] * padded[n, c, oh * SH + i * DH, ow * SW + j * DW]

which is `conv2d` with groups = C. As C matrix products it would be slow: each has only M columns, too few to repay
the writing out of its windows. So the sum is turned inside out. What all windows read through one kernel tap (i, j)
is one shifted, strided slice of the padded image, and the convolution is KH * KW multiply-adds of whole arrays.
With P_ij that slice, P_ij[n, oh, ow, c] = padded[n, c, oh*SH + i*DH, ow*SW + j*DW], of shape (N, OH, OW, C), and
w_ij the (C,) weights of the tap (written for M = 1):

    forward            Y     = sum over taps of P_ij * w_ij + b         w_ij spreads over all pixels
    input gradient     dP_ij += dY * w_ij                               slices overlap, so they add up
    weight gradient    dw_ij = sum over n, oh, ow of P_ij * dY          sums over all N * OH * OW pixels

For M > 1 every input channel is first repeated M times, and its gradients are added up at the end.

A separable convolution is a depthwise one followed by a pointwise one (1x1, mixing the channels), with nothing
in between: KH*KW*C + C*O weights where a full convolution has KH*KW*C*O.

Sources: L. Sifre, "Rigid-Motion Scattering for Image Classification" (PhD thesis, 2014), which introduced them;
F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions" (2017), sections 1.2 and 2.
"""

from .. import checks
from ..arrays import array_module
from ..conv_geometry import (
    check_grad_output,
    depthwise_geometry,
    image_chunks,
    pad_images,
    quiet,
    separable_geometry,
)
from ..layout import empty_images, to_nhwc
from .conv import conv2d, conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight

__all__ = [
    "depthwise_conv2d",
    "depthwise_conv2d_backward_input",
    "depthwise_conv2d_backward_weight",
    "separable_conv2d",
    "separable_conv2d_backward",
]

CHUNK_BYTES = 512 << 10  # of padded images: all taps pass over one chunk while it is in the cache


@quiet
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Convolve every channel with M kernels of its own; equals `conv2d` with groups = C.

    Args:
        x: (N, C, H, W), float32 or float64, any strides.
        weight: (C * M, 1, KH, KW), dtype of `x`.
        bias: (C * M,), dtype of `x`, or None.
        stride, padding, dilation: as for `conv2d`.

    Returns:
        (N, C * M, OH, OW), channels-last; OH and OW as for `conv2d`.

    Raises:
        TypeError: arrays that are not of one float dtype, or a number that is not an integer.
        ValueError: shapes that do not fit each other, or a kernel that does not fit the padded input.

    Source: Sifre (2014); Chollet (2017), section 2.
    """
    name = "depthwise_conv2d"
    checks.floating(name, {"bias": bias}, x=x, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x.shape, weight.shape, stride, padding, dilation)
    if bias is not None:
        checks.shape(name, "bias", bias, weight.shape[:1], "one per output channel")
    xp = array_module(x)
    output = empty_images(xp, (x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    taps = _tap_rows(weight, geometry)  # (KH, KW, OW, C*M)
    for images in _chunks(geometry, weight.shape[0], x.dtype):
        padded = _pad_and_repeat(x[images], geometry, multiplier)  # (n, HP, WP, C*M)
        total = to_nhwc(output[images])  # (n, OH, OW, C*M), a view of the output
        total[...] = 0 if bias is None else bias
        product = xp.empty_like(total)
        for i, j, rows, columns in geometry.taps():
            xp.multiply(padded[:, rows, columns], taps[i, j], out=product)
            total += product
    return output


@quiet
def depthwise_conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1):
    """Gradient of the loss by the input of `depthwise_conv2d`: every tap adds dY * w_ij to the slice it read.

    Args:
        grad_output: (N, C * M, OH, OW), the gradient of the loss by the output; any strides.
        weight: (C * M, 1, KH, KW), dtype of `grad_output`.
        x_shape: (N, C, H, W) of the input.
        stride, padding, dilation: as given to `depthwise_conv2d`.

    Returns:
        (N, C, H, W), channels-last; zero where no window reads.

    Raises:
        TypeError, ValueError: as `depthwise_conv2d`; also a `grad_output` that does not have the output's shape.
    """
    name = "depthwise_conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, multiplier = depthwise_geometry(name, x_shape, weight.shape, stride, padding, dilation, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    xp = array_module(grad_output)
    grad_x = empty_images(xp, geometry.x_shape, grad_output.dtype)
    taps = _tap_rows(weight, geometry)  # (KH, KW, OW, C*M)
    for images in _chunks(geometry, weight.shape[0], grad_output.dtype):
        grad = xp.ascontiguousarray(to_nhwc(grad_output[images]))  # (n, OH, OW, C*M)
        grad_padded = xp.zeros((len(grad), *geometry.padded_size, weight.shape[0]), grad.dtype)
        product = xp.empty_like(grad)
        for i, j, rows, columns in geometry.taps():
            xp.multiply(grad, taps[i, j], out=product)
            grad_padded[:, rows, columns] += product
        interior = grad_padded[:, *geometry.interior]  # (n, H, W, C*M)
        total = to_nhwc(grad_x[images])  # (n, H, W, C), a view of the result
        total[...] = interior[..., 0::multiplier]
        for m in range(1, multiplier):
            total += interior[..., m::multiplier]
    return grad_x


@quiet
def depthwise_conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1):
    """Gradient of the loss by the weight of `depthwise_conv2d`: the sum of P_ij * dY over all N * OH * OW pixels.

    Args:
        grad_output: (N, C * M, OH, OW), the gradient of the loss by the output; any strides.
        x: (N, C, H, W), dtype of `grad_output`, any strides.
        weight_shape: (C * M, 1, KH, KW).
        stride, padding, dilation: as given to `depthwise_conv2d`.

    Returns:
        (C * M, 1, KH, KW), contiguous; zeros for an empty batch.

    Raises:
        TypeError, ValueError: as `depthwise_conv2d`; also a `grad_output` that does not have the output's shape.
    """
    name = "depthwise_conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, multiplier = depthwise_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, weight="weight_shape"
    )
    channels = weight_shape[0]
    check_grad_output(name, grad_output, geometry, channels)
    xp = array_module(x)
    grad_taps = xp.zeros((*geometry.kernel_size, channels), x.dtype)
    for images in _chunks(geometry, channels, x.dtype):
        padded = _pad_and_repeat(x[images], geometry, multiplier)  # (n, HP, WP, C*M)
        grad = xp.ascontiguousarray(to_nhwc(grad_output[images]))  # (n, OH, OW, C*M)
        for i, j, rows, columns in geometry.taps():
            # Short sums over the rows of pixels first: the rounding error grows with OW + OH + N, not the product.
            row_sums = xp.einsum("nhwc,nhwc->nhc", padded[:, rows, columns], grad)
            grad_taps[i, j] += row_sums.sum(axis=1).sum(axis=0)
    return xp.ascontiguousarray(grad_taps.transpose(2, 0, 1)[:, None])


def separable_conv2d(x, depthwise_weight, pointwise_weight, bias=None, stride=1, padding=0, dilation=1):
    """Depthwise convolution, then a 1x1 convolution over its channels: pointwise(depthwise(x)) + bias.

    Args:
        x: (N, C, H, W), float32 or float64, any strides.
        depthwise_weight: (C * M, 1, KH, KW), dtype of `x`.
        pointwise_weight: (O, C * M, 1, 1), dtype of `x`.
        bias: (O,), dtype of `x`, or None.
        stride, padding, dilation: of the depthwise convolution, as for `conv2d`.

    Returns:
        (N, O, OH, OW), channels-last; OH and OW as for `conv2d`.

    Raises:
        TypeError, ValueError: as `depthwise_conv2d`, for both weights.

    Source: Chollet (2017), section 2; no activation in between, section 4.7.
    """
    name = "separable_conv2d"
    checks.floating(name, {"bias": bias}, x=x, depthwise_weight=depthwise_weight, pointwise_weight=pointwise_weight)
    shapes = x.shape, depthwise_weight.shape, pointwise_weight.shape
    separable_geometry(name, *shapes, stride, padding, dilation)
    if bias is not None:
        checks.shape(name, "bias", bias, pointwise_weight.shape[:1], "one per output channel")
    features = depthwise_conv2d(x, depthwise_weight, None, stride, padding, dilation)  # (N, C*M, OH, OW)
    return conv2d(features, pointwise_weight, bias)


def separable_conv2d_backward(grad_output, x, depthwise_weight, pointwise_weight, stride=1, padding=0, dilation=1):
    """All gradients of `separable_conv2d`. The depthwise output is computed again rather than kept.

    Args:
        grad_output: (N, O, OH, OW), the gradient of the loss by the output; any strides.
        x, depthwise_weight, pointwise_weight, stride, padding, dilation: as given to `separable_conv2d`.

    Returns:
        (grad_x, grad_depthwise, grad_pointwise, grad_bias), of the shapes of `x`, `depthwise_weight`,
        `pointwise_weight` and (O,).

    Raises:
        TypeError, ValueError: as `separable_conv2d`; also a `grad_output` that does not have the output's shape.
    """
    name = "separable_conv2d_backward"
    checks.floating(
        name, grad_output=grad_output, x=x, depthwise_weight=depthwise_weight, pointwise_weight=pointwise_weight
    )
    shapes = x.shape, depthwise_weight.shape, pointwise_weight.shape
    geometry = separable_geometry(name, *shapes, stride, padding, dilation)
    check_grad_output(name, grad_output, geometry, pointwise_weight.shape[0])
    sliding = (stride, padding, dilation)
    features = depthwise_conv2d(x, depthwise_weight, None, *sliding)  # (N, C*M, OH, OW)
    grad_bias = conv2d_backward_bias(grad_output)
    grad_pointwise = conv2d_backward_weight(grad_output, features, pointwise_weight.shape)
    grad_features = conv2d_backward_input(grad_output, pointwise_weight, features.shape)
    grad_depthwise = depthwise_conv2d_backward_weight(grad_features, x, depthwise_weight.shape, *sliding)
    grad_x = depthwise_conv2d_backward_input(grad_features, depthwise_weight, x.shape, *sliding)
    return grad_x, grad_depthwise, grad_pointwise, grad_bias


def _chunks(geometry, channels, dtype):
    height, width = geometry.padded_size
    return image_chunks(geometry.x_shape[0], height * width * channels * dtype.itemsize, CHUNK_BYTES)


def _pad_and_repeat(x, geometry, multiplier):
    """(N, C, H, W) -> zero-padded (N, HP, WP, C*M), every channel M times in a row."""
    padded = pad_images(x, geometry)
    return padded if multiplier == 1 else padded.repeat(multiplier, axis=3)


def _tap_rows(weight, geometry):
    """(C*M, 1, KH, KW) -> (KH, KW, OW, C*M): the weights of each tap, repeated for a row of output pixels.

    NumPy then multiplies a whole row at a time; broadcasting (C*M,) it would start anew at every pixel.
    """
    xp = array_module(weight)
    kh, kw = geometry.kernel_size
    taps = weight[:, 0].transpose(1, 2, 0)[:, :, None]  # (KH, KW, 1, C*M)
    return xp.ascontiguousarray(xp.broadcast_to(taps, (kh, kw, geometry.output_size[1], len(weight))))
