"""LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998).

Section II.B and figure 2, in the form in which it is written today. The paper's own has besides a learned scale and
shift in the average pools, a table by which the maps of C3 see only some of those of S2, a scaled tanh, and radial
basis functions instead of the last linear layer.
"""

from .. import functional as F
from .. import nn
from .blocks import check_images, check_stem, scale_channels
from .preprocessing import Preprocessing
from .registry import register


class LeNet5(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W), 32x32 in the paper and at least that.

    Larger images give C5 more than one position (section II.B); their mean is taken. Weights and biases start from
    PyTorch's default: the paper's, uniform on +-2.4 / fan_in, made for its scaled tanh, is too small for this one.
    """

    def __init__(self, num_classes, in_channels, stem, width):
        super().__init__()
        check_stem("lenet5", stem)
        self.in_channels = in_channels
        c = {size: scale_channels(size, width) for size in (6, 16, 84, 120)}
        self.conv1 = nn.Conv2d(in_channels, c[6], 5)  # C1, 28x28
        self.conv2 = nn.Conv2d(c[6], c[16], 5)  # C3, 10x10
        self.conv3 = nn.Conv2d(c[16], c[120], 5)  # C5, 1x1
        self.fc1 = nn.Linear(c[120], c[84])  # F6
        self.fc2 = nn.Linear(c[84], num_classes)
        self.pool = nn.AvgPool2d(2)  # S2, 14x14; S4, 5x5

    def forward(self, x):
        check_images("lenet5", x, self.in_channels, least_size=32)
        x = self.pool(F.tanh(self.conv1(x)))
        x = self.pool(F.tanh(self.conv2(x)))
        x = F.tanh(self.conv3(x))
        x = F.flatten(F.global_avg_pool2d(x), 1)  # (N, 120)
        return self.fc2(F.tanh(self.fc1(x)))


@register(
    paper="LeCun et al. 1998",
    input_size=32,
    in_channels=1,
    num_classes=10,
    parameters=61_706,
    multiply_accumulates=416_520,
    preprocessing=Preprocessing(32, 32, (0.1307,), (0.3081,), channels="L"),
)
def lenet5(num_classes=10, in_channels=1, stem="imagenet", width=1.0):
    """LeNet-5 (LeCun et al. 1998), for images from 32x32 pixels.

    stem: accepted as in the other networks; its images are 32x32 anyway, so "cifar" is the same. width: multiplies the
    inner channels.
    """
    return LeNet5(num_classes, in_channels, stem, width)
