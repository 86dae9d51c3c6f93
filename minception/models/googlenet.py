"""GoogLeNet with batch norm, as torchvision has it and its published weights need it.

Szegedy et al., "Going deeper with convolutions" (2015), table 1, but for four things: batch norm after every
convolution, which then has no bias, instead of local response normalisation; a 3x3 kernel in the third branch, where
the paper has 5x5 (a mistake that the weights were trained with); a 2x2 window in the last max pool; and 0.2 dropout.
Names are torchvision's.
"""

from functools import partial

from .. import functional as F
from .. import nn
from .auxiliary import GoogLeNetOutputs
from .blocks import ConvBNReLU, check_images, check_stem, scale_channels
from .inception_v1 import AuxiliaryHead, inception_modules
from .preprocessing import Preprocessing, to_halves
from .registry import register

UNIT = partial(ConvBNReLU, eps=1e-3)


class GoogLeNet(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), H and W >= `least_size`, 224x224 as published.

    In training with `aux_logits` it returns `GoogLeNetOutputs`. Weights of convolution and linear layers start from
    normal values of deviation 0.01 within +-2, as in torchvision.
    """

    def __init__(self, num_classes, in_channels, stem, width, aux_logits, transform_input, dropout, dropout_aux):
        super().__init__()
        check_stem("googlenet", stem)
        if transform_input and in_channels != 3:
            raise ValueError(f"googlenet: transform_input needs in_channels=3, got in_channels={in_channels}")
        self.stem = stem
        self.in_channels = in_channels
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.least_size = 15 if stem == "imagenet" else 2
        narrow, wide = scale_channels(64, width), scale_channels(192, width)
        if stem == "imagenet":
            self.conv1 = UNIT(in_channels, narrow, 7, stride=2, padding=3)  # 112x112
            self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 56x56
            self.conv2 = UNIT(narrow, narrow, 1)
            self.conv3 = UNIT(narrow, wide, 3, padding=1)
            self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 28x28
        else:
            self.conv1 = UNIT(in_channels, wide, 3, padding=1)  # 32x32

        modules = inception_modules(wide, width, unit=UNIT, large_kernel=3)
        self.inception3a, self.inception3b = modules["3a"], modules["3b"]
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 14x14
        self.inception4a, self.inception4b, self.inception4c = modules["4a"], modules["4b"], modules["4c"]
        self.inception4d, self.inception4e = modules["4d"], modules["4e"]
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # 7x7
        self.inception5a, self.inception5b = modules["5a"], modules["5b"]
        if aux_logits:
            head = partial(AuxiliaryHead, unit=UNIT, paper_pool=False)
            self.aux1 = head(modules["4a"].out_channels, num_classes, width, dropout_aux)
            self.aux2 = head(modules["4d"].out_channels, num_classes, width, dropout_aux)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(modules["5b"].out_channels, num_classes)

        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.01, a=-2, b=2)

    def forward(self, x):
        check_images("googlenet", x, self.in_channels, self.least_size)
        if self.transform_input:
            x = to_halves(x)
        x = self.conv1(x)
        if self.stem == "imagenet":
            x = self.conv2(self.maxpool1(x))
            x = self.maxpool2(self.conv3(x))
        x = self.inception3a(x)
        x = self.maxpool3(self.inception3b(x))
        x = self.inception4a(x)
        with_heads = self.training and self.aux_logits
        aux_logits1 = self.aux1(x) if with_heads else None
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = self.inception4d(x)
        aux_logits2 = self.aux2(x) if with_heads else None
        x = self.maxpool4(self.inception4e(x))
        x = self.inception5a(x)
        x = self.inception5b(x)  # (N, 1024, 7, 7)
        x = F.flatten(F.global_avg_pool2d(x), 1)
        logits = self.fc(self.dropout(x))
        return GoogLeNetOutputs(logits, aux_logits2, aux_logits1) if with_heads else logits


@register(
    paper="Szegedy et al. 2015, with batch norm",
    input_size=224,
    parameters=13_004_888,
    multiply_accumulates=1_498_376_192,
    preprocessing=Preprocessing(256, 224),
    small_images={"stem": "cifar", "aux_logits": False},
)
def googlenet(
    num_classes=1000,
    in_channels=3,
    stem="imagenet",
    width=1.0,
    aux_logits=True,
    transform_input=False,
    dropout=0.2,
    dropout_aux=0.7,
):
    """GoogLeNet as in torchvision, for images from 15x15 pixels.

    stem: "cifar" has a single 3x3 convolution to 192 channels in place of the first three and their pools, so that
    32x32 pixels reach inception3a, 16x16 inception4a and 8x8 inception5a; at least 2x2. width: multiplies all inner
    channels. dropout: before the linear layer; dropout_aux: in the auxiliary heads.

    aux_logits: build the auxiliary heads after 4a and 4d. They run in training only, where the network then returns
    `GoogLeNetOutputs`. transform_input: images come with ImageNet's mean and deviation and are brought to those of the
    published weights, 0.5 and 0.5; torchvision does so when it loads them.
    """
    return GoogLeNet(num_classes, in_channels, stem, width, aux_logits, transform_input, dropout, dropout_aux)
