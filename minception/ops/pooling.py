"""Pooling. Shapes, arguments and errors are those of the kernels of the same names."""

from .. import kernels
from ..autograd import Function
from .arguments import require_tensors


class MaxPool2d(Function):
    """Maximum of each window; the gradient goes to the first maximum."""

    def forward(self, x, **geometry):
        y, taps = kernels.max_pool2d(x, **geometry)
        self.save(taps=taps)
        self.shape, self.geometry = x.shape, geometry
        return y

    def backward(self, grad_output):
        return kernels.max_pool2d_backward(grad_output, self.saved.taps, self.shape, **self.geometry)


class AvgPool2d(Function):
    """Mean of each window."""

    def forward(self, x, **geometry):
        self.shape, self.geometry = x.shape, geometry
        return kernels.avg_pool2d(x, **geometry)

    def backward(self, grad_output):
        return kernels.avg_pool2d_backward(grad_output, self.shape, **self.geometry)


class AdaptiveAvgPool2d(Function):
    """Means over a grid of nearly equal windows."""

    def forward(self, x, output_size):
        self.shape = x.shape
        return kernels.adaptive_avg_pool2d(x, output_size)

    def backward(self, grad_output):
        return kernels.adaptive_avg_pool2d_backward(grad_output, self.shape)


class GlobalAvgPool2d(Function):
    """Mean of each channel of each image."""

    def forward(self, x):
        self.shape = x.shape
        return kernels.global_avg_pool2d(x)

    def backward(self, grad_output):
        return kernels.global_avg_pool2d_backward(grad_output, self.shape)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Maximum over windows of (N, C, H, W); padding counts as minus infinity."""
    require_tensors("max_pool2d", input=input)
    return MaxPool2d.apply(
        input, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Mean over windows of (N, C, H, W)."""
    require_tensors("avg_pool2d", input=input)
    return AvgPool2d.apply(
        input,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )


def adaptive_avg_pool2d(input, output_size):
    """Means of (N, C, H, W) over an `output_size` grid of windows."""
    require_tensors("adaptive_avg_pool2d", input=input)
    return AdaptiveAvgPool2d.apply(input, output_size=output_size)


def global_avg_pool2d(input):
    """Mean over each whole channel: (N, C, H, W) to (N, C, 1, 1)."""
    require_tensors("global_avg_pool2d", input=input)
    return GlobalAvgPool2d.apply(input)
