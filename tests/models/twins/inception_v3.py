"""Szegedy et al., "Rethinking the Inception architecture" (2016), as in torchvision."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.models.twins.layers import ConvBN, normalise_as_inception, scaled


def pool_average(x, count_include_pad):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=count_include_pad)


class InceptionA(nn.Module):
    """Figure 5, with one 5x5."""

    def __init__(self, i, pool, scale, include):
        super().__init__()
        self.include = include
        c48, c64, c96 = map(scale, (48, 64, 96))
        self.branch1x1 = ConvBN(i, c64, 1)
        self.branch5x5_1 = ConvBN(i, c48, 1)
        self.branch5x5_2 = ConvBN(c48, c64, 5, padding=2)
        self.branch3x3dbl_1 = ConvBN(i, c64, 1)
        self.branch3x3dbl_2 = ConvBN(c64, c96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBN(c96, c96, 3, padding=1)
        self.branch_pool = ConvBN(i, scale(pool), 1)
        self.out_channels = 2 * c64 + c96 + scale(pool)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pool = self.branch_pool(pool_average(x, self.include))
        return torch.cat([self.branch1x1(x), five, three, pool], 1)


class ReductionA(nn.Module):
    """Figure 10: 35x35 to 17x17."""

    def __init__(self, i, scale):
        super().__init__()
        self.branch3x3 = ConvBN(i, scale(384), 3, 2)
        self.branch3x3dbl_1 = ConvBN(i, scale(64), 1)
        self.branch3x3dbl_2 = ConvBN(scale(64), scale(96), 3, padding=1)
        self.branch3x3dbl_3 = ConvBN(scale(96), scale(96), 3, 2)
        self.out_channels = scale(384) + scale(96) + i

    def forward(self, x):
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, 2)], 1)


class InceptionB(nn.Module):
    """Figure 6, n = 7."""

    def __init__(self, i, inner, scale, include):
        super().__init__()
        self.include = include
        c, o = scale(inner), scale(192)
        row, column = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = ConvBN(i, o, 1)
        self.branch7x7_1 = ConvBN(i, c, 1)
        self.branch7x7_2 = ConvBN(c, c, **row)
        self.branch7x7_3 = ConvBN(c, o, **column)
        self.branch7x7dbl_1 = ConvBN(i, c, 1)
        self.branch7x7dbl_2 = ConvBN(c, c, **column)
        self.branch7x7dbl_3 = ConvBN(c, c, **row)
        self.branch7x7dbl_4 = ConvBN(c, c, **column)
        self.branch7x7dbl_5 = ConvBN(c, o, **row)
        self.branch_pool = ConvBN(i, o, 1)
        self.out_channels = 4 * o

    def forward(self, x):
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pool = self.branch_pool(pool_average(x, self.include))
        return torch.cat([self.branch1x1(x), seven, double, pool], 1)


class ReductionB(nn.Module):
    """17x17 to 8x8."""

    def __init__(self, i, scale):
        super().__init__()
        c = scale(192)
        self.branch3x3_1 = ConvBN(i, c, 1)
        self.branch3x3_2 = ConvBN(c, scale(320), 3, 2)
        self.branch7x7x3_1 = ConvBN(i, c, 1)
        self.branch7x7x3_2 = ConvBN(c, c, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvBN(c, c, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvBN(c, c, 3, 2)
        self.out_channels = scale(320) + c + i

    def forward(self, x):
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    """Figure 7: branches that split."""

    def __init__(self, i, scale, include):
        super().__init__()
        self.include = include
        c320, c384, c448, c192 = map(scale, (320, 384, 448, 192))
        row, column = {"kernel": (1, 3), "padding": (0, 1)}, {"kernel": (3, 1), "padding": (1, 0)}
        self.branch1x1 = ConvBN(i, c320, 1)
        self.branch3x3_1 = ConvBN(i, c384, 1)
        self.branch3x3_2a = ConvBN(c384, c384, **row)
        self.branch3x3_2b = ConvBN(c384, c384, **column)
        self.branch3x3dbl_1 = ConvBN(i, c448, 1)
        self.branch3x3dbl_2 = ConvBN(c448, c384, 3, padding=1)
        self.branch3x3dbl_3a = ConvBN(c384, c384, **row)
        self.branch3x3dbl_3b = ConvBN(c384, c384, **column)
        self.branch_pool = ConvBN(i, c192, 1)
        self.out_channels = c320 + 4 * c384 + c192

    def forward(self, x):
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return torch.cat(
            [
                self.branch1x1(x),
                self.branch3x3_2a(three),
                self.branch3x3_2b(three),
                self.branch3x3dbl_3a(double),
                self.branch3x3dbl_3b(double),
                self.branch_pool(pool_average(x, self.include)),
            ],
            1,
        )


class Auxiliary(nn.Module):
    """Average 5x5 at stride 3, or to 5x5 where the map is too small for what follows: convolutions 1x1, 5x5; linear."""

    def __init__(self, i, num_classes, scale):
        super().__init__()
        self.conv0 = ConvBN(i, scale(128), 1)
        self.conv1 = ConvBN(scale(128), scale(768), 5)
        self.fc = nn.Linear(scale(768), num_classes)

    def forward(self, x):
        x = F.avg_pool2d(x, 5, 3) if min(x.shape[2:]) >= 17 else F.adaptive_avg_pool2d(x, 5)
        return self.fc(self.conv1(self.conv0(x)).mean((2, 3)))


class InceptionV3(nn.Module):
    def __init__(
        self,
        num_classes=1000,
        in_channels=3,
        stem="imagenet",
        width=1.0,
        aux_logits=True,
        transform_input=False,
        dropout=0.5,
        count_include_pad=True,
    ):
        super().__init__()
        scale, include = scaled(width), count_include_pad
        self.transform_input = transform_input
        self.small = stem == "cifar"
        stride, padding = (1, 1) if self.small else (2, 0)
        self.Conv2d_1a_3x3 = ConvBN(in_channels, scale(32), 3, stride, padding)
        self.Conv2d_2a_3x3 = ConvBN(scale(32), scale(32), 3, 1, padding)
        self.Conv2d_2b_3x3 = ConvBN(scale(32), scale(64), 3, 1, 1)
        self.Conv2d_3b_1x1 = ConvBN(scale(64), scale(80), 1)
        self.Conv2d_4a_3x3 = ConvBN(scale(80), scale(192), 3, 1, padding)
        i = self.add("Mixed_5b", InceptionA(scale(192), 32, scale, include))
        i = self.add("Mixed_5c", InceptionA(i, 64, scale, include))
        i = self.add("Mixed_5d", InceptionA(i, 64, scale, include))
        i = self.add("Mixed_6a", ReductionA(i, scale))
        for name, inner in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
            i = self.add(name, InceptionB(i, inner, scale, include))
        self.AuxLogits = Auxiliary(i, num_classes, scale) if aux_logits else None
        i = self.add("Mixed_7a", ReductionB(i, scale))
        i = self.add("Mixed_7b", InceptionC(i, scale, include))
        i = self.add("Mixed_7c", InceptionC(i, scale, include))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(i, num_classes)

    def add(self, name, module):
        self.add_module(name, module)
        return module.out_channels

    def forward(self, x):
        if self.transform_input:
            x = normalise_as_inception(x)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        if not self.small:
            x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        if not self.small:
            x = F.max_pool2d(x, 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        inner = x = self.Mixed_6e(self.Mixed_6d(x))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        logits = self.fc(self.dropout(x.mean((2, 3))))
        if self.training and self.AuxLogits is not None:
            return logits, self.AuxLogits(inner)
        return logits
