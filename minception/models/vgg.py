"""VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015).

Table 1, configuration D: 13 convolutions of 3x3 pixels and three linear layers. Names are torchvision's; its `vgg16_bn`
adds batch norm after each convolution (Ioffe and Szegedy 2015, which came later).
"""

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import Preprocessing
from .registry import register

CONFIGURATION_D = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def convolutions(in_channels, width, batch_norm):
    """Layers of configuration D: 3x3 convolution, with `batch_norm` batch norm, ReLU; a max pool after each group.

    (N, in_channels, H, W) to (N, 512, H // 32, W // 32), for a width of 1.
    """
    layers = []
    for group in CONFIGURATION_D:
        for channels in group:
            out_channels = scale_channels(channels, width)
            layers.append(nn.Conv2d(in_channels, out_channels, 3, padding=1))
            if batch_norm:  # Identity has the place in the count of layers that ReLU has in the published names
                layers += [nn.BatchNormReLU2d(out_channels), nn.Identity()]
            else:
                layers.append(nn.ReLU())
            in_channels = out_channels
        layers.append(nn.MaxPool2d(2))
    return layers


class VGG16(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), 224x224 in the paper and at least 32x32.

    Weights of convolutions start from He normal values by fan out, those of linear layers from normal values of
    deviation 0.01, biases from 0, as in torchvision. (The paper started from a shallower trained network, or Glorot's
    values, section 3.1.)
    """

    def __init__(self, name, num_classes, in_channels, stem, width, dropout, batch_norm):
        super().__init__()
        check_stem(name, stem)
        self.name = name
        self.in_channels = in_channels
        side, hidden = (7, 4096) if stem == "imagenet" else (1, 512)
        hidden = scale_channels(hidden, width)
        self.features = nn.Sequential(*convolutions(in_channels, width, batch_norm))  # 7x7
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        self.classifier = nn.Sequential(
            nn.Linear(scale_channels(512, width) * side * side, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        check_images(self.name, x, self.in_channels, least_size=32)
        x = self.avgpool(self.features(x))
        return self.classifier(F.flatten(x, 1))


FACTS = {
    "input_size": 224,
    "multiply_accumulates": 15_470_264_320,
    "preprocessing": Preprocessing(256, 224),
    "small_images": {"stem": "cifar"},
}


@register(paper="Simonyan and Zisserman 2015", parameters=138_357_544, **FACTS)
def vgg16(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.5):
    """VGG-16 (Simonyan and Zisserman 2015, table 1 D), for images from 32x32 pixels.

    stem: "cifar" averages what the convolutions leave to 1x1 instead of 7x7 pixels and has 512 instead of 4096 hidden
    features. width: multiplies all inner channels. dropout: after the first two linear layers (section 3.1).
    """
    return VGG16("vgg16", num_classes, in_channels, stem, width, dropout, batch_norm=False)


@register(paper="Simonyan and Zisserman 2015, with batch norm", parameters=138_365_992, **FACTS)
def vgg16_bn(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.5):
    """`vgg16` with batch norm after each convolution. Arguments as there."""
    return VGG16("vgg16_bn", num_classes, in_channels, stem, width, dropout, batch_norm=True)
