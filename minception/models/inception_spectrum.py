"""The spectrum between an ordinary and a separable convolution.

Chollet, "Xception: deep learning with depthwise separable convolutions" (2017), section 1.2.
"""

from .. import nn
from ..kernels.checks import integer


class SegmentedInception(nn.Module):
    """A 1x1 convolution, then one spatial convolution for each of `segments` equal parts of its channels.

    (N, in_channels, H, W) to (N, out_channels, H, W); no biases, no activation. One segment is an ordinary convolution
    after a 1x1; three segments are an Inception module of towers with equal kernels (figure 2, in the form of figure
    3); `segments=out_channels` is the "extreme" version (figure 4), a separable convolution in the other order.

    Children: `pointwise` (out_channels, in_channels, 1, 1) and `spatial` (out_channels, out_channels / segments, KH,
    KW). Along the spectrum the parameters fall from those of a full convolution to KH * KW for each channel. Raises
    ValueError unless `segments` is a positive divisor of `out_channels`, TypeError if it is no integer; other errors as
    `nn.Conv2d`.
    """

    def __init__(self, in_channels, out_channels, segments, kernel_size=3):
        super().__init__()
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        if integer("SegmentedInception", "segments", segments) < 1 or out_channels % segments:
            raise ValueError(
                f"SegmentedInception: segments must be a positive divisor of out_channels = {out_channels}, "
                f"got {segments}"
            )
        self.spatial = nn.Conv2d(out_channels, out_channels, kernel_size, padding="same", groups=segments, bias=False)

    def forward(self, x):
        return self.spatial(self.pointwise(x))
