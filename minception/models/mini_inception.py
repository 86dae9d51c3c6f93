"""A small Inception network for 32x32 images.

The module is that of Szegedy et al., "Going deeper with convolutions" (2015), figure 2(b), with the 5x5 branch as
two 3x3 convolutions and batch norm after every convolution, as in Ioffe and Szegedy, "Batch normalization"
(2015), appendix. The network keeps the paper's order (stem, modules between max pools, global average pool,
dropout, linear) at the size that 32x32 images need.
"""

from .. import functional as F
from .. import nn
from .blocks import ConvBNReLU
from .joining import joins_branches
from .registry import register


class Inception(nn.Module):
    """Four views of the same pixels, concatenated along the channels.

    (N, in_channels, H, W) to (N, sum of the branches' widths, H, W). `branch3x3` is (reduced, width);
    `branch5x5` is (reduced, width), two 3x3 convolutions that see 5x5 pixels; `branch_pool` the width of the
    1x1 convolution after a 3x3 max pool.
    """

    def __init__(self, in_channels, branch1x1, branch3x3, branch5x5, branch_pool):
        super().__init__()
        self.branch1x1 = ConvBNReLU(in_channels, branch1x1, 1)
        self.branch3x3 = nn.Sequential(
            ConvBNReLU(in_channels, branch3x3[0], 1),
            ConvBNReLU(branch3x3[0], branch3x3[1], 3, padding=1),
        )
        self.branch5x5 = nn.Sequential(
            ConvBNReLU(in_channels, branch5x5[0], 1),
            ConvBNReLU(branch5x5[0], branch5x5[1], 3, padding=1),
            ConvBNReLU(branch5x5[1], branch5x5[1], 3, padding=1),
        )
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            ConvBNReLU(in_channels, branch_pool, 1),
        )
        self.out_channels = branch1x1 + branch3x3[1] + branch5x5[1] + branch_pool

    @joins_branches
    def forward(self, x):
        branches = [self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)]
        return F.cat(branches, dim=1)


class MiniInception(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, 32, 32); any size from 8x8 works."""

    def __init__(self, num_classes=10, in_channels=3, dropout=0.1):
        super().__init__()
        self.stem = nn.Sequential(
            ConvBNReLU(in_channels, 32, 3, padding=1),  # 32x32
            ConvBNReLU(32, 64, 3, padding=1),
        )
        self.pool1 = nn.MaxPool2d(2)
        self.inception2a = Inception(64, 32, (64, 128), (16, 32), 32)  # 16x16
        self.pool2 = nn.MaxPool2d(2)
        self.inception3a = Inception(224, 64, (128, 256), (32, 64), 64)  # 8x8
        self.inception3b = Inception(448, 64, (128, 256), (32, 64), 64)
        self.pool3 = nn.MaxPool2d(2)
        self.inception4a = Inception(448, 128, (192, 384), (48, 96), 96)  # 4x4
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.inception4a.out_channels, num_classes)

    def forward(self, x):
        x = self.pool1(self.stem(x))
        x = self.pool2(self.inception2a(x))
        x = self.pool3(self.inception3b(self.inception3a(x)))
        x = F.global_avg_pool2d(self.inception4a(x))
        return self.fc(self.dropout(F.flatten(x, 1)))


@register(
    paper="after Szegedy et al. 2015 and Ioffe and Szegedy 2015",
    input_size=32,
    num_classes=10,
    parameters=2_018_538,
    multiply_accumulates=117_685_120,
)
def mini_inception(num_classes=10, in_channels=3, dropout=0.1):
    """The small Inception network; see `MiniInception`."""
    return MiniInception(num_classes, in_channels, dropout)
