"""What a network expects of a picture: how it is resized and cropped, and in which units its channels come.

These are facts about the published weights of each network; `minception.predict` carries them out.
"""

from dataclasses import dataclass

from .. import functional as F

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Preprocessing:
    """The picture's shorter side becomes `resize` pixels, its central square of `crop` pixels is kept, and each channel
    becomes (value * scale - mean) / std, where value is a byte, 0 to 255.

    `channels` is "RGB", "BGR" or "L" (one channel of grey); `mean` and `std` stand in that order. `interpolation` is
    "bilinear" or "bicubic".
    """

    resize: int
    crop: int
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    scale: float = 1 / 255
    channels: str = "RGB"
    interpolation: str = "bilinear"


def to_halves(x):
    """Images (N, 3, H, W) with ImageNet's mean and deviation, in the units of mean and deviation 0.5.

    torchvision's `transform_input`: its published weights of GoogLeNet and Inception v3 come from TensorFlow, where
    images have these units.
    """
    channels = [
        x[:, i : i + 1] * (std / 0.5) + (mean - 0.5) / 0.5
        for i, (mean, std) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
    ]
    return F.cat(channels, dim=1)
