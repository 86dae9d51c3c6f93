"""Szegedy et al., "Going deeper with convolutions" (2015), figure 2: the naive module and the one with reductions."""

from torch import nn

from tests.models.twins.layers import Cat, ConvBN, ConvReLU


def convolution(batch_norm):
    """ConvBN, or ConvReLU with a bias."""
    return ConvBN if batch_norm else ConvReLU


class InceptionNaive(Cat):
    """Figure 2a: the pool's channels are added as they are."""

    def __init__(self, i, c1, c3, c5, batch_norm=True, kernel=5):
        super().__init__()
        conv = convolution(batch_norm)
        self.branch1 = conv(i, c1, 1)
        self.branch2 = conv(i, c3, 3, padding=1)
        self.branch3 = conv(i, c5, kernel, padding=kernel // 2)
        self.branch4 = nn.MaxPool2d(3, 1, 1)


class Inception(Cat):
    """Figure 2b."""

    def __init__(self, i, c1, r3, c3, r5, c5, pool, batch_norm=True, kernel=5):
        super().__init__()
        conv = convolution(batch_norm)
        self.branch1 = conv(i, c1, 1)
        self.branch2 = nn.Sequential(conv(i, r3, 1), conv(r3, c3, 3, padding=1))
        self.branch3 = nn.Sequential(conv(i, r5, 1), conv(r5, c5, kernel, padding=kernel // 2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(i, pool, 1))


# Table 1: 1x1 | 3x3 reduce, 3x3 | 5x5 reduce, 5x5 | pool projection.
TABLE_1 = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}


def add_modules(network, i, scale=lambda channels: channels, **options):
    """Give `network` the nine modules of table 1, the first with `i` input channels; return the output channels."""
    for name, channels in TABLE_1.items():
        c1, r3, c3, r5, c5, pool = map(scale, channels)
        network.add_module(name, Inception(i, c1, r3, c3, r5, c5, pool, **options))
        i = c1 + c3 + c5 + pool
    return i
