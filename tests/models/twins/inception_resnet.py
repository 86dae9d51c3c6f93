"""Szegedy et al., "Inception-v4, Inception-ResNet ..." (2016): version 1 as facenet-pytorch's, version 2 as timm's."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.models.twins import inception_v4
from tests.models.twins.inception_v4 import Branches, column, row
from tests.models.twins.layers import ConvBN


class Residual(Branches):
    """x + scale * up(branches(x)), then ReLU unless `last`."""

    def __init__(self, width, inner, scale, last, *branches):
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(inner, width, 1)
        self.scale, self.last = scale, last

    def forward(self, x):
        *branches, up = self.children()
        y = x + self.scale * up(torch.cat([branch(x) for branch in branches], 1))
        return y if self.last else F.relu(y)


def block35(width, mid, out, scale):
    """Figures 10 and 16: the third branch is 32-mid-out wide."""
    return Residual(
        width,
        64 + out,
        scale,
        False,
        ConvBN(width, 32, 1),
        nn.Sequential(ConvBN(width, 32, 1), ConvBN(32, 32, 3, padding=1)),
        nn.Sequential(ConvBN(width, 32, 1), ConvBN(32, mid, 3, padding=1), ConvBN(mid, out, 3, padding=1)),
    )


def block17(width, first, reduce, mid, out, scale):
    """Figures 11 and 17."""
    long = nn.Sequential(ConvBN(width, reduce, 1), row(reduce, mid, 7), column(mid, out, 7))
    return Residual(width, first + out, scale, False, ConvBN(width, first, 1), long)


def block8(width, mid, out, scale, last=False):
    """Figures 13 and 19; the last one has scale 1 and no ReLU."""
    long = nn.Sequential(ConvBN(width, 192, 1), row(192, mid, 3), column(mid, out, 3))
    return Residual(width, 192 + out, scale, last, ConvBN(width, 192, 1), long)


def reduction_a(i, k, l, m, n):  # noqa: E741
    """Figure 7, with the letters of table 1."""
    long = nn.Sequential(ConvBN(i, k, 1), ConvBN(k, l, 3, padding=1), ConvBN(l, m, 3, 2))
    return Branches(ConvBN(i, n, 3, 2), long, nn.MaxPool2d(3, 2))


def reduction_b(i, second, mid, third):
    """Figures 12 and 18."""
    return Branches(
        nn.Sequential(ConvBN(i, 256, 1), ConvBN(256, 384, 3, 2)),
        nn.Sequential(ConvBN(i, 256, 1), ConvBN(256, second, 3, 2)),
        nn.Sequential(ConvBN(i, 256, 1), ConvBN(256, mid, 3, padding=1), ConvBN(mid, third, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def repeat(count, block, *arguments):
    return nn.Sequential(*[block(*arguments) for _ in range(count)])


class InceptionResNetV1(nn.Module):
    def __init__(
        self,
        num_classes=1000,
        in_channels=3,
        dropout=0.6,
        classify=True,
        blocks=(5, 10, 6),
        scales=(0.17, 0.10, 0.20),
    ):
        super().__init__()
        self.classify = classify
        self.conv2d_1a = ConvBN(in_channels, 32, 3, 2)
        self.conv2d_2a = ConvBN(32, 32, 3)
        self.conv2d_2b = ConvBN(32, 64, 3, padding=1)
        self.conv2d_3b = ConvBN(64, 80, 1)
        self.conv2d_4a = ConvBN(80, 192, 3)
        self.conv2d_4b = ConvBN(192, 256, 3, 2)
        self.repeat_1 = repeat(blocks[0], block35, 256, 32, 32, scales[0])
        self.mixed_6a = reduction_a(256, 192, 192, 256, 384)
        self.repeat_2 = repeat(blocks[1], block17, 896, 128, 128, 128, 128, scales[1])
        self.mixed_7a = reduction_b(896, 256, 256, 256)
        self.repeat_3 = repeat(blocks[2] - 1, block8, 1792, 192, 192, scales[2])
        self.block8 = block8(1792, 192, 192, 1.0, last=True)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(1792, 512, bias=False)
        self.last_bn = nn.BatchNorm1d(512, eps=1e-3)
        self.logits = nn.Linear(512, num_classes)

    def forward(self, x):
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(x)))
        x = self.mixed_6a(self.repeat_1(x))
        x = self.mixed_7a(self.repeat_2(x))
        x = self.block8(self.repeat_3(x))
        x = self.last_bn(self.last_linear(self.dropout(x.mean((2, 3)))))
        return self.logits(x) if self.classify else F.normalize(x)


class InceptionResNetV2(nn.Module):
    """With `stem="inception_v4"` the widths follow from its 384 channels: 384, 1152 and 2144."""

    def __init__(
        self,
        num_classes=1000,
        in_channels=3,
        stem="imagenet",
        dropout=0.2,
        blocks=(10, 20, 10),
        scales=(0.17, 0.10, 0.20),
    ):
        super().__init__()
        if stem == "inception_v4":
            self.stem = nn.Sequential(*inception_v4.stem(in_channels))
            i = 384
        else:
            self.stem = None
            self.conv2d_1a = ConvBN(in_channels, 32, 3, 2)
            self.conv2d_2a = ConvBN(32, 32, 3)
            self.conv2d_2b = ConvBN(32, 64, 3, padding=1)
            self.conv2d_3b = ConvBN(64, 80, 1)
            self.conv2d_4a = ConvBN(80, 192, 3)
            self.mixed_5b = Branches(
                ConvBN(192, 96, 1),
                nn.Sequential(ConvBN(192, 48, 1), ConvBN(48, 64, 5, padding=2)),
                nn.Sequential(ConvBN(192, 64, 1), ConvBN(64, 96, 3, padding=1), ConvBN(96, 96, 3, padding=1)),
                inception_v4.pooled(192, 64),
            )
            i = 320
        self.repeat = repeat(blocks[0], block35, i, 48, 64, scales[0])
        self.mixed_6a = reduction_a(i, 256, 256, 384, 384)
        i += 768
        self.repeat_1 = repeat(blocks[1], block17, i, 192, 128, 160, 192, scales[1])
        self.mixed_7a = reduction_b(i, 288, 288, 320)
        i += 992
        self.repeat_2 = repeat(blocks[2] - 1, block8, i, 224, 256, scales[2])
        self.block8 = block8(i, 224, 256, 1.0, last=True)
        self.conv2d_7b = ConvBN(i, 1536, 1)
        self.dropout = nn.Dropout(dropout)
        self.classif = nn.Linear(1536, num_classes)

    def published_stem(self, x):
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.conv2d_4a(self.conv2d_3b(x))
        return self.mixed_5b(F.max_pool2d(x, 3, 2))

    def forward(self, x):
        x = self.stem(x) if self.stem is not None else self.published_stem(x)
        x = self.mixed_6a(self.repeat(x))
        x = self.mixed_7a(self.repeat_1(x))
        x = self.conv2d_7b(self.block8(self.repeat_2(x)))
        return self.classif(self.dropout(x.mean((2, 3))))
