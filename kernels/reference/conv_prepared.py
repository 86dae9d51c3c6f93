"""Convolution with weights that are made ready once: what evaluation does again and again with the same weights."""

from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..conv_geometry import conv2d_geometry
from .activation import relu as rectify
from .conv import conv2d

__all__ = ["PreparedConv2d", "conv2d_prepare", "conv2d_prepared"]


@dataclass(frozen=True, eq=False)
class PreparedConv2d:
    """What `conv2d_prepare` returns: copies of the weights, and the other arguments, checked.

    before: the `PreparedConv2d` that runs first, or None. ready: what a home has made of the weights so far, by a key
    of its own.
    """

    weight: np.ndarray
    bias: np.ndarray | None
    geometry: dict
    relu: bool
    before: "PreparedConv2d | None" = None
    ready: dict = field(default_factory=dict, repr=False)


def conv2d_prepare(weight, bias=None, stride=1, padding=0, dilation=1, groups=1, relu=False, before=None):
    """Keep the weights of a convolution, in whatever form is fastest to compute with, for `conv2d_prepared`.

    Args:
        weight: (O, C / groups, KH, KW), float32 or float64. It is copied.
        bias: (O,), dtype of `weight`, or None.
        stride, padding, dilation, groups: as for `conv2d`.
        relu: whether a ReLU follows.
        before: another `PreparedConv2d`, of as many outputs as this one has inputs, which runs first: what is between
            the two, as in a separable convolution, then need not go to memory. None: nothing.

    Returns:
        A `PreparedConv2d`.

    Raises:
        TypeError, ValueError: as `conv2d`; TypeError if `relu` is not a bool or `before` something else; ValueError if
            `before` has other channels or another dtype.
    """
    checks.floating("conv2d_prepare", {"bias": bias}, weight=weight)
    checks.sizes("conv2d_prepare", "weight", weight.shape, "(O, C / groups, KH, KW)", (1, 1, 1, 1))
    groups = checks.integer("conv2d_prepare", "groups", groups)
    # Images as large as the kernel, to check all that does not depend on them.
    span = (
        (size - 1) * step + 1
        for size, step in zip(weight.shape[2:], checks.pair("conv2d_prepare", "dilation", dilation, 1), strict=True)
    )
    images = (1, weight.shape[1] * max(groups, 1), *span)
    conv2d_geometry("conv2d_prepare", images, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        checks.shape("conv2d_prepare", "bias", bias, weight.shape[:1], "one per output channel")
    if not isinstance(relu, bool):
        raise TypeError(f"conv2d_prepare: relu must be True or False, got {relu!r}")
    if before is not None:
        check_prepared("conv2d_prepare", "before", before)
        if before.weight.shape[0] != images[1] or before.weight.dtype != weight.dtype:
            raise ValueError(
                f"conv2d_prepare: before must make {images[1]} channels of {weight.dtype}, as weight reads, "
                f"got {before.weight.shape[0]} of {before.weight.dtype}"
            )
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return PreparedConv2d(weight.copy(), None if bias is None else bias.copy(), geometry, relu, before)


def conv2d_prepared(x, prepared):
    """`relu(conv2d(x, weight, bias, ...))` with the arguments that were given to `conv2d_prepare`.

    Args:
        x: (N, C, H, W), dtype of the weights, any strides.
        prepared: from `conv2d_prepare`; without `relu`, there is none here. With `before`, that comes first.

    Returns:
        (N, O, OH, OW), channels-last.

    Raises:
        TypeError, ValueError: as `conv2d`; TypeError if `prepared` is something else.
    """
    check_prepared("conv2d_prepared", "prepared", prepared)
    if prepared.before is not None:
        x = conv2d_prepared(x, prepared.before)
    checks.floating("conv2d_prepared", x=x, weight=prepared.weight)
    conv2d_geometry("conv2d_prepared", x.shape, prepared.weight.shape, **prepared.geometry)
    output = conv2d(x, prepared.weight, prepared.bias, **prepared.geometry)
    return rectify(output) if prepared.relu else output


def check_prepared(name, argument, prepared):
    """Require a `PreparedConv2d`."""
    if not isinstance(prepared, PreparedConv2d):
        raise TypeError(f"{name}: {argument} must come from conv2d_prepare, got {type(prepared).__name__}")
