"""GoogLeNet as the paper has it: local response normalisation, biases, no batch norm, true 5x5 convolutions.

Szegedy et al., "Going deeper with convolutions" (2015), table 1 and section 5; what they leave open is as in its
replication in the Caffe model zoo (`bvlc_googlenet`): pools round up, and the order in the stem is pool, normalisation,
convolutions, normalisation, pool. Names are those of torchvision's `googlenet`.
"""

from functools import partial

from .. import functional as F
from .. import nn
from .auxiliary import GoogLeNetOutputs
from .blocks import check_images, check_stem, scale_channels
from .inception_v1 import AuxiliaryHead, ConvReLU, inception_modules
from .preprocessing import Preprocessing
from .registry import register


class GoogLeNetPaper(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), H and W >= `least_size`, 224x224 in the paper.

    In training with `aux_logits` it returns `GoogLeNetOutputs`. Initial values are those of `bvlc_googlenet`: weights
    uniform on [-b, b], b = sqrt(3 / fan_in), which Caffe calls "xavier"; biases 0.2, of the layers that give logits 0.
    """

    def __init__(self, num_classes, in_channels, stem, width, aux_logits, dropout, dropout_aux):
        super().__init__()
        check_stem("googlenet_paper", stem)
        self.stem = stem
        self.in_channels = in_channels
        self.aux_logits = aux_logits
        self.least_size = 31 if stem == "imagenet" else 4
        narrow, wide = scale_channels(64, width), scale_channels(192, width)
        if stem == "imagenet":
            self.conv1 = ConvReLU(in_channels, narrow, 7, stride=2, padding=3)  # 112x112
            self.conv2 = ConvReLU(narrow, narrow, 1)  # 56x56
            self.conv3 = ConvReLU(narrow, wide, 3, padding=1)
        else:
            self.conv1 = ConvReLU(in_channels, wide, 3, padding=1)  # 32x32
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

        modules = inception_modules(wide, width)
        for name, module in modules.items():
            self.add_module(f"inception{name}", module)
        if aux_logits:
            head = partial(AuxiliaryHead, unit=ConvReLU, paper_pool=True)
            self.aux1 = head(modules["4a"].out_channels, num_classes, width, dropout_aux)
            self.aux2 = head(modules["4d"].out_channels, num_classes, width, dropout_aux)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(modules["5b"].out_channels, num_classes)

        last = [self.fc, self.aux1.fc2, self.aux2.fc2] if aux_logits else [self.fc]
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")  # gain 1: b = sqrt(3 / fan_in)
                nn.init.constant_(module.bias, 0.0 if module in last else 0.2)

    def forward(self, x):
        check_images("googlenet_paper", x, self.in_channels, self.least_size)
        x = self.conv1(x)
        if self.stem == "imagenet":
            x = self.norm(self.pool(x))  # (N, 64, 56, 56)
            x = self.conv2(x)
            x = self.pool(self.norm(self.conv3(x)))  # (N, 192, 28, 28)
        x = self.inception3a(x)
        x = self.pool(self.inception3b(x))  # (N, 480, 14, 14)
        x = self.inception4a(x)
        with_heads = self.training and self.aux_logits
        aux_logits1 = self.aux1(x) if with_heads else None
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = self.inception4d(x)
        aux_logits2 = self.aux2(x) if with_heads else None
        x = self.pool(self.inception4e(x))  # (N, 832, 7, 7)
        x = self.inception5a(x)
        x = self.inception5b(x)  # (N, 1024, 7, 7)
        x = F.flatten(F.global_avg_pool2d(x), 1)
        logits = self.fc(self.dropout(x))
        return GoogLeNetOutputs(logits, aux_logits2, aux_logits1) if with_heads else logits


@register(
    paper="Szegedy et al. 2015",
    input_size=224,
    parameters=13_378_280,
    multiply_accumulates=1_582_671_872,
    preprocessing=Preprocessing(256, 224, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0), scale=1.0, channels="BGR"),
    small_images={"stem": "cifar", "aux_logits": False},
)
def googlenet_paper(
    num_classes=1000, in_channels=3, stem="imagenet", width=1.0, aux_logits=True, dropout=0.4, dropout_aux=0.7
):
    """GoogLeNet as in the paper, for images from 31x31 pixels; 6,998,552 parameters without auxiliary heads.

    stem: "cifar" has a single 3x3 convolution to 192 channels in place of the first three, their pools and
    normalisations, so that 32x32 pixels reach inception3a, 16x16 inception4a and 8x8 inception5a; at least 4x4. width:
    multiplies all inner channels. dropout: before the linear layer; dropout_aux: in the auxiliary heads.

    aux_logits: build the auxiliary heads after 4a and 4d. They run in training only, where the network then returns
    `GoogLeNetOutputs`.
    """
    return GoogLeNetPaper(num_classes, in_channels, stem, width, aux_logits, dropout, dropout_aux)
