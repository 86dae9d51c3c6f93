"""What the networks share: a convolution with batch norm and ReLU, scaled widths, and the check of their input."""

from .. import nn
from ..tensor import Tensor


class ConvBNReLU(nn.Module):
    """Convolution without bias, batch norm, ReLU: (N, in_channels, H, W) to (N, out_channels, OH, OW).

    kernel_size, stride, padding: integers or pairs (height, width). Its children are `conv` and `bn`, as in
    torchvision's BasicConv2d.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, eps=1e-5):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNormReLU2d(out_channels, eps=eps)

    def forward(self, x):
        return self.bn(self.conv(x))


def scale_channels(channels, width):
    """`channels` times the width multiplier, as the nearest multiple of 8 and at least 8; unchanged for a width of 1.

    The width multiplier is that of Howard et al., "MobileNets" (2017), section 3.3. Raises ValueError unless
    width > 0.
    """
    if isinstance(width, bool) or not isinstance(width, (int, float)) or not 0 < width < float("inf"):
        raise ValueError(f"width must be a positive number, got {width!r}")
    return channels if width == 1 else max(8, 8 * round(channels * width / 8))


def check_stem(name, stem, known=("imagenet", "cifar")):
    """Raise ValueError unless `stem` is one of `known`."""
    if stem not in known:
        raise ValueError(f"{name}: stem must be one of {', '.join(map(repr, known))}, got {stem!r}")


def check_images(name, images, in_channels, least_size):
    """Raise TypeError or ValueError unless `images` is a tensor (N, in_channels, H, W), H, W >= `least_size`."""
    if not isinstance(images, Tensor):
        raise TypeError(f"{name}: images must be a Tensor, got {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != in_channels:
        raise ValueError(f"{name}: images must have shape (N, {in_channels}, H, W), got {images.shape}")
    if min(images.shape[2:]) < least_size:
        raise ValueError(
            f"{name}: images must have at least {least_size}x{least_size} pixels, "
            f"got {images.shape[2]}x{images.shape[3]}"
        )
