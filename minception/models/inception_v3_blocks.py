"""The modules of Inception v3, by torchvision's names.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for computer vision" (2016),
sections 3 to 5. Shapes are those of an image of 299x299 pixels at a width of 1; `out_channels` says how many channels a
module has after all.
"""

from functools import partial

from .. import functional as F
from .. import nn
from .blocks import ConvBNReLU, scale_channels
from .joining import joins_branches


def conv(in_channels, out_channels, kernel_size, stride=1, padding="same"):
    """Convolution, batch norm with the authors' eps, ReLU; padded to keep the size unless "valid" is said."""
    return ConvBNReLU(in_channels, out_channels, kernel_size, stride, padding, eps=1e-3)


def average_pool(count_include_pad):
    """The 3x3 mean around each pixel; at the border over 9 values (zeros outside), or over those inside the image."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=count_include_pad)


class InceptionA(nn.Module):
    """Figure 5, for the 35x35 grid: (N, in_channels, H, W) to (N, 224 + pool_channels, H, W).

    Two 3x3 convolutions stand for the 5x5 of GoogLeNet's module (section 3.1); the published network has its 3x3 branch
    as a 5x5.
    """

    def __init__(self, in_channels, pool_channels, width, count_include_pad):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch1x1 = conv(in_channels, c(64), 1)
        self.branch5x5_1 = conv(in_channels, c(48), 1)
        self.branch5x5_2 = conv(c(48), c(64), 5)
        self.branch3x3dbl_1 = conv(in_channels, c(64), 1)
        self.branch3x3dbl_2 = conv(c(64), c(96), 3)
        self.branch3x3dbl_3 = conv(c(96), c(96), 3)
        self.pool = average_pool(count_include_pad)
        self.branch_pool = conv(in_channels, c(pool_channels), 1)
        self.out_channels = c(64) + c(64) + c(96) + c(pool_channels)

    @joins_branches
    def forward(self, x):
        branches = [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(self.pool(x)),
        ]
        return F.cat(branches, dim=1)


class InceptionB(nn.Module):
    """Figure 10, from 35x35 to 17x17: (N, in_channels, H, W) to (N, 480 + in_channels, (H - 1) // 2, (W - 1) // 2).

    Convolutions and a pool, all with stride 2, side by side: neither squeezes the representation (section 5).
    """

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch3x3 = conv(in_channels, c(384), 3, stride=2, padding="valid")
        self.branch3x3dbl_1 = conv(in_channels, c(64), 1)
        self.branch3x3dbl_2 = conv(c(64), c(96), 3)
        self.branch3x3dbl_3 = conv(c(96), c(96), 3, stride=2, padding="valid")
        self.pool = nn.MaxPool2d(3, stride=2)
        self.out_channels = c(384) + c(96) + in_channels

    @joins_branches
    def forward(self, x):
        branches = [
            self.branch3x3(x),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.pool(x),
        ]
        return F.cat(branches, dim=1)


class InceptionC(nn.Module):
    """Figure 6 with n = 7, for the 17x17 grid: (N, in_channels, H, W) to (N, 768, H, W).

    Every 7x7 convolution is a 1x7 and a 7x1 (section 3.2). `middle_channels`: those between the convolutions.
    """

    def __init__(self, in_channels, middle_channels, width, count_include_pad):
        super().__init__()
        c = partial(scale_channels, width=width)
        middle = c(middle_channels)
        self.branch1x1 = conv(in_channels, c(192), 1)
        self.branch7x7_1 = conv(in_channels, middle, 1)
        self.branch7x7_2 = conv(middle, middle, (1, 7))
        self.branch7x7_3 = conv(middle, c(192), (7, 1))
        self.branch7x7dbl_1 = conv(in_channels, middle, 1)
        self.branch7x7dbl_2 = conv(middle, middle, (7, 1))
        self.branch7x7dbl_3 = conv(middle, middle, (1, 7))
        self.branch7x7dbl_4 = conv(middle, middle, (7, 1))
        self.branch7x7dbl_5 = conv(middle, c(192), (1, 7))
        self.pool = average_pool(count_include_pad)
        self.branch_pool = conv(in_channels, c(192), 1)
        self.out_channels = 4 * c(192)

    @joins_branches
    def forward(self, x):
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branches = [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(self.pool(x)),
        ]
        return F.cat(branches, dim=1)


class InceptionD(nn.Module):
    """After figure 10, from 17x17 to 8x8: (N, in_channels, H, W) to (N, 512 + in_channels, (H - 1) // 2, (W - 1) // 2),
    with a 7x7 convolution in two factors before one of the strided ones.
    """

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch3x3_1 = conv(in_channels, c(192), 1)
        self.branch3x3_2 = conv(c(192), c(320), 3, stride=2, padding="valid")
        self.branch7x7x3_1 = conv(in_channels, c(192), 1)
        self.branch7x7x3_2 = conv(c(192), c(192), (1, 7))
        self.branch7x7x3_3 = conv(c(192), c(192), (7, 1))
        self.branch7x7x3_4 = conv(c(192), c(192), 3, stride=2, padding="valid")
        self.pool = nn.MaxPool2d(3, stride=2)
        self.out_channels = c(320) + c(192) + in_channels

    @joins_branches
    def forward(self, x):
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        branches = [self.branch3x3_2(self.branch3x3_1(x)), self.branch7x7x3_4(seven), self.pool(x)]
        return F.cat(branches, dim=1)


class InceptionE(nn.Module):
    """Figure 7, for the 8x8 grid: (N, in_channels, H, W) to (N, 2048, H, W).

    The 1x3 and the 3x1 convolution stand side by side, for many channels on the coarsest grid (section 2, principle 2).
    """

    def __init__(self, in_channels, width, count_include_pad):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch1x1 = conv(in_channels, c(320), 1)
        self.branch3x3_1 = conv(in_channels, c(384), 1)
        self.branch3x3_2a = conv(c(384), c(384), (1, 3))
        self.branch3x3_2b = conv(c(384), c(384), (3, 1))
        self.branch3x3dbl_1 = conv(in_channels, c(448), 1)
        self.branch3x3dbl_2 = conv(c(448), c(384), 3)
        self.branch3x3dbl_3a = conv(c(384), c(384), (1, 3))
        self.branch3x3dbl_3b = conv(c(384), c(384), (3, 1))
        self.pool = average_pool(count_include_pad)
        self.branch_pool = conv(in_channels, c(192), 1)
        self.out_channels = c(320) + 4 * c(384) + c(192)

    @joins_branches
    def forward(self, x):
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(self.pool(x)),
        ]
        return F.cat(branches, dim=1)


class AuxiliaryHead(nn.Module):
    """Figure 8, a classifier on the 17x17 grid: (N, in_channels, H, W) to logits (N, num_classes).

    The 5x5 convolution is the figure's fully connected layer; on larger grids it has several positions, whose mean is
    taken. Grids smaller than 17x17, on which the published head fails, are averaged to the 5x5 that it needs.
    """

    def __init__(self, in_channels, num_classes, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.conv0 = conv(in_channels, c(128), 1)
        self.conv1 = conv(c(128), c(768), 5, padding="valid")
        self.fc = nn.Linear(c(768), num_classes)

    def forward(self, x):
        small = min(x.shape[2:]) < 17
        x = F.adaptive_avg_pool2d(x, 5) if small else F.avg_pool2d(x, 5, stride=3)  # (N, 768, 5, 5)
        x = self.conv1(self.conv0(x))  # (N, 768, 1, 1)
        return self.fc(F.flatten(F.global_avg_pool2d(x), 1))
