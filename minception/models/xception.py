"""Xception: a stack of depthwise separable convolutions with residual connections.

Chollet, "Xception: deep learning with depthwise separable convolutions" (2017): the architecture is figure 5, the
experiments without residual connections and with an activation inside the separable convolution are sections 4.6 and
4.7. Names are those of the published PyTorch weights (timm's `legacy_xception`), which were converted from Keras's.
"""

from itertools import pairwise

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import HALVES, Preprocessing
from .registry import register

ACTIVATIONS = {None: nn.Identity, "relu": nn.ReLU, "elu": nn.ELU}
ORDERS = ("depthwise_first", "pointwise_first")


class SeparableConv(nn.Module):
    """A 3x3 convolution of every channel alone (`conv1`) and a 1x1 convolution across them (`pointwise`), no biases.

    (N, in_channels, H, W) to (N, out_channels, H, W). `order`: "depthwise_first", as everywhere in Xception, or
    "pointwise_first", the "extreme" Inception module of figure 4, whose depthwise half works on `out_channels`.
    `between`: the activation between the two, None, "relu" or "elu" (section 4.7: without is better).
    """

    def __init__(self, in_channels, out_channels, between=None, order="depthwise_first"):
        super().__init__()
        self.pointwise_first = order == "pointwise_first"
        spatial_channels = out_channels if self.pointwise_first else in_channels
        self.conv1 = nn.DepthwiseConv2d(spatial_channels, 3, padding=1, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.between = ACTIVATIONS[between]()

    def forward(self, x):
        first, second = (self.pointwise, self.conv1) if self.pointwise_first else (self.conv1, self.pointwise)
        return second(self.between(first(x)))


class SamePool(nn.Module):
    """A 3x3 max pool with stride 2 and TensorFlow's SAME padding: (N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2)).

    An odd side is padded by one pixel at both ends, an even one only at the right or bottom: the windows lie one pixel
    further on than with padding 1.
    """

    def forward(self, x):
        height, width = x.shape[2:]
        # The last window of an even side hangs over its end, which ceil_mode allows: as padding there.
        return F.max_pool2d(x, 3, stride=2, padding=(height % 2, width % 2), ceil_mode=True)


class Block(nn.Module):
    """A module of figure 5: ReLU, separable convolution, batch norm, two or three times, plus the block's input.

    (N, widths[0], H, W) to (N, widths[-1], H, W), `widths` being the channels before, between and after the separable
    convolutions. With `halve`, a 3x3 max pool ends the chain `rep`, the input comes through a 1x1 convolution with
    stride 2 (`skip`, `skipbn`), and the output has ceil(H / 2) x ceil(W / 2) pixels. Without `halve` the widths at both
    ends must be equal. `leading_relu` is False in the first block, whose input is a ReLU's output already; the indices
    in `rep` are smaller by one there.
    """

    def __init__(
        self, widths, halve=False, leading_relu=True, residual=True, eps=1e-5, same_pooling=False, **separable
    ):
        super().__init__()
        self.residual = residual
        self.projects = residual and halve
        if self.projects:
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, stride=2, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1], eps=eps)
        layers = [nn.ReLU()] if leading_relu else []
        for before, after in pairwise(widths):
            # Identity has the place in the count of layers that ReLU has in the published names.
            layers += [SeparableConv(before, after, **separable), nn.BatchNormReLU2d(after, eps=eps), nn.Identity()]
        layers[-2:] = [nn.BatchNorm2d(widths[-1], eps=eps)]  # no ReLU after the last
        if halve:
            layers.append(SamePool() if same_pooling else nn.MaxPool2d(3, stride=2, padding=1))
        self.rep = nn.Sequential(*layers)

    def forward(self, x):
        y = self.rep(x)
        if not self.residual:
            return y
        return y + (self.skipbn(self.skip(x)) if self.projects else x)


class Xception(nn.Module):
    """Figure 5: logits (N, num_classes) of images (N, in_channels, H, W), 299x299 in the paper, at least `least_size`.

    Convolutions start from He normal values by fan out, as in timm, and the linear layer from PyTorch's default. (The
    paper does not say; Keras draws all of them Glorot uniform, its default.)
    """

    def __init__(self, num_classes, in_channels, stem, width, dropout, between, residual, order, eps, same_pooling):
        super().__init__()
        check_stem("xception", stem)
        _check_option("between", between, tuple(ACTIVATIONS))
        _check_option("order", order, ORDERS)
        self.in_channels = in_channels
        self.least_size = 7 if stem == "imagenet" else 1
        c = {size: scale_channels(size, width) for size in (32, 64, 128, 256, 728, 1024, 1536, 2048)}
        separable = {"between": between, "order": order}
        block = {"residual": residual, "eps": eps, "same_pooling": same_pooling, **separable}
        stride, padding = (2, 0) if stem == "imagenet" else (1, 1)

        # Entry flow
        self.conv1 = nn.Conv2d(in_channels, c[32], 3, stride, padding, bias=False)  # 149x149
        self.bn1 = nn.BatchNormReLU2d(c[32], eps=eps)
        self.conv2 = nn.Conv2d(c[32], c[64], 3, 1, padding, bias=False)  # 147x147
        self.bn2 = nn.BatchNormReLU2d(c[64], eps=eps)
        self.block1 = Block((c[64], c[128], c[128]), halve=True, leading_relu=False, **block)  # 74x74
        self.block2 = Block((c[128], c[256], c[256]), halve=True, **block)  # 37x37
        self.block3 = Block((c[256], c[728], c[728]), halve=True, **block)  # 19x19

        # Middle flow: block4 to block11
        for position in range(4, 12):
            self.add_module(f"block{position}", Block((c[728], c[728], c[728], c[728]), **block))

        # Exit flow
        self.block12 = Block((c[728], c[728], c[1024]), halve=True, **block)  # 10x10
        self.conv3 = SeparableConv(c[1024], c[1536], **separable)
        self.bn3 = nn.BatchNormReLU2d(c[1536], eps=eps)
        self.conv4 = SeparableConv(c[1536], c[2048], **separable)
        self.bn4 = nn.BatchNormReLU2d(c[2048], eps=eps)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(c[2048], num_classes)

        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.DepthwiseConv2d)):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        check_images("xception", x, self.in_channels, self.least_size)
        x = self.bn1(self.conv1(x))
        x = self.bn2(self.conv2(x))
        for position in range(1, 13):
            x = getattr(self, f"block{position}")(x)
        x = self.bn3(self.conv3(x))
        x = self.bn4(self.conv4(x))
        x = F.flatten(F.global_avg_pool2d(x), 1)  # (N, 2048)
        return self.fc(self.dropout(x))


def _check_option(argument, value, known):
    if value not in known:
        raise ValueError(f"xception: {argument} must be one of {', '.join(map(repr, known))}, got {value!r}")


@register(
    paper="Chollet 2017",
    input_size=299,
    parameters=22_855_952,
    multiply_accumulates=8_357_403_496,
    preprocessing=Preprocessing(333, 299, HALVES, HALVES, interpolation="bicubic"),
    small_images={"stem": "cifar"},
)
def xception(
    num_classes=1000,
    in_channels=3,
    stem="imagenet",
    width=1.0,
    dropout=0.5,
    between=None,
    residual=True,
    order="depthwise_first",
    eps=1e-5,
    same_pooling=False,
):
    """Xception (Chollet 2017, figure 5), for images from 7x7 pixels.

    stem: "cifar" leaves out the stride of the first convolution and pads the first two, so that 32x32 pixels reach
    block1 and 2x2 leave block12; any size works. width: multiplies all inner channels. dropout: before the linear
    layer (section 4.3).

    between: the activation between depthwise and pointwise convolution, None, "relu" or "elu" (section 4.7).
    residual: False leaves out all skips (section 4.6). order: "pointwise_first" turns every separable convolution
    around, as in an Inception module (section 1.2). eps: of every batch norm. same_pooling: TensorFlow's SAME padding
    in the max pools; together with eps=1e-3 that is Keras's Xception, and what weights trained there need.
    """
    return Xception(num_classes, in_channels, stem, width, dropout, between, residual, order, eps, same_pooling)
