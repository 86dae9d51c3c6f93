"""Inception v4: an Inception network of uniform modules, without residual connections.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the impact of residual connections on learning"
(2017), section 3.1 and figure 9. Names are timm's. Shapes in the docstrings are those of an image of 299x299 pixels at
a width of 1; `out_channels` says how many channels a module has after all. As in the paper's figures, windows are
padded to keep the size unless "valid" (their "V") is said; average pools count no padding.
"""

import math
from functools import partial

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .inception_v3_blocks import conv
from .joining import joins_branches
from .preprocessing import HALVES, Preprocessing
from .registry import register


def average_pool():
    """The 3x3 mean around each pixel, at the border over the pixels inside the image."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def stem_pool(small):
    """The 3x3 max pool of the stem, (N, C, H, W) to (N, C, (H - 1) // 2, (W - 1) // 2); `small`: without stride."""
    return nn.MaxPool2d(3, stride=1, padding=1) if small else nn.MaxPool2d(3, stride=2)


class Mixed3a(nn.Module):
    """Figure 3, the first fork, a pool beside a convolution: (N, 64, 147, 147) to (N, 160, 73, 73)."""

    def __init__(self, in_channels, width, small=False):
        super().__init__()
        c = partial(scale_channels, width=width)
        stride, padding = (1, "same") if small else (2, "valid")
        self.maxpool = stem_pool(small)
        self.conv = conv(in_channels, c(96), 3, stride, padding)
        self.out_channels = in_channels + c(96)

    @joins_branches
    def forward(self, x):
        return F.cat([self.maxpool(x), self.conv(x)], dim=1)


class Mixed4a(nn.Module):
    """Figure 3, the second fork, 3x3 beside 7x7 in two factors and 3x3: (N, 160, 73, 73) to (N, 192, 71, 71)."""

    def __init__(self, in_channels, width, small=False):
        super().__init__()
        c = partial(scale_channels, width=width)
        padding = "same" if small else "valid"
        self.branch0 = nn.Sequential(conv(in_channels, c(64), 1), conv(c(64), c(96), 3, padding=padding))
        self.branch1 = nn.Sequential(
            conv(in_channels, c(64), 1),
            conv(c(64), c(64), (1, 7)),
            conv(c(64), c(64), (7, 1)),
            conv(c(64), c(96), 3, padding=padding),
        )
        self.out_channels = 2 * c(96)

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x)], dim=1)


class Mixed5a(nn.Module):
    """Figure 3, the last fork, a convolution beside a pool: (N, 192, 71, 71) to (N, 384, 35, 35)."""

    def __init__(self, in_channels, width, small=False):
        super().__init__()
        c = partial(scale_channels, width=width)
        stride, padding = (1, "same") if small else (2, "valid")
        self.conv = conv(in_channels, c(192), 3, stride, padding)
        self.maxpool = stem_pool(small)
        self.out_channels = c(192) + in_channels

    @joins_branches
    def forward(self, x):
        return F.cat([self.conv(x), self.maxpool(x)], dim=1)


def inception_v4_stem(in_channels, width, small=False):
    """The six modules of figure 3, a list: (N, in_channels, 299, 299) to (N, 384, 35, 35).

    `small`: without strides and with padding, (N, in_channels, H, W) to (N, 384, H, W).
    """
    c = partial(scale_channels, width=width)
    stride, padding = (1, "same") if small else (2, "valid")
    modules = [
        conv(in_channels, c(32), 3, stride, padding),  # 149x149
        conv(c(32), c(32), 3, 1, padding),  # 147x147
        conv(c(32), c(64), 3),
        Mixed3a(c(64), width, small),  # 73x73
    ]
    modules.append(Mixed4a(modules[-1].out_channels, width, small))  # 71x71
    modules.append(Mixed5a(modules[-1].out_channels, width, small))  # 35x35
    return modules


class InceptionA(nn.Module):
    """Figure 4, for the 35x35 grid: (N, in_channels, H, W) to (N, 384, H, W)."""

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch0 = conv(in_channels, c(96), 1)
        self.branch1 = nn.Sequential(conv(in_channels, c(64), 1), conv(c(64), c(96), 3))
        self.branch2 = nn.Sequential(conv(in_channels, c(64), 1), conv(c(64), c(96), 3), conv(c(96), c(96), 3))
        self.branch3 = nn.Sequential(average_pool(), conv(in_channels, c(96), 1))
        self.out_channels = 4 * c(96)

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class ReductionA(nn.Module):
    """Figure 7, from 35x35 to 17x17, shared by the three networks of the paper.

    (N, in_channels, H, W) to (N, branch0 + branch1[2] + in_channels, (H - 1) // 2, (W - 1) // 2). In the paper's table
    1 `branch0` is n and `branch1` is (k, l, m).
    """

    def __init__(self, in_channels, branch0, branch1):
        super().__init__()
        first, second, third = branch1
        self.branch0 = conv(in_channels, branch0, 3, stride=2, padding="valid")
        self.branch1 = nn.Sequential(
            conv(in_channels, first, 1),
            conv(first, second, 3),
            conv(second, third, 3, stride=2, padding="valid"),
        )
        self.branch2 = nn.MaxPool2d(3, stride=2)
        self.out_channels = branch0 + third + in_channels

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x), self.branch2(x)], dim=1)


class InceptionB(nn.Module):
    """Figure 5, for the 17x17 grid, with 7x7 convolutions in two factors: (N, in_channels, H, W) to (N, 1024, H, W)."""

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch0 = conv(in_channels, c(384), 1)
        self.branch1 = nn.Sequential(
            conv(in_channels, c(192), 1),
            conv(c(192), c(224), (1, 7)),
            conv(c(224), c(256), (7, 1)),
        )
        self.branch2 = nn.Sequential(
            conv(in_channels, c(192), 1),
            conv(c(192), c(192), (7, 1)),
            conv(c(192), c(224), (1, 7)),
            conv(c(224), c(224), (7, 1)),
            conv(c(224), c(256), (1, 7)),
        )
        self.branch3 = nn.Sequential(average_pool(), conv(in_channels, c(128), 1))
        self.out_channels = c(384) + c(256) + c(256) + c(128)

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class ReductionB(nn.Module):
    """Figure 8, from 17x17 to 8x8: (N, in_channels, H, W) to (N, 512 + in_channels, (H - 1) // 2, (W - 1) // 2)."""

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch0 = nn.Sequential(
            conv(in_channels, c(192), 1), conv(c(192), c(192), 3, stride=2, padding="valid")
        )
        self.branch1 = nn.Sequential(
            conv(in_channels, c(256), 1),
            conv(c(256), c(256), (1, 7)),
            conv(c(256), c(320), (7, 1)),
            conv(c(320), c(320), 3, stride=2, padding="valid"),
        )
        self.branch2 = nn.MaxPool2d(3, stride=2)
        self.out_channels = c(192) + c(320) + in_channels

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x), self.branch2(x)], dim=1)


class InceptionC(nn.Module):
    """Figure 6, for the 8x8 grid: (N, in_channels, H, W) to (N, 1536, H, W).

    The long branch has 3x1 and 1x3 one after the other, in the published order, before 1x3 and 3x1 side by side.
    """

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch0 = conv(in_channels, c(256), 1)
        self.branch1_0 = conv(in_channels, c(384), 1)
        self.branch1_1a = conv(c(384), c(256), (1, 3))
        self.branch1_1b = conv(c(384), c(256), (3, 1))
        self.branch2_0 = conv(in_channels, c(384), 1)
        self.branch2_1 = conv(c(384), c(448), (3, 1))
        self.branch2_2 = conv(c(448), c(512), (1, 3))
        self.branch2_3a = conv(c(512), c(256), (1, 3))
        self.branch2_3b = conv(c(512), c(256), (3, 1))
        self.branch3 = nn.Sequential(average_pool(), conv(in_channels, c(256), 1))
        self.out_channels = 6 * c(256)

    @joins_branches
    def forward(self, x):
        short = self.branch1_0(x)
        long = self.branch2_2(self.branch2_1(self.branch2_0(x)))
        branches = [
            self.branch0(x),
            self.branch1_1a(short),
            self.branch1_1b(short),
            self.branch2_3a(long),
            self.branch2_3b(long),
            self.branch3(x),
        ]
        return F.cat(branches, dim=1)


class InceptionV4(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), H and W >= `least_size`, 299x299 in the paper.

    The paper does not say how weights start. In the authors' code (TF-slim's `inception_arg_scope`) those of
    convolutions are He's for the fan in, as normal values within two deviations, and those of the linear layer Glorot
    uniform; biases are 0.
    """

    def __init__(self, num_classes, in_channels, stem, width, dropout):
        super().__init__()
        check_stem("inception_v4", stem)
        self.in_channels = in_channels
        self.least_size = 75 if stem == "imagenet" else 7
        c = partial(scale_channels, width=width)
        features = inception_v4_stem(in_channels, width, small=stem == "cifar")  # 35x35

        def add(module, *arguments):
            features.append(module(features[-1].out_channels, *arguments))

        for _ in range(4):
            add(InceptionA, width)
        add(ReductionA, c(384), (c(192), c(224), c(256)))  # 17x17
        for _ in range(7):
            add(InceptionB, width)
        add(ReductionB, width)  # 8x8
        for _ in range(3):
            add(InceptionC, width)
        self.features = nn.Sequential(*features)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(features[-1].out_channels, num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                truncated_he_(module.weight)
        nn.init.xavier_uniform_(self.last_linear.weight)
        nn.init.zeros_(self.last_linear.bias)

    def forward(self, x):
        check_images("inception_v4", x, self.in_channels, self.least_size)
        x = self.features(x)  # (N, 1536, 8, 8)
        x = F.flatten(F.global_avg_pool2d(x), 1)
        return self.last_linear(self.dropout(x))


def truncated_he_(weight):
    """Fill `weight` (O, I, KH, KW) with normal values of variance 2 / fan_in (He et al. 2015, equation 10) that were
    cut off at two deviations, which TF-slim's `variance_scaling_initializer` makes up for with a factor of 1.3."""
    std = math.sqrt(1.3 * 2 / math.prod(weight.shape[1:]))
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


@register(
    paper="Szegedy et al. 2017, Inception-v4",
    input_size=299,
    parameters=42_679_816,
    multiply_accumulates=12_253_974_624,
    preprocessing=Preprocessing(341, 299, HALVES, HALVES, interpolation="bicubic"),
    small_images={"stem": "cifar"},
)
def inception_v4(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.2):
    """Inception v4 (Szegedy et al. 2017, figure 9), for images from 75x75 pixels.

    stem: "cifar" leaves out the strides of the stem and pads its windows, so that 32x32 pixels reach the first
    Inception-A, 15x15 the first Inception-B and 7x7 the first Inception-C; at least 7x7. width: multiplies all inner
    channels. dropout: before the linear layer (figure 9, which keeps 0.8).
    """
    return InceptionV4(num_classes, in_channels, stem, width, dropout)
