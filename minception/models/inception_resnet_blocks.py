"""The residual Inception modules that Inception-ResNet v1 and v2 share.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the impact of residual connections on learning"
(2017), section 3.2. Names are those of the published weights.
"""

from .. import functional as F
from .. import nn
from ..kernels.checks import integer, real
from .inception_v3_blocks import conv
from .joining import joins_branches


class ResidualBlock(nn.Module):
    """relu(x + scale * conv2d(branches of x)): (N, C, H, W) to the same shape.

    A subclass makes the branches and `conv2d`, which brings what they see to C channels: a linear 1x1 convolution with
    bias, without batch norm and activation (figures 10 to 19 and section 3.2). `scale` below 1 keeps wide networks
    trainable (section 3.3, figure 20). `activation=False`: without the ReLU, as in the last block of the network.
    """

    def __init__(self, scale, activation=True):
        super().__init__()
        self.scale = scale
        self.activation = activation

    def branches(self, x):
        """What the branches make of `x`, a list of tensors (N, ..., H, W)."""
        raise NotImplementedError

    @joins_branches
    def forward(self, x):
        y = F.cat(self.branches(x), dim=1)
        y = F.scaled_add(x, self.conv2d(y), self.scale)
        return F.relu(y) if self.activation else y

    def extra_repr(self):
        return f"scale={self.scale}, activation={self.activation}"


class Block35(ResidualBlock):
    """Inception-ResNet-A, for the 35x35 grid: figure 10 (v1) and 16 (v2), by other widths.

    The branches are a 1x1 convolution, 1x1 and 3x3 (`branch1` has both widths), and 1x1 and two 3x3 (`branch2`).
    """

    def __init__(self, in_channels, branch0, branch1, branch2, scale):
        super().__init__(scale)
        self.branch0 = conv(in_channels, branch0, 1)
        self.branch1 = nn.Sequential(conv(in_channels, branch1[0], 1), conv(branch1[0], branch1[1], 3))
        self.branch2 = nn.Sequential(
            conv(in_channels, branch2[0], 1), conv(branch2[0], branch2[1], 3), conv(branch2[1], branch2[2], 3)
        )
        self.conv2d = nn.Conv2d(branch0 + branch1[-1] + branch2[-1], in_channels, 1)

    def branches(self, x):
        return [self.branch0(x), self.branch1(x), self.branch2(x)]


class Block17(ResidualBlock):
    """Inception-ResNet-B, for the 17x17 grid: figure 11 (v1) and 17 (v2), by other widths.

    The branches are a 1x1 convolution, and 1x1, 1x7, 7x1 (`branch1` has the three widths).
    """

    long_side = 7

    def __init__(self, in_channels, branch0, branch1, scale, activation=True):
        super().__init__(scale, activation)
        first, second, third = branch1
        self.branch0 = conv(in_channels, branch0, 1)
        self.branch1 = nn.Sequential(
            conv(in_channels, first, 1),
            conv(first, second, (1, self.long_side)),
            conv(second, third, (self.long_side, 1)),
        )
        self.conv2d = nn.Conv2d(branch0 + third, in_channels, 1)

    def branches(self, x):
        return [self.branch0(x), self.branch1(x)]


class Block8(Block17):
    """Inception-ResNet-C, for the 8x8 grid: figure 13 (v1) and 19 (v2). `Block17` with 1x3 and 3x1."""

    long_side = 3


class ReductionB(nn.Module):
    """From 17x17 to 8x8, figure 12 (v1) and 18 (v2), by other widths.

    (N, in_channels, H, W) to (N, branch0[1] + branch1[1] + branch2[2] + in_channels, (H - 1) // 2, (W - 1) // 2): two
    branches of 1x1 and 3x3, one of 1x1 and two 3x3, and a max pool.
    """

    def __init__(self, in_channels, branch0, branch1, branch2):
        super().__init__()
        self.branch0 = self._branch(in_channels, branch0)
        self.branch1 = self._branch(in_channels, branch1)
        self.branch2 = self._branch(in_channels, branch2)
        self.branch3 = nn.MaxPool2d(3, stride=2)
        self.out_channels = branch0[-1] + branch1[-1] + branch2[-1] + in_channels

    @staticmethod
    def _branch(in_channels, widths):
        first, *inner, last = widths
        layers = [conv(in_channels, first, 1)]
        for out_channels in inner:
            layers.append(conv(first, out_channels, 3))
            first = out_channels
        return nn.Sequential(*layers, conv(first, last, 3, stride=2, padding="valid"))

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


def check_blocks(name, blocks, scales):
    """Raise ValueError unless `blocks` are three integers from 1 and `scales` three numbers; TypeError for others."""
    if not isinstance(blocks, (tuple, list)) or len(blocks) != 3:
        raise ValueError(f"{name}: blocks must be three integers, got {blocks!r}")
    if not isinstance(scales, (tuple, list)) or len(scales) != 3:
        raise ValueError(f"{name}: scales must be three numbers, got {scales!r}")
    if min(integer(name, "blocks", count) for count in blocks) < 1:
        raise ValueError(f"{name}: blocks must be at least 1 each, got {blocks!r}")
    for scale in scales:
        real(name, "scales", scale)


def initialize(network):
    """Weights of convolution and linear layers Glorot uniform, biases 0.

    The paper does not say how weights start. These are the defaults of TF-slim, which the authors' code left as they
    are for Inception-ResNet v2; that of the published Inception-ResNet v1 names them.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
