"""A labelled set of images in memory, and the pair of sets (training, test) that every source here returns."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


def to_channels_last(images):
    """(N, C, H, W) in any memory order -> contiguous (N, H, W, C). No copy if the memory is channels-last."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def to_channels_first(images):
    """View (N, H, W, C) as the logical (N, C, H, W). No copy."""
    return images.transpose(0, 3, 1, 2)


def check_images(name, images):
    """Require an array of images (N, C, H, W)."""
    if not isinstance(images, np.ndarray):
        raise TypeError(f"{name}: images must be an array, got {type(images).__name__}")
    if images.ndim != 4:
        raise ValueError(f"{name}: images must have shape (N, C, H, W), got {images.shape}")


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Images and their labels, checked once, here, and read-only from then on.

    name: what messages call it, such as "CIFAR-10 training set".
    images: uint8 (N, C, H, W), N > 0. Memory becomes channels-last (copied only if it is not so already).
    labels: int64 (N,), each in [0, len(class_names)).
    class_names: one str per class.

    Raises TypeError for a wrong dtype, ValueError for a wrong shape or a label out of range.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        images, labels, class_names = np.asarray(self.images), np.asarray(self.labels), tuple(self.class_names)
        if images.dtype != np.uint8:
            raise TypeError(f"{self.name}: images must be uint8, got {images.dtype}")
        if labels.dtype != np.int64:
            raise TypeError(f"{self.name}: labels must be int64, got {labels.dtype}")
        if images.ndim != 4 or images.size == 0:
            raise ValueError(f"{self.name}: images must be non-empty (N, C, H, W), got shape {images.shape}")
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"{self.name}: labels must have shape {images.shape[:1]}, one per image, got {labels.shape}"
            )
        outside = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
        if len(outside):
            raise ValueError(
                f"{self.name}: label {labels[outside[0]]} of image {outside[0]} is outside the "
                f"{len(class_names)} classes"
            )
        images, labels = to_channels_first(to_channels_last(images)), labels.view()
        images.flags.writeable = labels.flags.writeable = False
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "class_names", class_names)

    def __len__(self):
        return len(self.images)

    @property
    def num_classes(self):
        """The number of classes, whether or not each occurs."""
        return len(self.class_names)

    def subset(self, indices, name=None):
        """The images at `indices` (integer array, boolean mask or slice), in that order, as a data set."""
        images = to_channels_first(to_channels_last(self.images)[indices])
        return ImageDataset(name or f"part of {self.name}", images, self.labels[indices], self.class_names)


class TrainTest(NamedTuple):
    """The two parts of a data set."""

    train: ImageDataset
    test: ImageDataset
