"""The networks the Inception family is compared with."""

from torch import nn
from torch.nn import functional as F

from .layers import scaled


class LeNet5(nn.Module):
    """LeCun et al., "Gradient-based learning applied to document recognition" (1998), on 32x32."""

    def __init__(self, num_classes=10, in_channels=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.conv3 = nn.Conv2d(16, 120, 5)
        self.fc1 = nn.Linear(120, 84)
        self.fc2 = nn.Linear(84, num_classes)

    def forward(self, x):
        x = F.avg_pool2d(self.conv1(x).tanh(), 2)
        x = F.avg_pool2d(self.conv2(x).tanh(), 2)
        x = self.conv3(x).tanh().flatten(1)
        return self.fc2(self.fc1(x).tanh())


def convolutions(*layers):
    """Each with a ReLU; `layers` are the arguments of Conv2d."""
    return [module for layer in layers for module in (nn.Conv2d(*layer), nn.ReLU())]


class AlexNet(nn.Module):
    """Krizhevsky, "One weird trick" (2014), as in torchvision."""

    def __init__(self, num_classes=1000, in_channels=3, dropout=0.5, width=1):
        super().__init__()
        c = scaled(width)
        self.features = nn.Sequential(
            *convolutions((in_channels, c(64), 11, 4, 2)),
            nn.MaxPool2d(3, 2),
            *convolutions((c(64), c(192), 5, 1, 2)),
            nn.MaxPool2d(3, 2),
            *convolutions((c(192), c(384), 3, 1, 1), (c(384), c(256), 3, 1, 1), (c(256), c(256), 3, 1, 1)),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(c(256) * 36, c(4096)),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(c(4096), c(4096)),
            nn.ReLU(),
            nn.Linear(c(4096), num_classes),
        )

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 6).flatten(1))


class NiN(nn.Module):
    """Lin et al., "Network in network" (2014), the version for ImageNet."""

    def __init__(self, num_classes=1000, in_channels=3, dropout=0.5):
        super().__init__()
        self.features = nn.Sequential(
            *convolutions((in_channels, 96, 11, 4), (96, 96, 1), (96, 96, 1)),
            nn.MaxPool2d(3, 2),
            *convolutions((96, 256, 5, 1, 2), (256, 256, 1), (256, 256, 1)),
            nn.MaxPool2d(3, 2),
            *convolutions((256, 384, 3, 1, 1), (384, 384, 1), (384, 384, 1)),
            nn.MaxPool2d(3, 2),
            nn.Dropout(dropout),
            *convolutions((384, 1024, 3, 1, 1), (1024, 1024, 1), (1024, num_classes, 1)),
        )

    def forward(self, x):
        return self.features(x).mean((2, 3))


class VGG16(nn.Module):
    """Simonyan and Zisserman, "Very deep convolutional networks" (2015), configuration D, as in torchvision."""

    batch_norm = False

    def __init__(self, num_classes=1000, in_channels=3, dropout=0.5, width=1):
        super().__init__()
        c = scaled(width)
        layers, i = [], in_channels
        for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                norm = [nn.BatchNorm2d(c(channels))] if self.batch_norm else []
                layers += [nn.Conv2d(i, c(channels), 3, padding=1), *norm, nn.ReLU()]
                i = c(channels)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(c(512) * 49, c(4096)),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(c(4096), c(4096)),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(c(4096), num_classes),
        )

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 7).flatten(1))


class VGG16BN(VGG16):
    batch_norm = True


class BasicBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.downsample = None
        if stride == 2:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """He et al., "Deep residual learning" (2016), table 1, as in torchvision."""

    def __init__(self, num_classes=1000, in_channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for number, (i, o) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), 1):
            blocks = BasicBlock(i, o, 1 if i == o else 2), BasicBlock(o, o, 1)
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))
