"""Szegedy et al., "Inception-v4, Inception-ResNet and the impact of residual connections" (2016): Inception v4."""

import torch
from torch import nn

from tests.models.twins.layers import Cat, ConvBN


def row(i, o, n):
    """1xn, size kept."""
    return ConvBN(i, o, (1, n), padding=(0, n // 2))


def column(i, o, n):
    """nx1, size kept."""
    return ConvBN(i, o, (n, 1), padding=(n // 2, 0))


def pooled(i, o):
    """Average of 3x3 without counting the padding, then 1x1."""
    return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), ConvBN(i, o, 1))


class Branches(Cat):
    """Parallel branches, called branch0, branch1, ..."""

    def __init__(self, *branches):
        super().__init__()
        for position, branch in enumerate(branches):
            self.add_module(f"branch{position}", branch)


class PoolAndConv(nn.Module):
    """Halved by a max pool and by a convolution, side by side; in figure 3 the order changes."""

    def __init__(self, i, o, pool_first):
        super().__init__()
        self.pool_first = pool_first
        self.conv = ConvBN(i, o, 3, 2)

    def forward(self, x):
        halves = nn.functional.max_pool2d(x, 3, 2), self.conv(x)
        return torch.cat(halves if self.pool_first else halves[::-1], 1)


def stem(in_channels):
    """Figure 3, to 384 channels."""
    return [
        ConvBN(in_channels, 32, 3, 2),
        ConvBN(32, 32, 3),
        ConvBN(32, 64, 3, padding=1),
        PoolAndConv(64, 96, pool_first=True),
        Branches(
            nn.Sequential(ConvBN(160, 64, 1), ConvBN(64, 96, 3)),
            nn.Sequential(ConvBN(160, 64, 1), row(64, 64, 7), column(64, 64, 7), ConvBN(64, 96, 3)),
        ),
        PoolAndConv(192, 192, pool_first=False),
    ]


def inception_a():
    """Figure 4."""
    return Branches(
        ConvBN(384, 96, 1),
        nn.Sequential(ConvBN(384, 64, 1), ConvBN(64, 96, 3, padding=1)),
        nn.Sequential(ConvBN(384, 64, 1), ConvBN(64, 96, 3, padding=1), ConvBN(96, 96, 3, padding=1)),
        pooled(384, 96),
    )


def reduction_a():
    """Figure 7."""
    return Branches(
        ConvBN(384, 384, 3, 2),
        nn.Sequential(ConvBN(384, 192, 1), ConvBN(192, 224, 3, padding=1), ConvBN(224, 256, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def inception_b():
    """Figure 5."""
    return Branches(
        ConvBN(1024, 384, 1),
        nn.Sequential(ConvBN(1024, 192, 1), row(192, 224, 7), column(224, 256, 7)),
        nn.Sequential(
            ConvBN(1024, 192, 1), column(192, 192, 7), row(192, 224, 7), column(224, 224, 7), row(224, 256, 7)
        ),
        pooled(1024, 128),
    )


def reduction_b():
    """Figure 8."""
    return Branches(
        nn.Sequential(ConvBN(1024, 192, 1), ConvBN(192, 192, 3, 2)),
        nn.Sequential(ConvBN(1024, 256, 1), row(256, 256, 7), column(256, 320, 7), ConvBN(320, 320, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


class InceptionC(nn.Module):
    """Figure 6."""

    def __init__(self):
        super().__init__()
        self.branch0 = ConvBN(1536, 256, 1)
        self.branch1_0 = ConvBN(1536, 384, 1)
        self.branch1_1a = row(384, 256, 3)
        self.branch1_1b = column(384, 256, 3)
        self.branch2_0 = ConvBN(1536, 384, 1)
        self.branch2_1 = column(384, 448, 3)
        self.branch2_2 = row(448, 512, 3)
        self.branch2_3a = row(512, 256, 3)
        self.branch2_3b = column(512, 256, 3)
        self.branch3 = pooled(1536, 256)

    def forward(self, x):
        short = self.branch1_0(x)
        long = self.branch2_2(self.branch2_1(self.branch2_0(x)))
        ends = [self.branch1_1a(short), self.branch1_1b(short), self.branch2_3a(long), self.branch2_3b(long)]
        return torch.cat([self.branch0(x), *ends, self.branch3(x)], 1)


class InceptionV4(nn.Module):
    def __init__(self, num_classes=1000, in_channels=3, dropout=0.2):
        super().__init__()
        self.features = nn.Sequential(
            *stem(in_channels),
            *[inception_a() for _ in range(4)],
            reduction_a(),
            *[inception_b() for _ in range(7)],
            reduction_b(),
            *[InceptionC() for _ in range(3)],
        )
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(1536, num_classes)

    def forward(self, x):
        return self.last_linear(self.dropout(self.features(x).mean((2, 3))))
