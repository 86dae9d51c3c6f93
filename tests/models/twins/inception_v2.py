"""Ioffe and Szegedy, "Batch normalization" (2015), figure 5, as ported from Caffe: every convolution has a bias."""

import torch
from torch import nn
from torch.nn import functional as F

# 1x1 | 3x3 reduce, 3x3 | double 3x3 reduce, first, second | kind of pool, projection; 3c and 4e have stride 2.
MODULES = {
    "3a": (64, (64, 64), (64, 96, 96), "avg", 32),
    "3b": (64, (64, 96), (64, 96, 96), "avg", 64),
    "3c": (None, (128, 160), (64, 96, 96), "max", None),
    "4a": (224, (64, 96), (96, 128, 128), "avg", 128),
    "4b": (192, (96, 128), (96, 128, 128), "avg", 128),
    "4c": (160, (128, 160), (128, 160, 160), "avg", 128),
    "4d": (96, (128, 192), (160, 192, 192), "avg", 128),
    "4e": (None, (128, 192), (192, 256, 256), "max", None),
    "5a": (352, (192, 320), (160, 224, 224), "avg", 128),
    "5b": (352, (192, 320), (192, 224, 224), "max", 128),
}


class SeparableStem(nn.Module):
    """The paper's first layer: 8 filters of 7x7 per input channel, then 1x1."""

    def __init__(self, i):
        super().__init__()
        self.depthwise = nn.Conv2d(i, 8 * i, 7, 2, 3, groups=i, bias=False)
        self.pointwise = nn.Conv2d(8 * i, 64, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class InceptionV2(nn.Module):
    def __init__(self, num_classes=1000, in_channels=3, separable_stem=False, dropout=0.0):
        super().__init__()
        self.conv1_7x7_s2 = SeparableStem(in_channels) if separable_stem else nn.Conv2d(in_channels, 64, 7, 2, 3)
        self.conv1_7x7_s2_bn = nn.BatchNorm2d(64)
        self.add("conv2_3x3_reduce", 64, 64, 1)
        self.add("conv2_3x3", 64, 192, 3, 1, 1)
        i = 192
        for module, (c1, (r3, c3), (rd, d1, d2), _, pool) in MODULES.items():
            name, stride = f"inception_{module}", 1 if c1 else 2
            if c1:
                self.add(f"{name}_1x1", i, c1, 1)
            self.add(f"{name}_3x3_reduce", i, r3, 1)
            self.add(f"{name}_3x3", r3, c3, 3, stride, 1)
            self.add(f"{name}_double_3x3_reduce", i, rd, 1)
            self.add(f"{name}_double_3x3_1", rd, d1, 3, 1, 1)
            self.add(f"{name}_double_3x3_2", d1, d2, 3, stride, 1)
            if pool:
                self.add(f"{name}_pool_proj", i, pool, 1)
            i = (c1 or 0) + c3 + d2 + (pool or i)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(i, num_classes)

    def add(self, name, *arguments):
        self.add_module(name, nn.Conv2d(*arguments))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(arguments[1]))

    def apply_layers(self, x, *names):
        for name in names:
            x = F.relu(getattr(self, f"{name}_bn")(getattr(self, name)(x)))
        return x

    def inception(self, x, module):
        c1, _, _, kind, projection = MODULES[module]
        name = f"inception_{module}"
        if not c1:
            pooled = F.max_pool2d(x, 3, 2, ceil_mode=True)
        elif kind == "max":
            pooled = F.max_pool2d(x, 3, 1, 1, ceil_mode=True)
        else:
            pooled = F.avg_pool2d(x, 3, 1, 1, ceil_mode=True)
        double = [f"{name}_double_3x3_{part}" for part in ("reduce", "1", "2")]
        branches = [self.apply_layers(x, f"{name}_1x1")] if c1 else []
        branches.append(self.apply_layers(x, f"{name}_3x3_reduce", f"{name}_3x3"))
        branches.append(self.apply_layers(x, *double))
        branches.append(self.apply_layers(pooled, f"{name}_pool_proj") if projection else pooled)
        return torch.cat(branches, 1)

    def forward(self, x):
        x = self.apply_layers(x, "conv1_7x7_s2")
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        x = self.apply_layers(x, "conv2_3x3_reduce", "conv2_3x3")
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for module in MODULES:
            x = self.inception(x, module)
        return self.last_linear(self.dropout(x.mean((2, 3))))
