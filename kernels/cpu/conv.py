"""Convolution and its gradients, by tiles that read the images in place. Contracts: `reference/conv.py`.

What the three passes have in common, and why no window is ever unfolded (im2col), is told in `correlation.py`. Where an
image is a single window, the convolution is a fully connected layer: every weight is used once for each image, so
putting the weights into the order of the tiles would cost more than the products, and `linear.py` reads them where they
lie.
"""

from itertools import product

import numpy as np

from .. import checks
from ..conv_geometry import check_add_to, check_grad_output, conv2d_geometry, quiet
from ..layout import empty_images, zeros_images
from ..placement import new_images
from ..reference import conv as reference
from .axis import axes_of, forward_axes, gradient_axes
from .linear import is_for_tiles, linear, linear_backward_input, linear_backward_weight
from .plan import run_correlation, run_weights
from .windows import has_adjacent_channels

__all__ = ["conv2d", "conv2d_backward_input", "conv2d_backward_weight", "group_slices"]


def group_slices(weight_shape, groups):
    """Yield (input channels, output channels) of each group as slices."""
    outputs, channels = weight_shape[0] // groups, weight_shape[1]
    for g in range(groups):
        yield slice(g * channels, (g + 1) * channels), slice(g * outputs, (g + 1) * outputs)


def _is_fully_connected(geometry, groups, outputs, *weights):
    """Whether each image is one window, without zeros around it, and `linear.py` has a fast way for so many images.

    weights: what is to be read as (outputs, C * KH * KW), where it lies.
    """
    n, channels, height, width = geometry.x_shape
    whole = groups == 1 and geometry.output_size == (1, 1) and geometry.kernel_size == geometry.padded_size
    unpadded = geometry.padded_size == (height, width)
    return whole and unpadded and is_for_tiles(n, (outputs, channels * height * width), *weights)


def _as_rows(images):
    """Logical (N, C, H, W) as contiguous rows (N, C * H * W), in the order of the weights."""
    return np.array(images, order="C").reshape(len(images), -1)


@quiet
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d`."""
    checks.floating("conv2d", {"bias": bias}, x=x, weight=weight)
    geometry, groups = conv2d_geometry("conv2d", x.shape, weight.shape, stride, padding, dilation, groups)
    if x.size == 0:
        return reference.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if bias is not None:
        checks.shape("conv2d", "bias", bias, weight.shape[:1], "one per output channel")
    if _is_fully_connected(geometry, groups, len(weight), weight):
        return linear(_as_rows(x), weight.reshape(len(weight), -1), bias).reshape(len(x), len(weight), 1, 1)
    output = new_images((x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    axes = forward_axes(geometry)
    for inputs, outputs in group_slices(weight.shape, groups):
        part = None if bias is None else bias[outputs]
        run_correlation(x[:, inputs], weight[outputs], part, *axes, output[:, outputs])
    return output


@quiet
def conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1, groups=1, add_to=None):
    """See `reference.conv2d_backward_input`."""
    name = "conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, groups = conv2d_geometry(name, x_shape, weight.shape, stride, padding, dilation, groups, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    check_add_to(name, add_to, grad_output, geometry.x_shape)
    if add_to is not None and not has_adjacent_channels(add_to):
        add_to += conv2d_backward_input(grad_output, weight, x_shape, stride, padding, dilation, groups)
        return add_to
    if grad_output.size == 0:
        return zeros_images(np, geometry.x_shape, grad_output.dtype) if add_to is None else add_to
    if _is_fully_connected(geometry, groups, len(weight), weight):
        found = linear_backward_input(_as_rows(grad_output), weight.reshape(len(weight), -1))
        found = found.reshape(geometry.x_shape)
        if add_to is None:
            grad_x = empty_images(np, geometry.x_shape, grad_output.dtype)
            grad_x[...] = found
            return grad_x
        add_to += found
        return add_to
    classes = list(
        product(
            *(gradient_axes(*axis, size) for axis, size in zip(axes_of(geometry), geometry.x_shape[2:], strict=True))
        )
    )
    unread = any(axis is None for axes in classes for axis in axes)
    grad_x = add_to
    if add_to is None:
        grad_x = (zeros_images if unread else empty_images)(np, geometry.x_shape, grad_output.dtype)
    for inputs, outputs in group_slices(weight.shape, groups):
        for rows, columns in classes:
            if rows is not None and columns is not None:
                transposed = weight[outputs].transpose(1, 0, 2, 3)
                run_correlation(
                    grad_output[:, outputs], transposed, None, rows, columns, grad_x[:, inputs], add_to is not None
                )
    return grad_x


@quiet
def conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d_backward_weight`."""
    name = "conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, groups = conv2d_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, groups, weight="weight_shape"
    )
    check_grad_output(name, grad_output, geometry, weight_shape[0])
    if x.size == 0:
        return reference.conv2d_backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups)
    if _is_fully_connected(geometry, groups, weight_shape[0]):
        return linear_backward_weight(_as_rows(grad_output), _as_rows(x)).reshape(weight_shape)
    grad_weight = np.empty(tuple(weight_shape), x.dtype)
    axes = forward_axes(geometry)
    for inputs, outputs in group_slices(grad_weight.shape, groups):
        run_weights(x[:, inputs], grad_output[:, outputs], *axes, grad_weight[outputs])
    return grad_weight
