"""Inception-ResNet v1: Inception modules as residual blocks, at about the cost of Inception v3.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the impact of residual connections on learning"
(2017), section 3.2, figures 10 to 15. The published weights recognize faces by the distance of embeddings of length 1,
as in Schroff, Kalenichenko and Philbin, "FaceNet" (2015); beside the paper's network they have one more 8x8 block, the
last, without ReLU, and a layer of 512 features. Names are those of facenet-pytorch.
"""

from functools import partial

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .inception_resnet_blocks import Block8, Block17, Block35, ReductionB, check_blocks, initialize
from .inception_v3_blocks import conv
from .inception_v4 import ReductionA
from .preprocessing import Preprocessing
from .registry import register


class InceptionResNetV1(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), H and W >= `least_size`, 160x160 as published.

    Without `classify` it returns embeddings (N, 512) of length 1 instead. How weights start: `initialize`.
    """

    def __init__(self, num_classes, in_channels, stem, width, dropout, classify, blocks, scales):
        super().__init__()
        check_stem("inception_resnet_v1", stem)
        check_blocks("inception_resnet_v1", blocks, scales)
        imagenet = stem == "imagenet"
        self.in_channels = in_channels
        self.classify = classify
        self.least_size = 75 if imagenet else 7
        c = partial(scale_channels, width=width)
        stride, padding = (2, "valid") if imagenet else (1, "same")

        # Figure 14
        self.conv2d_1a = conv(in_channels, c(32), 3, stride, padding)  # 79x79
        self.conv2d_2a = conv(c(32), c(32), 3, 1, padding)  # 77x77
        self.conv2d_2b = conv(c(32), c(64), 3)
        self.maxpool_3a = nn.MaxPool2d(3, stride=2) if imagenet else nn.Identity()  # 38x38
        self.conv2d_3b = conv(c(64), c(80), 1)
        self.conv2d_4a = conv(c(80), c(192), 3, 1, padding)  # 36x36
        self.conv2d_4b = conv(c(192), c(256), 3, stride, padding)  # 17x17

        channels = c(256)
        self.repeat_1 = nn.Sequential(
            *(Block35(channels, c(32), (c(32),) * 2, (c(32),) * 3, scales[0]) for _ in range(blocks[0]))
        )
        self.mixed_6a = ReductionA(channels, c(384), (c(192), c(192), c(256)))  # 8x8
        channels = self.mixed_6a.out_channels  # 896
        self.repeat_2 = nn.Sequential(
            *(Block17(channels, c(128), (c(128),) * 3, scales[1]) for _ in range(blocks[1]))
        )
        self.mixed_7a = ReductionB(channels, (c(256), c(384)), (c(256),) * 2, (c(256),) * 3)  # 3x3
        channels = self.mixed_7a.out_channels  # 1792
        self.repeat_3 = nn.Sequential(
            *(Block8(channels, c(192), (c(192),) * 3, scales[2]) for _ in range(blocks[2] - 1))
        )
        self.block8 = Block8(channels, c(192), (c(192),) * 3, scale=1.0, activation=False)

        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(channels, c(512), bias=False)
        self.last_bn = nn.BatchNorm1d(c(512), eps=1e-3)
        self.logits = nn.Linear(c(512), num_classes)
        initialize(self)

    def forward(self, x):
        check_images("inception_resnet_v1", x, self.in_channels, self.least_size)
        x = self.conv2d_1a(x)
        x = self.conv2d_2a(x)
        x = self.maxpool_3a(self.conv2d_2b(x))
        x = self.conv2d_3b(x)
        x = self.conv2d_4a(x)
        x = self.conv2d_4b(x)
        x = self.repeat_1(x)
        x = self.mixed_6a(x)
        x = self.repeat_2(x)
        x = self.mixed_7a(x)
        x = self.block8(self.repeat_3(x))  # (N, 1792, 3, 3)
        x = F.flatten(F.global_avg_pool2d(x), 1)
        x = self.last_bn(self.last_linear(self.dropout(x)))  # (N, 512)
        return self.logits(x) if self.classify else to_unit_length(x)


def to_unit_length(x):
    """The rows of (N, C) divided by their Euclidean lengths, those shorter than 1e-12 by that."""
    squares = (x * x).sum(1, keepdim=True)
    return x / F.sqrt(F.clip(squares, min=1e-24))  # clipped before the root, whose gradient at 0 is infinite


@register(
    paper="Szegedy et al. 2017, Inception-v4",
    input_size=160,
    parameters=23_995_624,
    multiply_accumulates=1_418_174_304,
    preprocessing=Preprocessing(160, 160, (127.5, 127.5, 127.5), (128.0, 128.0, 128.0), scale=1.0),
    small_images={"stem": "cifar"},
)
def inception_resnet_v1(
    num_classes=1000,
    in_channels=3,
    stem="imagenet",
    width=1.0,
    dropout=0.6,
    classify=True,
    blocks=(5, 10, 6),
    scales=(0.17, 0.10, 0.20),
):
    """Inception-ResNet v1 (Szegedy et al. 2017, figure 15), for images from 75x75 pixels; faces at 160x160.

    stem: "cifar" leaves out the strides and the pool of the stem and pads its convolutions, so that 32x32 pixels reach
    repeat_1, 15x15 repeat_2 and 7x7 repeat_3; at least 7x7. width: multiplies all inner channels, the embedding's
    included. dropout: before the embedding. classify: False returns embeddings (N, 512) of length 1 instead of logits;
    the parameters stay the same.

    blocks: how many there are on each grid (section 3.2; the paper has (5, 10, 5)), the last of which has scale 1 and
    no ReLU. scales: by which the branches of the others are multiplied on each grid (section 3.3).
    """
    return InceptionResNetV1(num_classes, in_channels, stem, width, dropout, classify, blocks, scales)
