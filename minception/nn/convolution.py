"""Convolution layers."""

import numpy as np

from .. import functional as F
from ..kernels.checks import integer, pair
from . import init
from .module import Module
from .parameter import Parameter


def _positive(layer, argument, value):
    value = integer(layer, argument, value)
    if value < 1:
        raise ValueError(f"{layer}: {argument} must be a positive integer, got {value}")
    return value


class _Convolution(Module):
    """Arguments, parameters, default initialisation and text that the convolution layers share."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias):
        super().__init__()
        name = type(self).__name__
        self.in_channels = _positive(name, "in_channels", in_channels)
        self.out_channels = _positive(name, "out_channels", out_channels)
        self.groups = _positive(name, "groups", groups)
        if in_channels % groups:
            raise ValueError(
                f"{name}: in_channels must be divisible by groups, got {in_channels} channels in {groups} groups"
            )
        if out_channels % groups:
            raise ValueError(
                f"{name}: out_channels must be divisible by groups, got {out_channels} channels in {groups} groups"
            )
        self.kernel_size = pair(name, "kernel_size", kernel_size, minimum=1)
        self.stride = pair(name, "stride", stride, minimum=1)
        self.dilation = pair(name, "dilation", dilation, minimum=1)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding must be 'same', 'valid', an integer or a pair, got {padding!r}")
            if padding == "same" and self.stride != (1, 1):
                raise ValueError(f"{name}: padding='same' is not supported for strided convolutions, got {stride!r}")
        self.padding = padding if isinstance(padding, str) else pair(name, "padding", padding, minimum=0)
        self.weight = Parameter(
            np.zeros((out_channels, in_channels // groups, *self.kernel_size), np.float32)
        )
        self.register_parameter("bias", Parameter(np.zeros(out_channels, np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default."""
        init.fan_in_uniform_(self.weight, self.bias)

    def _window_repr(self):
        text = f"kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        return text


class Conv2d(_Convolution):
    """2-D cross-correlation of (N, in_channels, H, W) to (N, out_channels, OH, OW).

    Arguments as `torch.nn.Conv2d`: `kernel_size`, `stride`, `padding` and `dilation` are an integer or a pair (height,
    width); `padding` may be "same" (stride 1 only) or "valid". Outside the image are zeros: `padding_mode` can only
    be "zeros". With `groups == in_channels > 1` it runs as a depthwise convolution.

    Parameters: `weight` (out_channels, in_channels / groups, KH, KW) and, with `bias`, `bias` (out_channels,).
    Raises ValueError for channels that `groups` does not divide and for arguments out of range, TypeError for
    arguments that are not integers.
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
    ):
        if padding_mode != "zeros":
            raise ValueError(f"Conv2d: padding_mode must be 'zeros', the only one offered, got {padding_mode!r}")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.padding_mode = padding_mode

    def forward(self, input):
        return F.conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self):
        groups = f", groups={self.groups}" if self.groups != 1 else ""
        bias = ", bias=False" if self.bias is None else ""
        return f"{self.in_channels}, {self.out_channels}, {self._window_repr()}{groups}{bias}"


class DepthwiseConv2d(_Convolution):
    """Every channel is convolved alone, with `depth_multiplier` kernels: (N, C, H, W) to (N, C * M, OH, OW).

    The spatial half of a separable convolution (Chollet, "Xception: Deep Learning with Depthwise Separable
    Convolutions", 2017); equal to `Conv2d(C, C * M, ..., groups=C)`, output channel c * M + m reads input channel c.

    Parameters: `weight` (C * M, 1, KH, KW) and, with `bias`, `bias` (C * M,). Errors as for `Conv2d`.
    """

    def __init__(
        self, channels, kernel_size, stride=1, padding=0, dilation=1, depth_multiplier=1, bias=True
    ):
        channels = _positive("DepthwiseConv2d", "channels", channels)
        multiplier = _positive("DepthwiseConv2d", "depth_multiplier", depth_multiplier)
        super().__init__(
            channels, channels * multiplier, kernel_size, stride, padding, dilation, channels, bias
        )
        self.depth_multiplier = multiplier

    def forward(self, input):
        return F.depthwise_conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation)

    def extra_repr(self):
        multiplier = f", depth_multiplier={self.depth_multiplier}" if self.depth_multiplier != 1 else ""
        bias = ", bias=False" if self.bias is None else ""
        return f"{self.in_channels}, {self._window_repr()}{multiplier}{bias}"


class SeparableConv2d(Module):
    """A depthwise convolution, then a pointwise (1x1) one that mixes the channels; nothing in between.

    (N, in_channels, H, W) to (N, out_channels, OH, OW), as in Chollet, "Xception: Deep Learning with Depthwise
    Separable Convolutions" (2017), sections 1.2 and 2. The children are `depthwise` (a `DepthwiseConv2d`
    without bias) and `pointwise` (a `Conv2d` that has the bias); they are called as modules, so that their hooks run.
    Errors as for `Conv2d`; those about the window name the child.
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        depth_multiplier=1,
        bias=True,
    ):
        super().__init__()
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "depth_multiplier": depth_multiplier}
        for argument, value in sizes.items():
            _positive("SeparableConv2d", argument, value)
        self.depthwise = DepthwiseConv2d(
            in_channels, kernel_size, stride, padding, dilation, depth_multiplier, bias=False
        )
        self.pointwise = Conv2d(self.depthwise.out_channels, out_channels, 1, bias=bias)

    def forward(self, input):
        return self.pointwise(self.depthwise(input))
