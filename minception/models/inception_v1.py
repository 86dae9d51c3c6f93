"""The Inception module, naive and reduced, and what the versions of GoogLeNet share.

Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich, "Going deeper with convolutions" (2015):
the modules are figure 2, their widths table 1, the auxiliary heads section 5. The networks are in `googlenet.py`
(torchvision's), `googlenet_paper.py` and `googlenet_teaching.py`.
"""

from .. import functional as F
from .. import nn
from .blocks import scale_channels
from .joining import joins_branches

# Table 1: channels of 1x1 | reduced, 3x3 | reduced, 5x5 | projected pool.
TABLE_1 = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}


class ConvReLU(nn.Module):
    """Convolution with bias, ReLU: (N, in_channels, H, W) to (N, out_channels, OH, OW). Its child is `conv`."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)

    def forward(self, x):
        return F.relu(self.conv(x))


class InceptionNaive(nn.Module):
    """Figure 2(a): 1x1, 3x3, 5x5 and pooled views of the same pixels, without reductions.

    (N, in_channels, H, W) to (N, channels1x1 + channels3x3 + channels5x5 + in_channels, H, W): the pool passes all its
    channels on, so that every module is wider than the one before, which is what the reductions are for. `unit` makes a
    convolution: unit(in_channels, out_channels, kernel_size, padding=...).
    """

    def __init__(self, in_channels, channels1x1, channels3x3, channels5x5, unit=ConvReLU):
        super().__init__()
        self.branch1 = unit(in_channels, channels1x1, 1)
        self.branch2 = unit(in_channels, channels3x3, 3, padding=1)
        self.branch3 = unit(in_channels, channels5x5, 5, padding=2)
        self.branch4 = nn.MaxPool2d(3, stride=1, padding=1)
        self.out_channels = channels1x1 + channels3x3 + channels5x5 + in_channels

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class Inception(nn.Module):
    """Figure 2(b): 1x1 convolutions reduce the channels before the 3x3 and 5x5, and after the pool.

    (N, in_channels, H, W) to (N, out_channels, H, W), the sum of the branches' widths. The four arguments are a row of
    `TABLE_1`; `branch3x3` and `branch5x5` are pairs (reduced, width). `large_kernel` is 5, or 3 as in torchvision.
    """

    def __init__(self, in_channels, branch1x1, branch3x3, branch5x5, branch_pool, unit=ConvReLU, large_kernel=5):
        super().__init__()
        self.branch1 = unit(in_channels, branch1x1, 1)
        self.branch2 = nn.Sequential(
            unit(in_channels, branch3x3[0], 1),
            unit(branch3x3[0], branch3x3[1], 3, padding=1),
        )
        self.branch3 = nn.Sequential(
            unit(in_channels, branch5x5[0], 1),
            unit(branch5x5[0], branch5x5[1], large_kernel, padding=large_kernel // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            unit(in_channels, branch_pool, 1),
        )
        self.out_channels = branch1x1 + branch3x3[1] + branch5x5[1] + branch_pool

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


def inception_modules(in_channels, width=1.0, **options):
    """The nine modules of table 1 as a dict "3a" -> `Inception`, for `in_channels` channels of the stem."""
    modules = {}
    for name, (branch1x1, branch3x3, branch5x5, branch_pool) in TABLE_1.items():
        modules[name] = Inception(
            in_channels,
            scale_channels(branch1x1, width),
            [scale_channels(channels, width) for channels in branch3x3],
            [scale_channels(channels, width) for channels in branch5x5],
            scale_channels(branch_pool, width),
            **options,
        )
        in_channels = modules[name].out_channels
    return modules


class AuxiliaryHead(nn.Module):
    """A classifier on an inner layer (section 5): (N, in_channels, H, W) to logits (N, num_classes).

    The image is averaged to 4x4, by windows of 5x5 with stride 3 if `paper_pool` (from 14x14 to 16x16), and otherwise,
    or where those give another size, by an even grid. 1x1 convolution to 128 channels, 1024 units, dropout, classes.
    """

    def __init__(self, in_channels, num_classes, width, dropout, unit, paper_pool):
        super().__init__()
        channels, units = scale_channels(128, width), scale_channels(1024, width)
        self.paper_pool = paper_pool
        self.conv = unit(in_channels, channels, 1)
        self.fc1 = nn.Linear(16 * channels, units)
        self.fc2 = nn.Linear(units, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        if self.paper_pool and all(14 <= size <= 16 for size in x.shape[2:]):
            x = F.avg_pool2d(x, 5, stride=3)
        else:
            x = F.adaptive_avg_pool2d(x, 4)
        x = F.flatten(self.conv(x), 1)  # (N, 2048)
        x = F.relu(self.fc1(x))
        return self.fc2(self.dropout(x))
