"""Batches of images and labels, in an order and with augmentation that depend on nothing but the seed."""

import operator

import numpy as np

from .dataset import to_channels_first, to_channels_last
from .prefetch import prefetch

ORDER, AUGMENTATION = 0, 1  # separate random streams


class DataLoader:
    """Serve `images` (N, C, H, W) and integer `labels` (N,) in batches, prepared in a background thread.

    A batch is (float32 images (B, C, H, W), channels-last in memory; int64 labels (B,)), both fresh arrays.

    batch_size: images per batch; the last batch of an epoch is smaller if N is no multiple, or left out with drop_last.
    shuffle: a new order in every epoch, a function of (seed, epoch) only.
    transform: called as transform(images, generator) on each batch; the generator is a function of (seed, epoch, number
        of the batch) only. A uint8 result, as without any transform, is divided by 255.
    prefetch: how many batches to prepare ahead; 0 prepares each in the caller's thread. It changes no batch.

    Every epoch holds each image exactly once (but for those that drop_last leaves out).
    Raises TypeError for images that are neither uint8 nor floating, labels that are no integers, a size, seed or
    depth that is none, or a transform that cannot be called; ValueError for wrong shapes, no images, a number below
    its minimum, or no batch at all.
    """

    def __init__(
        self, images, labels, batch_size=128, *, shuffle=False, seed=0, drop_last=False, transform=None, prefetch=2
    ):
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim != 4 or len(images) == 0:
            raise ValueError(f"DataLoader: images must be non-empty (N, C, H, W), got shape {images.shape}")
        if images.dtype != np.uint8 and images.dtype.kind != "f":  # another integer would be taken for [0, 1] as it is
            raise TypeError(f"DataLoader: images must be uint8 or floating, got {images.dtype}")
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"DataLoader: labels must have shape {images.shape[:1]}, one per image, got {labels.shape}"
            )
        if labels.dtype.kind not in "iu":
            raise TypeError(f"DataLoader: labels must be integers, got {labels.dtype}")
        self.images, self.labels = images, labels
        self.batch_size = _integer("batch_size", batch_size, 1)
        self.seed = _integer("seed", seed, 0)
        self.prefetch = _integer("prefetch", prefetch, 0)
        self.shuffle, self.drop_last, self.transform = bool(shuffle), bool(drop_last), transform
        if self.drop_last and self.batch_size > len(images):
            raise ValueError(
                f"DataLoader: drop_last with batch_size {batch_size} leaves no batch of {len(images)} images"
            )
        if transform is not None and not callable(transform):
            raise TypeError(f"DataLoader: transform must be callable, got {transform!r}")
        self._next_epoch = 0

    def __len__(self):
        """Batches per epoch."""
        return self.num_images // self.batch_size if self.drop_last else -(-self.num_images // self.batch_size)

    @property
    def num_images(self):
        """Images in the data set."""
        return len(self.images)

    @property
    def num_images_per_epoch(self):
        """Images that an epoch serves: all of them, unless drop_last leaves some out."""
        return min(len(self) * self.batch_size, self.num_images)

    def __iter__(self):
        """One epoch; the first iteration is epoch 0, the next one epoch 1, ..."""
        epoch = self._next_epoch
        self._next_epoch += 1
        return self.epoch(epoch)

    def epoch(self, epoch, start_batch=0):
        """Generate the batches of one epoch, from number `start_batch` on.

        They are the same as when the epoch is served from its start, whatever was served before. Closing the generator,
        or just leaving the loop over it, stops the background thread.
        Raises ValueError for a negative epoch or a start_batch beyond the end (the end itself gives no batch).
        """
        epoch, start_batch = _integer("epoch", epoch, 0), _integer("start_batch", start_batch, 0)
        if start_batch > len(self):
            raise ValueError(f"DataLoader: start_batch {start_batch} is beyond the {len(self)} batches of an epoch")
        order = self._order(epoch)
        return prefetch(
            lambda batch: self._batch(order, epoch, batch), range(start_batch, len(self)), self.prefetch
        )

    def _order(self, epoch):
        """The image numbers of an epoch: int64 (N,)."""
        if not self.shuffle:
            return np.arange(self.num_images)
        return self._generator(ORDER, epoch).permutation(self.num_images)

    def _batch(self, order, epoch, batch):
        chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        # Indexing the (N, H, W, C) view copies pixel by pixel only where the images are stored that way.
        images = to_channels_first(self.images.transpose(0, 2, 3, 1)[chosen])
        if self.transform is not None:
            images = self.transform(images, self._generator(AUGMENTATION, epoch, batch))
        if images.dtype == np.uint8:
            images = np.divide(images, np.float32(255), dtype=np.float32)
        images = to_channels_first(to_channels_last(images.astype(np.float32, copy=False)))
        return images, self.labels[chosen].astype(np.int64)

    def _generator(self, *key):
        """A random stream of its own for each key."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))


def _integer(argument, value, minimum):
    """The value as an int, at least `minimum`; raises TypeError or ValueError."""
    try:
        if isinstance(value, bool):
            raise TypeError
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"DataLoader: {argument} must be an integer, got {value!r}") from None
    if value < minimum:
        raise ValueError(f"DataLoader: {argument} must be at least {minimum}, got {value}")
    return value
