"""Small networks with the shapes that pictures and counts have to deal with."""

import minception.functional as F
from minception import nn
from minception.models import GoogLeNetOutputs
from minception.models.blocks import ConvBNReLU
from minception.models.mini_inception import Inception


class Head(nn.Module):
    """An auxiliary classifier: (N, channels, H, W) to (N, 5)."""

    def __init__(self, channels):
        super().__init__()
        self.conv = ConvBNReLU(channels, 6, 1)
        self.fc = nn.Linear(6 * 4, 5)

    def forward(self, x):
        return self.fc(F.dropout(F.flatten(self.conv(F.adaptive_avg_pool2d(x, 2)), 1), 0.5, self.training))


class TwoHeads(nn.Module):
    """Three Inception modules with an auxiliary head after each of the first two, used in training only."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBNReLU(3, 8, 3, padding=1)
        self.first = Inception(8, 4, (4, 6), (2, 3), 3)
        self.second = Inception(16, 4, (4, 6), (2, 3), 3)
        self.third = Inception(16, 4, (4, 6), (2, 3), 3)
        self.aux1 = Head(16)
        self.aux2 = Head(16)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.first(self.stem(x * 2 + 1))
        aux1 = self.aux1(x) if self.training else None
        x = self.second(x)
        aux2 = self.aux2(x) if self.training else None
        logits = self.fc(F.flatten(F.global_avg_pool2d(self.third(x)), 1))
        return GoogLeNetOutputs(logits, aux2, aux1) if self.training else logits


class Forked(nn.Module):
    """The 8x8 module of Inception v3 (figure 7): branches that fork and are concatenated by themselves first."""

    def __init__(self, channels):
        super().__init__()
        self.branch1 = ConvBNReLU(channels, 4, 1)
        self.branch2 = ConvBNReLU(channels, 5, 1)
        self.branch2a = ConvBNReLU(5, 6, (1, 3), padding=(0, 1))
        self.branch2b = ConvBNReLU(5, 7, (3, 1), padding=(1, 0))
        self.branch_pool = ConvBNReLU(channels, 8, 1)

    def forward(self, x):
        y = self.branch2(x)
        y = F.cat([self.branch2a(y), self.branch2b(y)], dim=1)
        return F.cat([self.branch1(x), y, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))], dim=1)


class Dense(nn.Module):
    """Every layer reads all before it: no series of branches. (N, C, H, W) to (N, C + 3 * growth, H, W)."""

    def __init__(self, channels, growth=4):
        super().__init__()
        self.layers = nn.ModuleList(ConvBNReLU(channels + i * growth, growth, 3, padding=1) for i in range(3))

    def forward(self, x):
        features = [x]
        for layer in self.layers:
            features.append(layer(F.cat(features, dim=1)))
        return F.cat(features, dim=1)


class Gated(nn.Module):
    """A residual block whose branch is scaled by a function of its own mean."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        y = self.conv(x)
        return F.scaled_add(x, y * F.sigmoid(self.gate(F.global_avg_pool2d(y))), 0.5)


class Entangled(nn.Module):
    """Inception modules each of which reads the two before it."""

    def __init__(self):
        super().__init__()
        self.first = Inception(3, 4, (4, 6), (2, 3), 3)
        self.second = Inception(19, 4, (4, 6), (2, 3), 3)
        self.third = Inception(32, 4, (4, 6), (2, 3), 3)

    def forward(self, x):
        first = self.first(x)
        second = self.second(F.cat([x, first], dim=1))
        third = self.third(F.cat([first, second], dim=1))
        return second + third
