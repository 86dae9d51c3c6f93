"""Inception-ResNet v2: Inception modules as residual blocks, at about the cost of Inception v4.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the impact of residual connections on learning"
(2017), section 3.2, figures 15 to 19, in the form of the weights that its authors published: with the stem of Inception
v3, twice as many blocks as in the paper, and a 1x1 convolution after them. Names are timm's.
"""

from functools import partial

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .inception_resnet_blocks import Block8, Block17, Block35, ReductionB, check_blocks, initialize
from .inception_v3_blocks import conv
from .inception_v4 import ReductionA, average_pool, inception_v4_stem
from .joining import joins_branches
from .preprocessing import HALVES, Preprocessing
from .registry import register


class Mixed5b(nn.Module):
    """An Inception module with a 5x5 branch, before the residual ones: (N, in_channels, H, W) to (N, 320, H, W)."""

    def __init__(self, in_channels, width):
        super().__init__()
        c = partial(scale_channels, width=width)
        self.branch0 = conv(in_channels, c(96), 1)
        self.branch1 = nn.Sequential(conv(in_channels, c(48), 1), conv(c(48), c(64), 5))
        self.branch2 = nn.Sequential(conv(in_channels, c(64), 1), conv(c(64), c(96), 3), conv(c(96), c(96), 3))
        self.branch3 = nn.Sequential(average_pool(), conv(in_channels, c(64), 1))
        self.out_channels = c(96) + c(64) + c(96) + c(64)

    @joins_branches
    def forward(self, x):
        return F.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class InceptionResNetV2(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), H and W >= `least_size`, 299x299 in the paper.

    How weights start: `initialize`.
    """

    def __init__(self, num_classes, in_channels, stem, width, dropout, blocks, scales):
        super().__init__()
        check_stem("inception_resnet_v2", stem, ("imagenet", "cifar", "inception_v4"))
        check_blocks("inception_resnet_v2", blocks, scales)
        self.in_channels = in_channels
        self.least_size = 7 if stem == "cifar" else 75
        self.has_v4_stem = stem == "inception_v4"
        c = partial(scale_channels, width=width)

        if self.has_v4_stem:
            self.stem = nn.Sequential(*inception_v4_stem(in_channels, width))  # 35x35
            channels = self.stem[-1].out_channels  # 384
        else:
            channels = self._add_published_stem(in_channels, width, small=stem == "cifar")  # 320

        self.repeat = nn.Sequential(
            *(
                Block35(channels, c(32), (c(32), c(32)), (c(32), c(48), c(64)), scales[0])
                for _ in range(blocks[0])
            )
        )
        self.mixed_6a = ReductionA(channels, c(384), (c(256), c(256), c(384)))  # 17x17
        channels = self.mixed_6a.out_channels  # 1088
        self.repeat_1 = nn.Sequential(
            *(Block17(channels, c(192), (c(128), c(160), c(192)), scales[1]) for _ in range(blocks[1]))
        )
        self.mixed_7a = ReductionB(
            channels, (c(256), c(384)), (c(256), c(288)), (c(256), c(288), c(320))
        )  # 8x8
        channels = self.mixed_7a.out_channels  # 2080
        self.repeat_2 = nn.Sequential(
            *(Block8(channels, c(192), (c(192), c(224), c(256)), scales[2]) for _ in range(blocks[2] - 1))
        )
        self.block8 = Block8(channels, c(192), (c(192), c(224), c(256)), scale=1.0, activation=False)
        self.conv2d_7b = conv(channels, c(1536), 1)
        self.dropout = nn.Dropout(dropout)
        self.classif = nn.Linear(c(1536), num_classes)
        initialize(self)

    def _add_published_stem(self, in_channels, width, small):
        """That of Inception v3 and one more module. Returns its number of channels."""
        c = partial(scale_channels, width=width)
        stride, padding = (1, "same") if small else (2, "valid")
        self.conv2d_1a = conv(in_channels, c(32), 3, stride, padding)  # 149x149
        self.conv2d_2a = conv(c(32), c(32), 3, 1, padding)  # 147x147
        self.conv2d_2b = conv(c(32), c(64), 3)
        self.maxpool_3a = nn.Identity() if small else nn.MaxPool2d(3, stride=2)  # 73x73
        self.conv2d_3b = conv(c(64), c(80), 1)
        self.conv2d_4a = conv(c(80), c(192), 3, 1, padding)  # 71x71
        self.maxpool_5a = nn.Identity() if small else nn.MaxPool2d(3, stride=2)  # 35x35
        self.mixed_5b = Mixed5b(c(192), width)
        return self.mixed_5b.out_channels

    def _run_published_stem(self, x):
        x = self.conv2d_1a(x)
        x = self.conv2d_2a(x)
        x = self.maxpool_3a(self.conv2d_2b(x))
        x = self.conv2d_3b(x)
        x = self.maxpool_5a(self.conv2d_4a(x))
        return self.mixed_5b(x)  # (N, 320, 35, 35)

    def forward(self, x):
        check_images("inception_resnet_v2", x, self.in_channels, self.least_size)
        x = self.stem(x) if self.has_v4_stem else self._run_published_stem(x)
        x = self.repeat(x)
        x = self.mixed_6a(x)
        x = self.repeat_1(x)
        x = self.mixed_7a(x)
        x = self.block8(self.repeat_2(x))  # (N, 2080, 8, 8)
        x = self.conv2d_7b(x)
        x = F.flatten(F.global_avg_pool2d(x), 1)  # (N, 1536)
        return self.classif(self.dropout(x))


@register(
    paper="Szegedy et al. 2017, Inception-v4",
    input_size=299,
    parameters=55_843_464,
    multiply_accumulates=13_155_794_016,
    preprocessing=Preprocessing(333, 299, HALVES, HALVES, interpolation="bicubic"),
    small_images={"stem": "cifar"},
)
def inception_resnet_v2(
    num_classes=1000,
    in_channels=3,
    stem="imagenet",
    width=1.0,
    dropout=0.2,
    blocks=(10, 20, 10),
    scales=(0.17, 0.10, 0.20),
):
    """Inception-ResNet v2 (Szegedy et al. 2017, figure 15), for images from 75x75 pixels.

    stem: "cifar" leaves out the strides and pools of the stem and pads its convolutions, so that 32x32 pixels reach
    mixed_5b, 15x15 repeat_1 and 7x7 repeat_2; at least 7x7. "inception_v4" is the paper's stem (figure 3) in place of
    everything before `repeat`, as child `stem`, whose keys are `stem.0` to `stem.5` for `features.0` to `features.5` of
    inception_v4. It ends with 384 channels, so that the residual blocks have 384, 1152 and 2144 channels there instead
    of 320, 1088 and 2080 (figures 17 and 19 say 1154 and 2048 for the last two, which no sum of branches gives).

    width: multiplies all inner channels. dropout: before the linear layer (figure 15, which keeps 0.8). blocks: how
    many there are on each grid, the last of which has scale 1 and no ReLU; the paper has (5, 10, 5). scales: by which
    the branches of the others are multiplied on each grid (section 3.3).
    """
    return InceptionResNetV2(num_classes, in_channels, stem, width, dropout, blocks, scales)
