"""The first convolution as a whitening transform of the training images.

Neighbouring pixels are nearly equal, so the numbers in a patch of an image are strongly correlated, and gradient
descent is slow along the directions in which they vary little (LeCun, Bottou, Orr and Müller, "Efficient BackProp",
1998, section 4.3). Projected on the eigenvectors of their covariance, and divided by the standard deviations there,
they are uncorrelated and of variance 1. That is a linear function of a patch, so it is a convolution. Page, "How to
train your ResNet 8: bag of tricks" (2019), begins a network with it; that the network sees each projection and its
negative, of which ReLU keeps one each, and that the weights are never trained, is as in Jordan, "94% on CIFAR-10 in
3.29 seconds on a single GPU" (2024), section 3.2.
"""

import numpy as np

import minception as mc
from minception import nn

from .config import ConfigError

__all__ = ["IMAGES", "whiten_first_convolution", "whitening_filters"]

IMAGES = 2000  # are enough: some 400,000 patches for a covariance of 27 x 27

FLOOR = 5e-4  # of the variances, where those of the pixels are 1: noise in flat directions is not blown up


def whiten_first_convolution(model, images):
    """Give the first convolution of `model` the whitening filters of `images`, for good: it is no longer trained.

    images: float32 (N, C, H, W), standardised as in training. The network sees each of the first directions and its
    negative. Raises ConfigError for a network whose first convolution cannot hold them.
    """
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or first.groups != 1 or first.in_channels != images.shape[1]:
        raise ConfigError("--whiten: the network does not begin with a convolution of the whole image")
    outputs, most = first.out_channels, 2 * first.weight[0].numel()
    if outputs % 2 or outputs > most:
        raise ConfigError(
            f"--whiten: the first convolution has {outputs} channels, which must be an even number up to {most}, one "
            f"for each direction of a patch and one for its negative"
        )
    filters = whitening_filters(images, first.kernel_size)[: outputs // 2]
    with mc.no_grad():
        values = mc.Tensor(np.concatenate([filters, -filters]).astype(np.float32))
        first.weight.copy_(values.to(first.weight.device))
    first.weight.requires_grad_(False)


def whitening_filters(images, kernel_size):
    """Filters whose responses to patches of `images` (N, C, H, W) are uncorrelated, with variance 1.

    Returns float64 (C * KH * KW, C, KH, KW), those of the directions of largest variance first. Patches are taken from
    every other row and column, inside the images. The mean is not subtracted: that of standardised pixels is about 0.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel_size, axis=(2, 3))[:, :, ::2, ::2]
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1] * kernel_size[0] * kernel_size[1])
    covariance = sum(part.T @ part for part in _in_float64(patches)) / len(patches)
    variances, directions = np.linalg.eigh(covariance)  # ascending; the columns are the directions
    filters = (directions / np.sqrt(variances.clip(min=0) + FLOOR)).T[::-1]
    # The sign of an eigenvector is arbitrary: here its largest entry is positive, whatever library finds it.
    largest = np.take_along_axis(filters, np.abs(filters).argmax(axis=1)[:, None], axis=1)
    return (filters * np.sign(largest)).reshape(-1, images.shape[1], *kernel_size)


def _in_float64(patches, rows=1 << 16):
    for start in range(0, len(patches), rows):
        yield patches[start : start + rows].astype(np.float64)
