"""Chollet, "Xception: deep learning with depthwise separable convolutions" (2017), with the paper's experiments."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from tests.models.twins.layers import scaled

BETWEEN = {None: nn.Identity, "relu": nn.ReLU, "elu": nn.ELU}


class SegmentedInception(nn.Module):
    """Figures 2 to 4: 1x1, then one spatial convolution per segment of the channels."""

    def __init__(self, i, o, segments, kernel_size=3):
        super().__init__()
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)
        self.spatial = nn.Conv2d(o, o, kernel_size, padding=kernel_size // 2, groups=segments, bias=False)

    def forward(self, x):
        return self.spatial(self.pointwise(x))


class Separable(nn.Module):
    def __init__(self, i, o, between=None, order="depthwise_first"):
        super().__init__()
        self.depthwise_first = order == "depthwise_first"
        channels = i if self.depthwise_first else o
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)
        self.between = BETWEEN[between]()

    def forward(self, x):
        first, second = (self.conv1, self.pointwise) if self.depthwise_first else (self.pointwise, self.conv1)
        return second(self.between(first(x)))


class SamePool(nn.Module):
    """TensorFlow's SAME max pool, 3x3 at stride 2: one row less above and one column less on the left at even sizes."""

    def forward(self, x):
        height, width = x.shape[2:]
        x = F.pad(x, (width % 2, 1, height % 2, 1), value=float("-inf"))
        return F.max_pool2d(x, 3, 2)


class Block(nn.Module):
    """Separable convolutions from i to o channels, of which the first changes them, or in the exit flow the last."""

    def __init__(self, i, o, reps, stride, eps, separable, pool, residual, leading_relu=True, grow_first=True):
        super().__init__()
        self.residual = residual
        changes = i != o or stride != 1
        self.skip = nn.Conv2d(i, o, 1, stride, bias=False) if residual and changes else None
        self.skipbn = nn.BatchNorm2d(o, eps=eps) if residual and changes else None
        inner = o if grow_first else i
        channels = [i, *[inner] * (reps - 1), o]
        layers = []
        for before, after in pairwise(channels):
            layers += [nn.ReLU(), separable(before, after), nn.BatchNorm2d(after, eps=eps)]
        self.rep = nn.Sequential(*layers[0 if leading_relu else 1 :], *([pool()] if stride == 2 else []))

    def forward(self, x):
        y = self.rep(x)
        if not self.residual:
            return y
        return y + (x if self.skip is None else self.skipbn(self.skip(x)))


class Xception(nn.Module):
    def __init__(
        self,
        num_classes=1000,
        in_channels=3,
        stem="imagenet",
        width=1.0,
        dropout=0.5,
        between=None,
        residual=True,
        order="depthwise_first",
        eps=1e-5,
        same_pooling=False,
    ):
        super().__init__()
        c32, c64, c128, c256, c728, c1024, c1536, c2048 = map(scaled(width), (32, 64, 128, 256, 728, 1024, 1536, 2048))
        stride, padding = (1, 1) if stem == "cifar" else (2, 0)

        def separable(i, o):
            return Separable(i, o, between, order)

        def pool():
            return SamePool() if same_pooling else nn.MaxPool2d(3, 2, 1)

        def block(i, o, reps, stride, **options):
            return Block(i, o, reps, stride, eps, separable, pool, residual, **options)

        self.conv1 = nn.Conv2d(in_channels, c32, 3, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(c32, eps=eps)
        self.conv2 = nn.Conv2d(c32, c64, 3, 1, padding, bias=False)
        self.bn2 = nn.BatchNorm2d(c64, eps=eps)
        self.block1 = block(c64, c128, 2, 2, leading_relu=False)
        self.block2 = block(c128, c256, 2, 2)
        self.block3 = block(c256, c728, 2, 2)
        for number in range(4, 12):
            self.add_module(f"block{number}", block(c728, c728, 3, 1))
        self.block12 = block(c728, c1024, 2, 2, grow_first=False)
        self.conv3 = separable(c1024, c1536)
        self.bn3 = nn.BatchNorm2d(c1536, eps=eps)
        self.conv4 = separable(c1536, c2048)
        self.bn4 = nn.BatchNorm2d(c2048, eps=eps)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(c2048, num_classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        for number in range(1, 13):
            x = getattr(self, f"block{number}")(x)
        x = torch.relu(self.bn3(self.conv3(x)))
        x = torch.relu(self.bn4(self.conv4(x)))
        return self.fc(self.dropout(x.mean((2, 3))))
