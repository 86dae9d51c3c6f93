"""The modified Xceptions of DeepLab v3+: 41, 65 or 71 layers, without max pools.

Chen, Zhu, Papandreou, Schroff and Adam, "Encoder-decoder with atrous separable convolution for semantic image
segmentation" (2018), section 3.2 and figure 4. Three things change from Chollet's: there are more layers; separable
convolutions with stride 2 take the place of the max pools; and batch norm follows the depthwise convolution too. The
ReLU that figure 4 has there as well is in the last module only, in the published weights. Names are timm's.
"""

from itertools import pairwise

from .. import functional as F
from .. import nn
from .blocks import ConvBNReLU, check_images, check_stem, scale_channels
from .preprocessing import HALVES, Preprocessing
from .registry import register

EPS = 1e-3  # of every batch norm
ENTRY = ((128, 2), (256, 2), (728, 2))  # (channels, stride) of each module
DEEPER_ENTRY = ((128, 2), (256, 1), (256, 2), (728, 1), (728, 2))


class SeparableConv(nn.Module):
    """3x3 depthwise convolution and batch norm, 1x1 convolution and batch norm.

    (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)). With `relu_between`, ReLU follows
    the first batch norm, with `relu_after` the second.
    """

    def __init__(self, in_channels, out_channels, stride=1, relu_between=False, relu_after=False):
        super().__init__()
        self.conv_dw = nn.DepthwiseConv2d(in_channels, 3, stride, padding=1, bias=False)
        self.bn_dw = (nn.BatchNormReLU2d if relu_between else nn.BatchNorm2d)(in_channels, eps=EPS)
        self.conv_pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn_pw = (nn.BatchNormReLU2d if relu_after else nn.BatchNorm2d)(out_channels, eps=EPS)

    def forward(self, x):
        return self.bn_pw(self.conv_pw(self.bn_dw(self.conv_dw(x))))


class ConvBN(nn.Module):
    """1x1 convolution and batch norm: (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ...)."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=EPS)

    def forward(self, x):
        return self.bn(self.conv(x))


class XceptionModule(nn.Module):
    """Three separable convolutions, the last with the stride, plus the input: a box of figure 4.

    (N, widths[0], H, W) to (N, widths[3], ceil(H / stride), ceil(W / stride)). `skip`: "conv", the input through a 1x1
    convolution (child `shortcut`); "sum", the input itself; "none". A ReLU comes before each separable convolution; in
    the last module of all, whose skip is "none", after each convolution instead.
    """

    def __init__(self, widths, stride=1, skip="conv"):
        super().__init__()
        self.skip = skip
        if skip == "conv":
            self.shortcut = ConvBN(widths[0], widths[-1], stride)
        relu_inside = skip == "none"
        layers = {} if relu_inside else {"act1": nn.ReLU()}
        for position, (before, after) in enumerate(pairwise(widths), start=1):
            last = position == 3
            # The ReLU before a separable convolution ends the one before, in one pass with its batch norm.
            relu_after = relu_inside or not last
            layers[f"conv{position}"] = SeparableConv(before, after, stride if last else 1, relu_inside, relu_after)
        self.stack = nn.Sequential(layers)

    def forward(self, x):
        y = self.stack(x)
        if self.skip == "none":
            return y
        return y + (self.shortcut(x) if self.skip == "conv" else x)


class DeepLabXception(nn.Module):
    """Figure 4 as a classifier: logits (N, num_classes) of images (N, in_channels, H, W) of any size.

    `entry` has channels and stride of the entry flow's modules, `middle` is the number of modules of the middle flow.
    Weights start from normal values of deviation 0.09, cut off at two deviations, and biases from 0, as in DeepLab's
    `xception_arg_scope`.
    """

    def __init__(self, name, entry, middle, num_classes, in_channels, stem, width, dropout):
        super().__init__()
        check_stem(name, stem)
        self.name = name
        self.in_channels = in_channels

        def scaled(*channels):
            return [scale_channels(count, width) for count in channels]

        narrow, channels = scaled(32, 64)
        self.stem = nn.Sequential(
            ConvBNReLU(in_channels, narrow, 3, stride=2 if stem == "imagenet" else 1, padding=1, eps=EPS),  # 150x150
            ConvBNReLU(narrow, channels, 3, padding=1, eps=EPS),
        )
        modules = []
        for after, stride in entry:  # to 19x19
            modules.append(XceptionModule([channels, *scaled(after, after, after)], stride))
            (channels,) = scaled(after)
        modules += [XceptionModule([channels] * 4, skip="sum") for _ in range(middle)]
        modules.append(XceptionModule(scaled(728, 728, 1024, 1024), stride=2))  # 10x10
        modules.append(XceptionModule(scaled(1024, 1536, 1536, 2048), skip="none"))
        self.blocks = nn.Sequential(*modules)
        features = scale_channels(2048, width)
        self.head = nn.Sequential({"dropout": nn.Dropout(dropout), "fc": nn.Linear(features, num_classes)})

        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.DepthwiseConv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.09, a=-0.18, b=0.18)
        nn.init.zeros_(self.head.fc.bias)

    def forward(self, x):
        check_images(self.name, x, self.in_channels, least_size=1)
        x = self.stem(x)
        for block in self.blocks:  # called as a whole, the blocks would keep the stem's output alive
            x = block(x)
        return self.head(F.flatten(F.global_avg_pool2d(x), 1))


FACTS = {
    "paper": "Chen et al. 2018, after Chollet 2017",
    "input_size": 299,
    "preprocessing": Preprocessing(331, 299, HALVES, HALVES, interpolation="bicubic"),
    "small_images": {"stem": "cifar"},
}


@register(parameters=26_969_560, multiply_accumulates=9_204_134_312, **FACTS)
def xception41(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.0):
    """DeepLab's Xception with 41 layers: 8 modules in the middle flow. Images of any size.

    stem: "cifar" leaves out the stride of the first convolution, so that 32x32 pixels reach the first module and 2x2
    the last. width: multiplies all inner channels. dropout: before the linear layer.
    """
    return DeepLabXception("xception41", ENTRY, 8, num_classes, in_channels, stem, width, dropout)


@register(parameters=39_916_312, multiply_accumulates=13_852_682_216, **FACTS)
def xception65(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.0):
    """DeepLab's Xception with 65 layers, that of figure 4: 16 modules in the middle flow. Arguments as `xception41`."""
    return DeepLabXception("xception65", ENTRY, 16, num_classes, in_channels, stem, width, dropout)


@register(parameters=42_338_736, multiply_accumulates=17_946_553_928, **FACTS)
def xception71(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, dropout=0.0):
    """DeepLab's Xception with 71 layers: `xception65` with two more modules in the entry flow. Arguments as there."""
    return DeepLabXception("xception71", DEEPER_ENTRY, 16, num_classes, in_channels, stem, width, dropout)
