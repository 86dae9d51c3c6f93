"""Network in Network: Lin, Chen and Yan, "Network in network" (2014).

Section 3.1: after each convolution a small perceptron looks at every pixel, which is two 1x1 convolutions ("mlpconv",
figure 1b). Section 3.2: the last one has a channel for each class, whose mean over the image is the class's logit.
"""

import math

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import Preprocessing
from .registry import register


def mlpconv(in_channels, widths, kernel_size, stride=1, padding=0):
    """Layers of one mlpconv: a convolution and two 1x1 convolutions, ReLU after each.

    (N, in_channels, H, W) to (N, widths[2], OH, OW), the window moving only in the first.
    """
    first, second, third = widths
    return [
        nn.Conv2d(in_channels, first, kernel_size, stride, padding),
        nn.ReLU(),
        nn.Conv2d(first, second, 1),
        nn.ReLU(),
        nn.Conv2d(second, third, 1),
        nn.ReLU(),
    ]


def imagenet_layers(num_classes, in_channels, width, dropout):
    """Four mlpconvs with max pools between, and the deviations from which their weights start."""
    c = {size: scale_channels(size, width) for size in (96, 256, 384, 1024)}
    layers = [
        *mlpconv(in_channels, (c[96], c[96], c[96]), 11, stride=4),  # 54x54
        nn.MaxPool2d(3, stride=2),  # 26x26
        *mlpconv(c[96], (c[256], c[256], c[256]), 5, padding=2),
        nn.MaxPool2d(3, stride=2),  # 12x12
        *mlpconv(c[256], (c[384], c[384], c[384]), 3, padding=1),
        nn.MaxPool2d(3, stride=2),  # 5x5
        nn.Dropout(dropout),
        *mlpconv(c[384], (c[1024], c[1024], num_classes), 3, padding=1),
    ]
    return layers, (0.01, 0.05, 0.05, 0.05, 0.05, 0.05, 0.01, 0.05, 0.05, 0.05, 0.05, 0.01)


def cifar_layers(num_classes, in_channels, width, dropout):
    """Three mlpconvs with a max and an average pool between, and the deviations from which their weights start."""
    c = {size: scale_channels(size, width) for size in (96, 160, 192)}
    layers = [
        *mlpconv(in_channels, (c[192], c[160], c[96]), 5, padding=2),  # 32x32
        nn.MaxPool2d(3, stride=2, padding=1),  # 16x16
        nn.Dropout(dropout),
        *mlpconv(c[96], (c[192], c[192], c[192]), 5, padding=2),
        nn.AvgPool2d(3, stride=2, padding=1),  # 8x8
        nn.Dropout(dropout),
        *mlpconv(c[192], (c[192], c[192], num_classes), 3, padding=1),
    ]
    return layers, (0.05,) * 9


class NetworkInNetwork(nn.Module):
    """Logits (N, num_classes), none negative, of images (N, in_channels, H, W), H and W >= `least_size`.

    Weights start from normal values and biases from 0, with the deviations of the models that the authors published
    for Caffe (the paper sets them by hand too, section 4.1). At a `width` other than 1, which changes how many terms a
    sum has, all but the first are divided by its root, so that the sums keep their variance.
    """

    def __init__(self, num_classes, in_channels, stem, width, dropout):
        super().__init__()
        check_stem("nin", stem)
        self.in_channels = in_channels
        self.least_size = 67 if stem == "imagenet" else 1
        make = imagenet_layers if stem == "imagenet" else cifar_layers
        layers, deviations = make(num_classes, in_channels, width, dropout)
        self.features = nn.Sequential(*layers)

        convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        for layer, deviation in zip(convolutions, deviations, strict=True):
            first = layer is convolutions[0]
            nn.init.normal_(layer.weight, std=deviation if first else deviation / math.sqrt(width))
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        check_images("nin", x, self.in_channels, self.least_size)
        return F.flatten(F.global_avg_pool2d(self.features(x)), 1)


@register(
    paper="Lin et al. 2014",
    input_size=224,
    parameters=7_595_176,
    multiply_accumulates=969_460_864,
    preprocessing=Preprocessing(256, 224),
    small_images={"stem": "cifar"},
)
def nin(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.5):
    """Network in Network (Lin et al. 2014) with four mlpconvs, as for ImageNet, for images from 67x67 pixels.

    stem: "cifar" is the paper's network for CIFAR-10, with three mlpconvs (section 4.2), whose keys differ; any size
    works. width: multiplies all inner channels. dropout: before the last mlpconv; for CIFAR before the last two.
    """
    return NetworkInNetwork(num_classes, in_channels, stem, width, dropout)
