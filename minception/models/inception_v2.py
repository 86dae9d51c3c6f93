"""Inception v2, also called BN-Inception: two 3x3 convolutions for the 5x5, batch norm after every convolution.

Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift"
(2015), appendix, figure 5. The names are those of the published weights (the Caffe model that pretrained-models.pytorch
converted). They are flat, `inception_3a_3x3_reduce`: a module's layers are children of the network, and an
`InceptionModule` here is a row of the paper's table that knows their names.
"""

from dataclasses import dataclass

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import Preprocessing
from .registry import register


@dataclass(frozen=True)
class InceptionModule:
    """A row of figure 5: channels of the branches, each None or reduced and full widths.

    (N, in_channels, H, W) to (N, out_channels, H, W): 1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3 | pool, 1x1. With `stride` 2, in
    3c and 4e, the last 3x3 of both branches and a max pool take (N, in_channels, H, W) to (N, ..., H / 2, W / 2), and
    there are no 1x1 and no projection of the pool, whose channels are passed on. `pool` is "avg" or "max".
    """

    name: str
    branch1x1: int | None
    branch3x3: tuple
    double3x3: tuple
    pool: str
    projection: int | None
    stride: int = 1

    def scaled(self, width):
        """The same module with all channels times `width`."""

        def scale(channels):
            return None if channels is None else scale_channels(channels, width)

        branches = [tuple(map(scale, branch)) for branch in (self.branch3x3, self.double3x3)]
        return InceptionModule(
            self.name, scale(self.branch1x1), *branches, self.pool, scale(self.projection), self.stride
        )

    def add_to(self, network, in_channels):
        """Make the layers children of `network`, in the order of the published names; return the output's channels."""
        prefix = f"inception_{self.name}"
        if self.branch1x1 is not None:
            network.add_unit(f"{prefix}_1x1", in_channels, self.branch1x1, 1)
        reduced, full = self.branch3x3
        network.add_unit(f"{prefix}_3x3_reduce", in_channels, reduced, 1)
        network.add_unit(f"{prefix}_3x3", reduced, full, 3, self.stride)
        reduced, middle, double = self.double3x3
        network.add_unit(f"{prefix}_double_3x3_reduce", in_channels, reduced, 1)
        network.add_unit(f"{prefix}_double_3x3_1", reduced, middle, 3)
        network.add_unit(f"{prefix}_double_3x3_2", middle, double, 3, self.stride)
        if self.projection is None:
            return full + double + in_channels
        network.add_unit(f"{prefix}_pool_proj", in_channels, self.projection, 1)
        return self.branch1x1 + full + double + self.projection

    def __call__(self, network, x):
        prefix = f"inception_{self.name}"
        branches = [] if self.branch1x1 is None else [network.unit(f"{prefix}_1x1", x)]
        branches.append(network.units((f"{prefix}_3x3_reduce", f"{prefix}_3x3"), x))
        double = (f"{prefix}_double_3x3_reduce", f"{prefix}_double_3x3_1", f"{prefix}_double_3x3_2")
        branches.append(network.units(double, x))
        if self.stride == 2:
            branches.append(F.max_pool2d(x, 3, stride=2, ceil_mode=True))
        else:
            pooled = (F.avg_pool2d if self.pool == "avg" else F.max_pool2d)(x, 3, stride=1, padding=1)
            branches.append(network.unit(f"{prefix}_pool_proj", pooled))
        return F.cat(branches, dim=1)


# Figure 5: 1x1 | reduced, 3x3 | reduced, 3x3, 3x3 | pool, projection.
MODULES = (
    InceptionModule("3a", 64, (64, 64), (64, 96, 96), "avg", 32),
    InceptionModule("3b", 64, (64, 96), (64, 96, 96), "avg", 64),
    InceptionModule("3c", None, (128, 160), (64, 96, 96), "max", None, stride=2),
    InceptionModule("4a", 224, (64, 96), (96, 128, 128), "avg", 128),
    InceptionModule("4b", 192, (96, 128), (96, 128, 128), "avg", 128),
    InceptionModule("4c", 160, (128, 160), (128, 160, 160), "avg", 128),
    InceptionModule("4d", 96, (128, 192), (160, 192, 192), "avg", 128),
    InceptionModule("4e", None, (128, 192), (192, 256, 256), "max", None, stride=2),
    InceptionModule("5a", 352, (192, 320), (160, 224, 224), "avg", 128),
    InceptionModule("5b", 352, (192, 320), (192, 224, 224), "max", 128),
)


class InceptionV2(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), 224x224 in the paper.

    The strided convolutions of 3c and 4e round their output up and the pools beside them down, so that only images fit
    of which a multiple of 4 pixels reaches 3a: ((H + 1) // 8) % 4 == 0, and likewise for W. Convolutions have biases,
    as in the published weights. Initial values are PyTorch's default, as there; the paper does not say.
    """

    def __init__(self, num_classes, in_channels, stem, width, separable_stem, dropout):
        super().__init__()
        check_stem("inception_v2", stem)
        self.stem = stem
        self.in_channels = in_channels
        narrow, wide = scale_channels(64, width), scale_channels(192, width)
        stride = 2 if stem == "imagenet" else 1
        self.add_unit("conv1_7x7_s2", in_channels, narrow, 7, stride, separable_stem)
        self.add_unit("conv2_3x3_reduce", narrow, narrow, 1)
        self.add_unit("conv2_3x3", narrow, wide, 3)
        channels = wide
        self.inception_modules = [module.scaled(width) for module in MODULES]
        for module in self.inception_modules:
            channels = module.add_to(self, channels)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(channels, num_classes)

    def add_unit(self, name, in_channels, out_channels, kernel_size, stride=1, separable=False):
        """Make a convolution, called `name`, and its batch norm with ReLU."""
        padding = kernel_size // 2
        if separable:
            conv = nn.SeparableConv2d(in_channels, out_channels, kernel_size, stride, padding, depth_multiplier=8)
        else:
            conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.add_module(name, conv)
        self.add_module(f"{name}_bn", nn.BatchNormReLU2d(out_channels))

    def unit(self, name, x):
        """Convolution `name`, batch norm, ReLU."""
        return getattr(self, f"{name}_bn")(getattr(self, name)(x))

    def units(self, names, x):
        """Several, one after the other."""
        for name in names:
            x = self.unit(name, x)
        return x

    def check_sizes(self, x):
        """Raise ValueError for images of which the branches of 3c and 4e would disagree about the size."""
        if self.stem == "imagenet":
            rule, fits = "(size + 1) // 8 is", all((size + 1) // 8 % 4 == 0 for size in x.shape[2:])
        else:
            rule, fits = "the size is", all(size % 4 == 0 for size in x.shape[2:])
        if not fits:
            raise ValueError(
                f"inception_v2: the branches of its strided modules fit images only where {rule} a multiple of 4, such "
                f"as {224 if self.stem == 'imagenet' else 32}, got {x.shape[2]}x{x.shape[3]} pixels"
            )

    def forward(self, x):
        check_images("inception_v2", x, self.in_channels, least_size=31 if self.stem == "imagenet" else 4)
        self.check_sizes(x)
        x = self.unit("conv1_7x7_s2", x)  # (N, 64, 112, 112)
        if self.stem == "imagenet":
            x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        x = self.units(("conv2_3x3_reduce", "conv2_3x3"), x)
        if self.stem == "imagenet":
            x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)  # (N, 192, 28, 28)
        for module in self.inception_modules:
            x = module(self, x)
        x = F.flatten(F.global_avg_pool2d(x), 1)  # (N, 1024)
        return self.last_linear(self.dropout(x))


@register(
    paper="Ioffe and Szegedy 2015",
    input_size=224,
    parameters=11_295_240,
    multiply_accumulates=2_032_600_064,
    preprocessing=Preprocessing(256, 224, (104.0, 117.0, 128.0), (1.0, 1.0, 1.0), scale=1.0, channels="BGR"),
    small_images={"stem": "cifar"},
)
def inception_v2(num_classes=1000, in_channels=3, stem="imagenet", width=1.0, separable_stem=False, dropout=0.0):
    """Inception v2, or BN-Inception (Ioffe and Szegedy 2015, figure 5), for images from 31x31 pixels.

    Not every size fits: see `InceptionV2`.

    stem: "cifar" leaves out the stride of the first convolution and the two pools of the stem, so that 32x32 pixels
    reach 3a, 16x16 4a and 8x8 5a; sizes are multiples of 4. width: multiplies all inner channels. separable_stem: the
    first convolution is a separable one with depth multiplier 8, as in the paper; the published weights have an
    ordinary one. dropout: before the linear layer, where the paper has none.
    """
    return InceptionV2(num_classes, in_channels, stem, width, separable_stem, dropout)
