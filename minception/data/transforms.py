"""Image augmentation, on a whole batch at once.

Every transform is called as `transform(images, generator)` with logical (N, C, H, W) images in any memory order and a
`numpy.random.Generator`, from which all its randomness comes; each image of the batch gets its own draw. It returns
images of the same logical order, channels-last in memory, and never writes to its input. Cropping, flipping and cutting
keep the dtype, so that a batch stays uint8, a quarter of the size, until `Standardize` makes it float32.

Errors: TypeError for images that are no array, another generator and arguments of the wrong kind, ValueError for
images of another rank and arguments out of range.
"""

import numbers
from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .dataset import check_images, to_channels_first, to_channels_last


def _check_call(name, images, generator):
    check_images(name, images)
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"{name}: generator must be a numpy.random.Generator, got {type(generator).__name__}")


def _integer(name, argument, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: {argument} must be an integer, got {value!r}")
    return value


def _values(argument, values):
    """One float64 per channel."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"Standardize: {argument} must be numbers, got {values!r}") from None


def _pair(name, statistics):
    """Mean and standard deviation."""
    if not isinstance(statistics, (tuple, list)) or len(statistics) != 2:
        raise TypeError(f"{name}: statistics must be ChannelStatistics or a pair (mean, std), got {statistics!r}")
    return statistics


class Compose:
    """Apply `transforms` one after the other. Raises TypeError for transforms that cannot be called."""

    def __init__(self, transforms):
        if not isinstance(transforms, Iterable):
            raise TypeError(f"Compose: transforms must be a list of transforms, got {transforms!r}")
        self.transforms = tuple(transforms)
        for i, transform in enumerate(self.transforms):
            if not callable(transform):
                raise TypeError(f"Compose: transforms[{i}] must be callable, got {transform!r}")

    def __call__(self, images, generator=None):
        for transform in self.transforms:
            images = transform(images, generator)
        return images

    def __repr__(self):
        return f"Compose([{', '.join(map(repr, self.transforms))}])"


class RandomCrop:
    """Pad each side by `padding` pixels, then cut out a square window at a uniformly drawn place.

    size: pixels a side of the window; None for windows of the images' own height and width.
    mode: "zero" pads with 0 (black before `Standardize`), "reflect" mirrors the image without repeating its edge.
    He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2, pads CIFAR-10 with 4 zeros.
    """

    def __init__(self, padding=4, mode="zero", size=None):
        if mode not in ("zero", "reflect"):
            raise ValueError(f'RandomCrop: mode must be "zero" or "reflect", got {mode!r}')
        if _integer("RandomCrop", "padding", padding) < 0:
            raise ValueError(f"RandomCrop: padding must be non-negative, got {padding}")
        if size is not None and _integer("RandomCrop", "size", size) < 1:
            raise ValueError(f"RandomCrop: size must be positive, got {size}")
        self.padding, self.mode, self.size = padding, mode, size

    def __call__(self, images, generator):
        _check_call("RandomCrop", images, generator)
        n, c, *size = images.shape
        padded = self._pad(to_channels_last(images))  # (N, H', W', C)
        h, w = size if self.size is None else (self.size, self.size)
        room = padded.shape[1] - h, padded.shape[2] - w
        if min(room) < 0:
            whole = " x ".join(map(str, padded.shape[1:3]))
            raise ValueError(f"RandomCrop: windows of {h} x {w} pixels do not fit padded images of {whole}")
        padded = padded.reshape(n, padded.shape[1], padded.shape[2] * c)  # (N, H', W' * C)
        windows = sliding_window_view(padded, (h, w * c), axis=(1, 2))[:, :, ::c]  # (N, tops, lefts, H, W * C)
        top, left = (generator.integers(0, most + 1, size=n) for most in room)
        return to_channels_first(windows[np.arange(n), top, left].reshape(n, h, w, c))

    def _pad(self, images):
        """(N, H, W, C) -> (N, H + 2 padding, W + 2 padding, C)."""
        n, h, w, c = images.shape
        p = self.padding
        padded = np.zeros((n, h + 2 * p, w + 2 * p, c), images.dtype)
        padded[:, p : p + h, p : p + w] = images
        if self.mode == "reflect":
            if p >= min(h, w):
                raise ValueError(f"RandomCrop: padding {p} cannot reflect images of {h} x {w} pixels")
            padded[:, :p] = padded[:, p + 1 : 2 * p + 1][:, ::-1]
            padded[:, p + h :] = padded[:, h - 1 : p + h - 1][:, ::-1]
            padded[:, :, :p] = padded[:, :, p + 1 : 2 * p + 1][:, :, ::-1]
            padded[:, :, p + w :] = padded[:, :, w - 1 : p + w - 1][:, :, ::-1]
        return padded

    def __repr__(self):
        size = "" if self.size is None else f", size={self.size}"
        return f"RandomCrop(padding={self.padding}, mode={self.mode!r}{size})"


class RandomHorizontalFlip:
    """Mirror each image left to right with the given probability."""

    def __init__(self, probability=0.5):
        if isinstance(probability, bool) or not isinstance(probability, numbers.Real):
            raise TypeError(f"RandomHorizontalFlip: probability must be a real number, got {probability!r}")
        if not 0 <= probability <= 1:
            raise ValueError(f"RandomHorizontalFlip: probability must be in [0, 1], got {probability}")
        self.probability = probability

    def __call__(self, images, generator):
        _check_call("RandomHorizontalFlip", images, generator)
        n, c, h, w = images.shape
        mirrored = np.arange(w * c).reshape(w, c)[::-1].ravel()  # the pixels of a row backwards, channels forwards
        rows = np.array(to_channels_last(images)).reshape(n, h, w * c)  # a copy
        chosen = np.flatnonzero(generator.random(n) < self.probability)
        rows[chosen] = rows[chosen][:, :, mirrored]
        return to_channels_first(rows.reshape(n, h, w, c))

    def __repr__(self):
        return f"RandomHorizontalFlip(probability={self.probability})"


class Cutout:
    """Fill a square of `size` x `size` pixels around a uniformly drawn pixel; what lies outside the image is lost.

    fill: one value, or one per channel, in the units of the images. The default is CIFAR-10's mean colour, which
    `Standardize` turns into (nearly) zero, as in DeVries & Taylor, "Improved Regularization of Convolutional Neural
    Networks with Cutout", 2017, section 3.2.
    """

    def __init__(self, size=16, fill=(125, 123, 114)):
        if _integer("Cutout", "size", size) < 1:
            raise ValueError(f"Cutout: size must be positive, got {size}")
        self.size, self.fill = size, fill

    def __call__(self, images, generator):
        _check_call("Cutout", images, generator)
        n, c, h, w = images.shape
        if np.shape(self.fill) not in ((), (c,)):
            raise ValueError(f"Cutout: fill has {np.size(self.fill)} channels, images have {c}")
        images = np.array(to_channels_last(images))  # (N, H, W, C), a copy
        top = generator.integers(0, h, size=n) - self.size // 2
        left = generator.integers(0, w, size=n) - self.size // 2
        for image, y, x in zip(images, top, left, strict=True):
            image[max(y, 0) : y + self.size, max(x, 0) : x + self.size] = self.fill
        return to_channels_first(images)

    def __repr__(self):
        return f"Cutout(size={self.size}, fill={self.fill})"


class Standardize:
    """uint8 images -> float32 (images / 255 - mean) / std, channel by channel; needs no randomness.

    mean, std: one value per channel for images scaled to [0, 1], as `channel_statistics` gives.

    Raises ValueError for other shapes or an std that is not positive, TypeError for what are no numbers.
    """

    def __init__(self, mean, std):
        mean, std = _values("mean", mean), _values("std", std)
        if mean.ndim != 1 or mean.shape != std.shape:
            raise ValueError(
                f"Standardize: mean and std need one value per channel, got shapes {mean.shape} and {std.shape}"
            )
        if not (std > 0).all():
            raise ValueError(f"Standardize: every std must be positive, got {std}")
        self.mean, self.std = mean, std

    def __call__(self, images, generator=None):
        check_images("Standardize", images)
        n, c, h, w = images.shape
        if images.dtype != np.uint8:
            raise TypeError(f"Standardize: images must be uint8, got {images.dtype}")
        if c != len(self.mean):
            raise ValueError(f"Standardize: mean and std have {len(self.mean)} channels, images have {c}")
        # One multiplication and one addition along whole rows (W * C): a last axis of 3 would be slow.
        scale = np.tile(1 / (255 * self.std), w).astype(np.float32)
        shift = np.tile(-self.mean / self.std, w).astype(np.float32)
        rows = to_channels_last(images).reshape(n, h, w * c).astype(np.float32)
        rows *= scale
        rows += shift
        return to_channels_first(rows.reshape(n, h, w, c))

    def __repr__(self):
        return f"Standardize(mean={self.mean.tolist()}, std={self.std.tolist()})"


def training_transform(statistics, *, padding=4, flip=True, cutout=0, mode="zero", size=None):
    """The usual augmentation of small pictures: crop, flip, cut out, standardise; a zero or False leaves one out."""
    mean, std = _pair("training_transform", statistics)
    steps = [
        RandomCrop(padding, mode, size) if padding or size else None,
        RandomHorizontalFlip() if flip else None,
        Cutout(cutout, tuple(np.rint(255 * np.asarray(mean)).astype(int).tolist())) if cutout else None,
        Standardize(mean, std),
    ]
    return Compose(step for step in steps if step is not None)


def evaluation_transform(statistics):
    """Standardise only."""
    return Compose([Standardize(*_pair("evaluation_transform", statistics))])
