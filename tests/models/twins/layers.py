"""What several twins share."""

import torch
from torch import nn
from torch.nn import functional as F


class ConvBN(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, i, o, kernel, stride=1, padding=0, eps=1e-3):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=eps)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class ConvReLU(nn.Module):
    """Convolution with bias, ReLU."""

    def __init__(self, i, o, kernel, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, padding)

    def forward(self, x):
        return F.relu(self.conv(x))


class Cat(nn.Module):
    """A module whose children are parallel branches."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], 1)


def scaled(width):
    """A function from the published channels to those at this width: the nearest multiple of 8, at least 8."""
    return lambda channels: channels if width == 1 else max(8, 8 * round(channels * width / 8))


def normalise_as_inception(x):
    """From ImageNet's mean and deviation per channel to 0.5 and 0.5, as torchvision's transform_input."""
    mean, std = x.new_tensor([0.485, 0.456, 0.406]), x.new_tensor([0.229, 0.224, 0.225])
    return x * (std / 0.5)[:, None, None] + ((mean - 0.5) / 0.5)[:, None, None]
