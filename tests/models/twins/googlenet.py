"""Szegedy et al., "Going deeper with convolutions" (2015): torchvision's version, the paper's, and one for teaching."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.models.twins.inception_v1_modules import add_modules
from tests.models.twins.layers import ConvBN, ConvReLU, normalise_as_inception, scaled


class Auxiliary(nn.Module):
    """Adaptive pool, 1x1 convolution, two linear layers; `paper_pool` averages 5x5 at stride 3 where that gives 4x4."""

    def __init__(self, conv, i, channels, hidden, num_classes, dropout, paper_pool=False):
        super().__init__()
        self.paper_pool = paper_pool
        self.conv = conv(i, channels, 1)
        self.fc1 = nn.Linear(16 * channels, hidden)
        self.fc2 = nn.Linear(hidden, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        fits = all(14 <= size <= 16 for size in x.shape[2:])
        x = F.avg_pool2d(x, 5, 3) if self.paper_pool and fits else F.adaptive_avg_pool2d(x, 4)
        x = F.relu(self.fc1(self.conv(x).flatten(1)))
        return self.fc2(self.dropout(x))


class Base(nn.Module):
    """From inception3a to the logits; subclasses add the stem and the last two pools."""

    def add_body(self, i, num_classes, dropout, scale=lambda channels: channels, auxiliary=None, **options):
        outputs = add_modules(self, i, scale, **options)
        self.aux1 = auxiliary(sum(map(scale, (192, 208, 48, 64)))) if auxiliary else None
        self.aux2 = auxiliary(sum(map(scale, (112, 288, 64, 64)))) if auxiliary else None
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(outputs, num_classes)

    def body(self, x):
        x = self.pool3(self.inception3b(self.inception3a(x)))
        early = x = self.inception4a(x)
        late = x = self.inception4d(self.inception4c(self.inception4b(x)))
        x = self.pool4(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        logits = self.fc(self.dropout(x.mean((2, 3))))
        if self.training and self.aux1 is not None:
            return logits, self.aux2(late), self.aux1(early)
        return logits


class GoogLeNet(Base):
    """torchvision's: batch norm, 3x3 in place of 5x5, a fourth pool of 2x2."""

    def __init__(
        self,
        num_classes=1000,
        in_channels=3,
        stem="imagenet",
        width=1.0,
        aux_logits=True,
        transform_input=False,
        dropout=0.2,
        dropout_aux=0.7,
    ):
        super().__init__()
        scale = scaled(width)
        self.transform_input = transform_input
        self.small = stem == "cifar"
        if self.small:
            self.conv1 = ConvBN(in_channels, scale(192), 3, 1, 1)
        else:
            self.conv1 = ConvBN(in_channels, scale(64), 7, 2, 3)
            self.conv2 = ConvBN(scale(64), scale(64), 1)
            self.conv3 = ConvBN(scale(64), scale(192), 3, 1, 1)
        self.pool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool4 = nn.MaxPool2d(2, 2, ceil_mode=True)

        def auxiliary(i):
            return Auxiliary(ConvBN, i, scale(128), scale(1024), num_classes, dropout_aux)

        self.add_body(scale(192), num_classes, dropout, scale, auxiliary if aux_logits else None, kernel=3)

    def forward(self, x):
        if self.transform_input:
            x = normalise_as_inception(x)
        x = self.conv1(x)
        if not self.small:
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = self.conv3(self.conv2(x))
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        return self.body(x)


class GoogLeNetPaper(Base):
    """The paper's: biases, local response normalisation, true 5x5, all pools 3x3."""

    def __init__(self, num_classes=1000, in_channels=3, aux_logits=True, dropout=0.4, dropout_aux=0.7):
        super().__init__()
        self.conv1 = ConvReLU(in_channels, 64, 7, 2, 3)
        self.conv2 = ConvReLU(64, 64, 1)
        self.conv3 = ConvReLU(64, 192, 3, 1, 1)
        self.lrn = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)
        self.pool = self.pool3 = self.pool4 = nn.MaxPool2d(3, 2, ceil_mode=True)

        def auxiliary(i):
            return Auxiliary(ConvReLU, i, 128, 1024, num_classes, dropout_aux, paper_pool=True)

        self.add_body(192, num_classes, dropout, auxiliary=auxiliary if aux_logits else None, batch_norm=False)

    def forward(self, x):
        x = self.lrn(self.pool(self.conv1(x)))
        x = self.lrn(self.conv3(self.conv2(x)))
        return self.body(self.pool(x))


class GoogLeNetTeaching(Base):
    """For small images of one channel: no heads, no dropout, two convolutions without activation, log-softmax."""

    def __init__(self, num_classes=10, in_channels=1):
        super().__init__()
        self.conv1 = ConvReLU(in_channels, 64, 7, 2, 3)
        self.conv2 = nn.ModuleDict({"conv": nn.Conv2d(64, 64, 1)})
        self.conv3 = nn.ModuleDict({"conv": nn.Conv2d(64, 192, 3, padding=1)})
        self.pool = self.pool3 = self.pool4 = nn.MaxPool2d(3, 2, 1)
        self.add_body(192, num_classes, 0.0, batch_norm=False)

    def forward(self, x):
        x = self.pool(self.conv1(x))
        x = self.conv3["conv"](self.conv2["conv"](x))
        return torch.log_softmax(self.body(self.pool(x)), 1)
