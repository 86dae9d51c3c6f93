"""Mean and standard deviation of each colour channel, over all pixels of all images."""

from typing import NamedTuple

import numpy as np

CHUNK = 1000  # images counted at a time


class ChannelStatistics(NamedTuple):
    """Per-channel mean and (population) standard deviation, float64 (C,), of images scaled to [0, 1]."""

    mean: np.ndarray
    std: np.ndarray


# What `channel_statistics` gives for the official training sets, to four digits. (Elsewhere 0.2023, 0.1994, 0.2010
# is often seen as CIFAR-10's standard deviation: that is the mean of the deviations *within* each image.)
CIFAR10_STATISTICS = ChannelStatistics(np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616]))
CIFAR100_STATISTICS = ChannelStatistics(np.array([0.5071, 0.4865, 0.4409]), np.array([0.2673, 0.2564, 0.2762]))


def channel_statistics(images):
    """`ChannelStatistics` of uint8 images (N, C, H, W), N > 0; exact but for the final rounding.

    Raises TypeError for another dtype, ValueError for another shape.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(f"channel_statistics: images must be uint8, got {images.dtype}")
    if images.ndim != 4 or images.size == 0:
        raise ValueError(f"channel_statistics: images must be non-empty (N, C, H, W), got shape {images.shape}")
    counts = np.zeros((images.shape[1], 256), np.int64)  # how often each channel has each value
    for start in range(0, len(images), CHUNK):
        for channel, histogram in enumerate(counts):
            pixels = images[start : start + CHUNK, channel]
            histogram += np.bincount(pixels.ravel(order="K"), minlength=256)
    mean, std = [], []
    for histogram in counts.tolist():  # Python's integers: no rounding, no cancellation, no overflow
        total = sum(histogram)
        first = sum(count * value for value, count in enumerate(histogram))
        second = sum(count * value**2 for value, count in enumerate(histogram))
        mean.append(first / (255 * total))
        std.append(((total * second - first**2) / (255 * total) ** 2) ** 0.5)
    return ChannelStatistics(np.array(mean), np.array(std))
