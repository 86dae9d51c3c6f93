"""ResNet-18: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016).

Table 1, the column of 18 layers; skips that change the size are 1x1 convolutions (section 3.3, option B). Names are
torchvision's.
"""

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import Preprocessing
from .registry import register


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, plus the input; ReLU after the first and after the sum: figures 2 and 5.

    (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)). Where the block changes size or
    channels, the input passes a 1x1 convolution with batch norm (`downsample`).
    """

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNormReLU2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        if stride == 1 and in_channels == out_channels:
            self.downsample = nn.Identity()
        else:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x):
        y = self.bn1(self.conv1(x))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x))


class ResNet18(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), 224x224 in the paper, of any size.

    Convolutions start from He normal values by fan out, the linear layer from PyTorch's default, as in torchvision.
    """

    def __init__(self, num_classes, in_channels, stem, width):
        super().__init__()
        check_stem("resnet18", stem)
        self.in_channels = in_channels
        channels = [scale_channels(size, width) for size in (64, 128, 256, 512)]
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(in_channels, channels[0], 7, stride=2, padding=3, bias=False)  # 112x112
        else:
            self.conv1 = nn.Conv2d(in_channels, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNormReLU2d(channels[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()  # 56x56
        self.layer1 = self._stage(channels[0], channels[0], stride=1)
        self.layer2 = self._stage(channels[0], channels[1], stride=2)  # 28x28
        self.layer3 = self._stage(channels[1], channels[2], stride=2)  # 14x14
        self.layer4 = self._stage(channels[2], channels[3], stride=2)  # 7x7
        self.fc = nn.Linear(channels[3], num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _stage(in_channels, out_channels, stride):
        return nn.Sequential(BasicBlock(in_channels, out_channels, stride), BasicBlock(out_channels, out_channels))

    def forward(self, x):
        check_images("resnet18", x, self.in_channels, least_size=1)
        x = self.maxpool(self.bn1(self.conv1(x)))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        return self.fc(F.flatten(F.global_avg_pool2d(x), 1))


@register(
    paper="He et al. 2016",
    input_size=224,
    parameters=11_689_512,
    multiply_accumulates=1_814_073_344,
    preprocessing=Preprocessing(256, 224),
    small_images={"stem": "cifar"},
)
def resnet18(num_classes=1000, in_channels=3, stem="imagenet", width=1.0):
    """ResNet-18 (He et al. 2016, table 1), for images of any size.

    stem: "cifar" has a 3x3 convolution with stride 1 first and no max pool, so that 32x32 pixels reach layer1 and 4x4
    leave layer4. width: multiplies all inner channels.
    """
    return ResNet18(num_classes, in_channels, stem, width)
