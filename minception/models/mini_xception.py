"""A small Xception for 32x32 images.

The blocks are those of Chollet, "Xception: deep learning with depthwise separable convolutions" (2017), figure 5:
separable convolutions with batch norm after each, a ReLU before each but none between depthwise and pointwise,
and a residual connection around every block, which is a strided 1x1 convolution where the block shrinks the image.
"""

from .. import functional as F
from .. import nn
from .blocks import ConvBNReLU
from .registry import register


class SeparableBlock(nn.Module):
    """ReLU, separable 3x3 convolution, BN, twice; halved by a 3x3 max pool if `stride` is 2; plus the input.

    (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.separable1 = nn.SeparableConv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNormReLU2d(out_channels)
        self.separable2 = nn.SeparableConv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(3, stride, padding=1) if stride > 1 else nn.Identity()
        if stride > 1 or in_channels != out_channels:
            self.skip = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        else:
            self.skip = nn.Identity()

    def forward(self, x):
        y = self.bn1(self.separable1(F.relu(x)))
        y = self.bn2(self.separable2(y))
        return self.pool(y) + self.skip(x)


class MiniXception(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, 32, 32); any size from 8x8 works."""

    def __init__(self, num_classes=10, in_channels=3, dropout=0.1):
        super().__init__()
        self.stem = ConvBNReLU(in_channels, 32, 3, padding=1)  # 32x32
        self.entry1 = SeparableBlock(32, 64, stride=2)  # 16x16
        self.entry2 = SeparableBlock(64, 128, stride=2)  # 8x8
        self.middle = nn.Sequential(*(SeparableBlock(128, 128) for _ in range(3)))
        self.exit = SeparableBlock(128, 256, stride=2)  # 4x4
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(256, num_classes)

    def forward(self, x):
        x = self.entry2(self.entry1(self.stem(x)))
        x = F.relu(self.exit(self.middle(x)))
        return self.fc(self.dropout(F.flatten(F.global_avg_pool2d(x), 1)))


@register(
    paper="after Chollet 2017",
    input_size=32,
    num_classes=10,
    parameters=291_018,
    multiply_accumulates=29_616_640,
)
def mini_xception(num_classes=10, in_channels=3, dropout=0.1):
    """The small Xception; see `MiniXception`."""
    return MiniXception(num_classes, in_channels, dropout)
