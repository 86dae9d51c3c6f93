"""Chen et al., "Encoder-decoder with atrous separable convolution" (2018), section 3.2: Xception-41, -65 and -71."""

from collections import OrderedDict

from torch import nn

from tests.models.twins.layers import ConvBN

EPS = 1e-3


class Shortcut(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv = nn.Conv2d(i, o, 1, stride, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=EPS)

    def forward(self, x):
        return self.bn(self.conv(x))


class Separable(nn.Module):
    """Batch norm after both convolutions; a ReLU after the first where `between`, after the second where `after`."""

    def __init__(self, i, o, stride, between, after):
        super().__init__()
        self.conv_dw = nn.Conv2d(i, i, 3, stride, 1, groups=i, bias=False)
        self.bn_dw = nn.BatchNorm2d(i, eps=EPS)
        self.act_dw = nn.ReLU() if between else nn.Identity()
        self.conv_pw = nn.Conv2d(i, o, 1, bias=False)
        self.bn_pw = nn.BatchNorm2d(o, eps=EPS)
        self.act_pw = nn.ReLU() if after else nn.Identity()

    def forward(self, x):
        x = self.act_dw(self.bn_dw(self.conv_dw(x)))
        return self.act_pw(self.bn_pw(self.conv_pw(x)))


class Block(nn.Module):
    """Three separable convolutions, each after a ReLU, the last with the stride. The last block has no skip.

    The ReLU before the second and third is counted as the end of the one before.
    """

    def __init__(self, i, outs, stride, last=False):
        super().__init__()
        self.last = last
        changes = (i, 1) != (outs[-1], stride)
        self.shortcut = Shortcut(i, outs[-1], stride) if changes and not last else None
        layers = OrderedDict()
        for number, (before, after) in enumerate(zip([i, *outs[:-1]], outs, strict=True), 1):
            if number == 1 and not last:
                layers["act1"] = nn.ReLU()
            layers[f"conv{number}"] = Separable(before, after, stride if number == 3 else 1, last, last or number < 3)
        self.stack = nn.Sequential(layers)

    def forward(self, x):
        y = self.stack(x)
        if self.last:
            return y
        return y + (x if self.shortcut is None else self.shortcut(x))


class AlignedXception(nn.Module):
    """entry: pairs (channels, stride); middle: how many blocks of 728 channels."""

    def __init__(self, entry, middle, num_classes, in_channels, dropout):
        super().__init__()
        self.stem = nn.Sequential(ConvBN(in_channels, 32, 3, 2, 1), ConvBN(32, 64, 3, 1, 1))
        blocks, i = [], 64
        for channels, stride in (*entry, *[(728, 1)] * middle):
            blocks.append(Block(i, [channels] * 3, stride))
            i = channels
        blocks.append(Block(728, [728, 1024, 1024], 2))
        blocks.append(Block(1024, [1536, 1536, 2048], 1, last=True))
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.ModuleDict({"fc": nn.Linear(2048, num_classes)})

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.head["fc"](self.dropout(x.mean((2, 3))))


SHORT_ENTRY = ((128, 2), (256, 2), (728, 2))
LONG_ENTRY = ((128, 2), (256, 1), (256, 2), (728, 1), (728, 2))


def xception41(num_classes=1000, in_channels=3, dropout=0.0):
    return AlignedXception(SHORT_ENTRY, 8, num_classes, in_channels, dropout)


def xception65(num_classes=1000, in_channels=3, dropout=0.0):
    return AlignedXception(SHORT_ENTRY, 16, num_classes, in_channels, dropout)


def xception71(num_classes=1000, in_channels=3, dropout=0.0):
    return AlignedXception(LONG_ENTRY, 16, num_classes, in_channels, dropout)
