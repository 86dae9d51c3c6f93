"""GoogLeNet without what distracts from its modules: no normalisation, no auxiliary heads, one channel of grey.

The nine modules of Szegedy et al., "Going deeper with convolutions" (2015), table 1, between the plainest stem and
classifier: a version to learn and to teach with. Names are those of `googlenet_paper`.
"""

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .inception_v1 import ConvReLU, inception_modules
from .preprocessing import Preprocessing
from .registry import register


class Conv(nn.Module):
    """Convolution with bias, no activation: (N, in_channels, H, W) to (N, out_channels, H, W). Its child is `conv`."""

    def __init__(self, in_channels, out_channels, kernel_size, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding)

    def forward(self, x):
        return self.conv(x)


class GoogLeNetTeaching(nn.Module):
    """Log-probabilities (N, num_classes) of images (N, in_channels, H, W), for which 96x96 is a good size.

    Initial values are PyTorch's default.
    """

    def __init__(self, num_classes, in_channels, stem, width):
        super().__init__()
        check_stem("googlenet_teaching", stem)
        self.stem = stem
        self.in_channels = in_channels
        narrow, wide = scale_channels(64, width), scale_channels(192, width)
        if stem == "imagenet":
            self.conv1 = ConvReLU(in_channels, narrow, 7, stride=2, padding=3)  # 48x48
            self.conv2 = Conv(narrow, narrow, 1)  # 24x24
            self.conv3 = Conv(narrow, wide, 3, padding=1)
        else:
            self.conv1 = ConvReLU(in_channels, wide, 3, padding=1)  # 32x32
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        modules = inception_modules(wide, width)
        for name, module in modules.items():
            self.add_module(f"inception{name}", module)
        self.fc = nn.Linear(modules["5b"].out_channels, num_classes)

    def forward(self, x):
        check_images("googlenet_teaching", x, self.in_channels, least_size=1)
        x = self.conv1(x)
        if self.stem == "imagenet":
            x = self.conv2(self.pool(x))
            x = self.pool(self.conv3(x))  # (N, 192, 12, 12)
        x = self.inception3a(x)
        x = self.pool(self.inception3b(x))  # (N, 480, 6, 6)
        x = self.inception4a(x)
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = self.inception4d(x)
        x = self.pool(self.inception4e(x))  # (N, 832, 3, 3)
        x = self.inception5a(x)
        x = self.inception5b(x)  # (N, 1024, 3, 3)
        x = F.flatten(F.global_avg_pool2d(x), 1)
        return F.log_softmax(self.fc(x), dim=1)


@register(
    paper="after Szegedy et al. 2015",
    input_size=96,
    in_channels=1,
    num_classes=10,
    parameters=5_977_530,
    multiply_accumulates=276_066_304,
    preprocessing=Preprocessing(96, 96, (0.0,), (1.0,), channels="L"),
    small_images={"stem": "cifar"},
)
def googlenet_teaching(num_classes=10, in_channels=1, stem="imagenet", width=1.0):
    """GoogLeNet to learn from: nine modules, a plain stem, log-softmax at the end; images of any size.

    Its output are log-probabilities, for `functional.nll_loss`; `functional.cross_entropy` gives the same loss, since
    the log-softmax of log-probabilities is what it was. stem: "cifar" has a single 3x3 convolution to 192 channels in
    place of the first three and their pools, so that 32x32 pixels reach inception3a. width: multiplies all inner
    channels.
    """
    return GoogLeNetTeaching(num_classes, in_channels, stem, width)
