"""AlexNet: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012).

In torchvision's form, whose names these are: one tower, as in Krizhevsky, "One weird trick for parallelizing
convolutional neural networks" (2014), section 5, and no local response normalization.
"""

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import Preprocessing
from .registry import register


class AlexNet(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), 224x224 as published, H and W >= `least_size`.

    Weights and biases start from PyTorch's default, as in torchvision.
    """

    def __init__(self, num_classes, in_channels, stem, width, dropout):
        super().__init__()
        check_stem("alexnet", stem)
        imagenet = stem == "imagenet"
        self.in_channels = in_channels
        self.least_size = 63 if imagenet else 7
        c = {size: scale_channels(size, width) for size in (64, 192, 256, 384, 4096)}
        stride, padding = (4, 2) if imagenet else (1, 5)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, c[64], 11, stride, padding),  # 55x55
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2) if imagenet else nn.Identity(),  # 27x27
            nn.Conv2d(c[64], c[192], 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),  # 13x13
            nn.Conv2d(c[192], c[384], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c[384], c[256], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c[256], c[256], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),  # 6x6
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(c[256] * 6 * 6, c[4096]),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(c[4096], c[4096]),
            nn.ReLU(),
            nn.Linear(c[4096], num_classes),
        )

    def forward(self, x):
        check_images("alexnet", x, self.in_channels, self.least_size)
        x = self.avgpool(self.features(x))
        return self.classifier(F.flatten(x, 1))


@register(
    paper="Krizhevsky et al. 2012 and 2014",
    input_size=224,
    parameters=61_100_840,
    multiply_accumulates=714_188_480,
    preprocessing=Preprocessing(256, 224),
    small_images={"stem": "cifar"},
)
def alexnet(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.5):
    """AlexNet (Krizhevsky et al. 2012, in the form of 2014), for images from 63x63 pixels.

    stem: "cifar" leaves out the first pool and the stride of the first convolution, padded to keep the size: 32x32
    pixels reach the second convolution and 7x7 the average pool; at least 7x7. width: multiplies all inner channels.
    dropout: before the first two linear layers (section 4.2).
    """
    return AlexNet(num_classes, in_channels, stem, width, dropout)
