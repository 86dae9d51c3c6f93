"""Pooling layers."""

from .. import functional as F
from ..kernels.checks import integer, pair
from .module import Module


class _Pool2d(Module):
    """Window arguments that the pooling layers share, kept as given."""

    def __init__(self, kernel_size, stride, padding, ceil_mode):
        super().__init__()
        name = type(self).__name__
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        pair(name, "kernel_size", self.kernel_size, minimum=1)
        pair(name, "stride", self.stride, minimum=1)
        pair(name, "padding", self.padding, minimum=0)


class MaxPool2d(_Pool2d):
    """The maximum of each window of (N, C, H, W); where several elements tie, the first gets the gradient.

    Arguments as `torch.nn.MaxPool2d`: integers or pairs (height, width), `stride` is `kernel_size` if left out.
    Padding is minus infinity. `return_indices` can only be False. Raises ValueError or TypeError for arguments out of
    range.
    """

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False
    ):
        if return_indices:
            raise ValueError("MaxPool2d: return_indices must be False, indices are not offered")
        super().__init__(kernel_size, stride, padding, ceil_mode)
        pair("MaxPool2d", "dilation", dilation, minimum=1)
        self.dilation = dilation

    def forward(self, input):
        return F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )

    def extra_repr(self):
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(_Pool2d):
    """The mean of each window of (N, C, H, W).

    Arguments as `torch.nn.AvgPool2d`: with `count_include_pad` the zeros of the padding count in the mean,
    `divisor_override` replaces the count. Raises ValueError or TypeError for arguments out of range.
    """

    def __init__(
        self,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        super().__init__(kernel_size, stride, padding, ceil_mode)
        if divisor_override is not None and integer("AvgPool2d", "divisor_override", divisor_override) == 0:
            raise ValueError("AvgPool2d: divisor_override must not be zero")
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input):
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean of each cell of an even grid over (N, C, H, W), of `output_size` (an integer or a pair (height,
    width), None keeps the size of the input)."""

    def __init__(self, output_size):
        super().__init__()
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
        filled = type(sizes)(1 if size is None else size for size in sizes)
        pair("AdaptiveAvgPool2d", "output_size", filled, minimum=1)
        self.output_size = output_size

    def forward(self, input):
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self):
        return f"output_size={self.output_size}"


class GlobalAvgPool2d(Module):
    """The mean of each channel over its whole plane: (N, C, H, W) to (N, C, 1, 1), as in Lin, Chen and Yan,
    "Network In Network" (2014), section 3.2."""

    def forward(self, input):
        return F.global_avg_pool2d(input)
