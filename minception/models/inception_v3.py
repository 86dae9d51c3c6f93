"""Inception v3: factorized convolutions, and one auxiliary head with batch norm.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for computer vision" (2016), table 1
and section 6, in the form of the weights that its authors published. Names are torchvision's. The paper's label
smoothing (section 7) is an argument of the loss.
"""

from functools import partial

from .. import functional as F
from .. import nn
from .auxiliary import InceptionOutputs
from .blocks import check_images, check_stem, scale_channels
from .inception_v3_blocks import AuxiliaryHead, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, conv
from .preprocessing import Preprocessing, to_halves
from .registry import register


class InceptionV3(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), H and W >= `least_size`, 299x299 as published.

    In training with `aux_logits` it returns `InceptionOutputs`.

    Weights start from normal values within +-2, of deviation 0.1, in the head's last two layers 0.01 and 0.001; biases
    of linear layers from PyTorch's default: torchvision's values, the first of them the authors' own. The paper says
    nothing about it.
    """

    def __init__(
        self, num_classes, in_channels, stem, width, aux_logits, transform_input, dropout, count_include_pad
    ):
        super().__init__()
        check_stem("inception_v3", stem)
        if transform_input and in_channels != 3:
            raise ValueError(f"inception_v3: transform_input needs in_channels=3, got in_channels={in_channels}")
        imagenet = stem == "imagenet"
        self.in_channels = in_channels
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.least_size = 75 if imagenet else 7
        c = partial(scale_channels, width=width)
        stride, padding = (2, "valid") if imagenet else (1, "same")
        options = {"width": width, "count_include_pad": count_include_pad}

        self.Conv2d_1a_3x3 = conv(in_channels, c(32), 3, stride, padding)  # 149x149
        self.Conv2d_2a_3x3 = conv(c(32), c(32), 3, 1, padding)  # 147x147
        self.Conv2d_2b_3x3 = conv(c(32), c(64), 3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2) if imagenet else nn.Identity()  # 73x73
        self.Conv2d_3b_1x1 = conv(c(64), c(80), 1)
        self.Conv2d_4a_3x3 = conv(c(80), c(192), 3, 1, padding)  # 71x71
        self.maxpool2 = nn.MaxPool2d(3, stride=2) if imagenet else nn.Identity()  # 35x35

        self.Mixed_5b = InceptionA(c(192), 32, **options)
        self.Mixed_5c = InceptionA(self.Mixed_5b.out_channels, 64, **options)
        self.Mixed_5d = InceptionA(self.Mixed_5c.out_channels, 64, **options)
        self.Mixed_6a = InceptionB(self.Mixed_5d.out_channels, width)  # 17x17
        self.Mixed_6b = InceptionC(self.Mixed_6a.out_channels, 128, **options)
        self.Mixed_6c = InceptionC(self.Mixed_6b.out_channels, 160, **options)
        self.Mixed_6d = InceptionC(self.Mixed_6c.out_channels, 160, **options)
        self.Mixed_6e = InceptionC(self.Mixed_6d.out_channels, 192, **options)
        if aux_logits:
            self.AuxLogits = AuxiliaryHead(self.Mixed_6e.out_channels, num_classes, width)
        self.Mixed_7a = InceptionD(self.Mixed_6e.out_channels, width)  # 8x8
        self.Mixed_7b = InceptionE(self.Mixed_7a.out_channels, **options)
        self.Mixed_7c = InceptionE(self.Mixed_7b.out_channels, **options)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.Mixed_7c.out_channels, num_classes)

        deviations = {self.AuxLogits.conv1.conv: 0.01, self.AuxLogits.fc: 0.001} if aux_logits else {}
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=deviations.get(module, 0.1), a=-2, b=2)

    def forward(self, x):
        check_images("inception_v3", x, self.in_channels, self.least_size)
        if self.transform_input:
            x = to_halves(x)
        x = self.Conv2d_1a_3x3(x)
        x = self.Conv2d_2a_3x3(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(x))
        x = self.Conv2d_3b_1x1(x)
        x = self.maxpool2(self.Conv2d_4a_3x3(x))
        x = self.Mixed_5b(x)
        x = self.Mixed_5c(x)
        x = self.Mixed_5d(x)
        x = self.Mixed_6a(x)
        x = self.Mixed_6b(x)
        x = self.Mixed_6c(x)
        x = self.Mixed_6d(x)
        x = self.Mixed_6e(x)  # (N, 768, 17, 17)
        with_head = self.training and self.aux_logits
        aux_logits = self.AuxLogits(x) if with_head else None
        x = self.Mixed_7a(x)
        x = self.Mixed_7b(x)
        x = self.Mixed_7c(x)  # (N, 2048, 8, 8)
        x = F.flatten(F.global_avg_pool2d(x), 1)
        logits = self.fc(self.dropout(x))
        return InceptionOutputs(logits, aux_logits) if with_head else logits


@register(
    paper="Szegedy et al. 2016, Rethinking the Inception architecture",
    input_size=299,
    parameters=27_161_264,
    multiply_accumulates=5_713_216_096,
    preprocessing=Preprocessing(342, 299),
    small_images={"stem": "cifar", "aux_logits": False},
)
def inception_v3(
    num_classes=1000,
    in_channels=3,
    stem="imagenet",
    width=1.0,
    aux_logits=True,
    transform_input=False,
    dropout=0.5,
    count_include_pad=True,
):
    """Inception v3 (Szegedy et al. 2016, table 1), for images from 75x75 pixels.

    stem: "cifar" leaves out the strides and pools of the stem and pads its convolutions, so that 32x32 pixels reach
    Mixed_5b, 15x15 Mixed_6b and 7x7 Mixed_7b; at least 7x7. width: multiplies all inner channels. dropout: before the
    linear layer.

    aux_logits: build the auxiliary head (section 4). It runs in training only, where the network then returns
    `InceptionOutputs`. The published head needs images from 299x299 pixels, of which it sees 17x17; what it sees of
    smaller ones is averaged to 5x5 here. transform_input: images come with ImageNet's mean and deviation and are
    brought to those of the published weights, 0.5 and 0.5; torchvision does so when it loads them. count_include_pad:
    average pools count the zeros around the image, as in torchvision; False is Keras's InceptionV3, and what weights
    trained there need.
    """
    return InceptionV3(
        num_classes, in_channels, stem, width, aux_logits, transform_input, dropout, count_include_pad
    )
