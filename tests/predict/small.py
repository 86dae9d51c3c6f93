"""A small network, its twin in PyTorch, and pictures."""

import numpy as np
import torch
from PIL import Image

import minception.functional as F
from minception import models, nn
from minception.models import Preprocessing

PREPROCESSING = Preprocessing(40, 32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.1))


class Small(nn.Module):
    """Logits (N, num_classes) of images (N, in_channels, H, W)."""

    def __init__(self, num_classes=1000, in_channels=3):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 6, 7, stride=4)
        self.fc = nn.Linear(6, num_classes)

    def forward(self, x):
        return self.fc(F.flatten(F.global_avg_pool2d(F.relu(self.conv(x))), 1))


class Twin(torch.nn.Module):
    """The same in PyTorch."""

    def __init__(self, num_classes=1000):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 6, 7, stride=4)
        self.fc = torch.nn.Linear(6, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))


def register():
    """Make `Small` known as "small", with preprocessing, and as "unprepared", without."""
    facts = {"paper": "-", "input_size": 32}
    entries = models.registry._ENTRIES
    entries["small"] = models.Entry("small", Small, preprocessing=PREPROCESSING, **facts)
    entries["unprepared"] = models.Entry("unprepared", Small, **facts)


def twin(num_classes, seed=0):
    """A `Twin` with random weights of about unit size."""
    generator = torch.Generator().manual_seed(seed)
    result = Twin(num_classes).eval()
    for parameter in result.parameters():
        parameter.data.normal_(generator=generator)
    return result


def noise(width, height, seed=0):
    """A PIL image of smooth random colours."""
    values = np.random.default_rng(seed).integers(0, 256, (3 + height // 20, 3 + width // 20, 3), np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)
