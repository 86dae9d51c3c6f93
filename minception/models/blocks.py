"""Building blocks that the small networks share."""

from .. import functional as F
from .. import nn


class ConvBNReLU(nn.Module):
    """Convolution without bias, batch norm, ReLU: (N, in_channels, H, W) to (N, out_channels, OH, OW)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))
