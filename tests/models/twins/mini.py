"""The mini networks."""

import torch
from torch import nn


class ConvBNReLU(nn.Module):
    def __init__(self, i, o, kernel, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class Inception(nn.Module):
    def __init__(self, i, b1, b3, b5, bp):
        super().__init__()
        self.branch1x1 = ConvBNReLU(i, b1, 1)
        self.branch3x3 = nn.Sequential(ConvBNReLU(i, b3[0], 1), ConvBNReLU(*b3, 3, 1))
        self.branch5x5 = nn.Sequential(ConvBNReLU(i, b5[0], 1), ConvBNReLU(*b5, 3, 1), ConvBNReLU(b5[1], b5[1], 3, 1))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvBNReLU(i, bp, 1))

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], 1)


class MiniInception(nn.Module):
    def __init__(self, num_classes=10, in_channels=3):
        super().__init__()
        self.stem = nn.Sequential(ConvBNReLU(in_channels, 32, 3, 1), ConvBNReLU(32, 64, 3, 1))
        self.inception2a = Inception(64, 32, (64, 128), (16, 32), 32)
        self.inception3a = Inception(224, 64, (128, 256), (32, 64), 64)
        self.inception3b = Inception(448, 64, (128, 256), (32, 64), 64)
        self.inception4a = Inception(448, 128, (192, 384), (48, 96), 96)
        self.fc = nn.Linear(704, num_classes)

    def forward(self, x):
        halve = nn.MaxPool2d(2)
        x = halve(self.stem(x))
        x = halve(self.inception2a(x))
        x = halve(self.inception3b(self.inception3a(x)))
        return self.fc(self.inception4a(x).mean((2, 3)))


class Separable(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.depthwise = nn.Conv2d(i, i, 3, padding=1, groups=i, bias=False)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class SeparableBlock(nn.Module):
    def __init__(self, i, o, stride=1):
        super().__init__()
        self.separable1, self.bn1 = Separable(i, o), nn.BatchNorm2d(o)
        self.separable2, self.bn2 = Separable(o, o), nn.BatchNorm2d(o)
        self.shrinks = stride == 2
        if self.shrinks:
            self.skip = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn1(self.separable1(x.relu()))
        y = self.bn2(self.separable2(y.relu()))
        return nn.functional.max_pool2d(y, 3, 2, 1) + self.skip(x) if self.shrinks else y + x


class MiniXception(nn.Module):
    def __init__(self, num_classes=10, in_channels=3):
        super().__init__()
        self.stem = ConvBNReLU(in_channels, 32, 3, 1)
        self.entry1 = SeparableBlock(32, 64, 2)
        self.entry2 = SeparableBlock(64, 128, 2)
        self.middle = nn.Sequential(*[SeparableBlock(128, 128) for _ in range(3)])
        self.exit = SeparableBlock(128, 256, 2)
        self.fc = nn.Linear(256, num_classes)

    def forward(self, x):
        x = self.middle(self.entry2(self.entry1(self.stem(x))))
        return self.fc(self.exit(x).relu().mean((2, 3)))
