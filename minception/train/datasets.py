"""Which images a run trains on, and how they reach the network."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minception import data

from .errors import RunError

CIFAR = {"cifar10": data.load_cifar10, "cifar100": data.load_cifar100}
ARCHIVES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
SYNTHETIC_TRAIN, SYNTHETIC_TEST = 10_000, 2_000
HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"


@dataclass(frozen=True)
class Data:
    """The training and test images of a run, and the statistics that standardise both."""

    name: str
    train: data.ImageDataset
    test: data.ImageDataset
    statistics: data.ChannelStatistics

    def train_loader(self, config, epoch):
        """Shuffled, augmented batches of an epoch for a TrainConfig: float32 (N, 3, H, W) and int64 (N,)."""
        none = {"padding": 0, "flip": False}
        options = {"standard": {}, "reflect": {"mode": "reflect"}, "none": none}[config.augment]
        if epoch < (config.crop_epochs or 0):
            options = {"padding": 0, "size": config.crop}
        else:
            options["cutout"] = config.cutout or 0
        transform = data.training_transform(self.statistics, **options)
        return data.DataLoader(
            self.train.images,
            self.train.labels,
            config.batch_size,
            shuffle=True,
            seed=config.seed,
            transform=transform,
        )

    def test_loader(self, batch_size):
        """The test images in order, as batches of float32 (N, 3, H, W) and int64 (N,)."""
        transform = data.evaluation_transform(self.statistics)
        return data.DataLoader(self.test.images, self.test.labels, batch_size, transform=transform)

    def standardised(self, count):
        """The first `count` training images as the network sees them, not augmented: float32 (N, 3, H, W)."""
        return data.evaluation_transform(self.statistics)(self.train.images[:count])

    def record(self):
        """Return what a checkpoint keeps about the data, as plain values."""
        return {
            "name": self.name,
            "class_names": list(self.train.class_names),
            "mean": [float(value) for value in self.statistics.mean],
            "std": [float(value) for value in self.statistics.std],
            "train_images": len(self.train.labels),
            "test_images": len(self.test.labels),
            "crc32": _crc32(self.test, _crc32(self.train)),
        }


def select(name, data_dir=None, limit_train=None, limit_test=None, note=print, progress=True):
    """Load the data called `name` ("auto", "cifar10", "cifar100" or "synthetic") and return it as Data.

    CIFAR is taken from the folder `data_dir`, else from the user's cache, else downloaded into the first of the
    two that is given. "auto" is CIFAR-10, or, if the download server cannot be reached, the synthetic shapes; then
    `note` is called with a message that says so. Damaged files and a full disk are errors for "auto" too. The
    limits keep the first images of CIFAR; of the synthetic shapes, as many are drawn.

    Raises:
        RunError: the data cannot be had; the message says what to do.
    """
    if name == "auto":
        name, found = _cifar10_or_none(data_dir, note, progress)
    elif name != "synthetic":
        found = _cifar(name, data_dir, progress)
    if name == "synthetic":
        train, test = _synthetic(limit_train, limit_test)
    else:
        train, test = found.train.subset(slice(limit_train)), found.test.subset(slice(limit_test))
    known = {"cifar10": data.CIFAR10_STATISTICS, "cifar100": data.CIFAR100_STATISTICS}
    statistics = known[name] if name in known else data.channel_statistics(train.images)
    return Data(name, train, test, statistics)


def _cifar10_or_none(data_dir, note, progress):
    try:
        return "cifar10", _load(CIFAR["cifar10"], "cifar10", data_dir, progress)
    except (data.NetworkUnavailableError, data.ServerError) as error:
        note(
            f"CIFAR-10 is not on this machine and cannot be downloaded: {error}\n"
            "Training on generated pictures of ten shapes instead; the accuracy says nothing about CIFAR-10.\n"
            + _by_hand("cifar10", data_dir)
        )
        return "synthetic", None
    except data.DataError as error:
        raise RunError(str(error)) from error


def _cifar(name, data_dir, progress):
    try:
        return _load(CIFAR[name], name, data_dir, progress)
    except data.DownloadError as error:
        raise RunError(f"--data {name}: {error}\n{_by_hand(name, data_dir)}") from error
    except data.DataError as error:
        raise RunError(str(error)) from error


def _synthetic(limit_train, limit_test):
    train_size = min(SYNTHETIC_TRAIN, limit_train or SYNTHETIC_TRAIN)
    return data.synthetic_shapes(train_size, min(SYNTHETIC_TEST, limit_test or SYNTHETIC_TEST))


def _load(load, name, data_dir, progress):
    cache = data.cache_directory()
    root = cache if data_dir is None else Path(data_dir)
    if data_dir is not None and not _holds(root, name) and _holds(cache, name):
        root = cache
    return load(root, download=True, progress=progress)


def _holds(root, name):
    return root.exists() and data.find_cifar(root, name) is not None


def _by_hand(name, data_dir):
    folder = data.cache_directory() if data_dir is None else Path(data_dir)
    return (
        f"To train on {name}: fetch {ARCHIVES[name]} from {HOME} on another machine and put it, packed or "
        f"unpacked, into {folder}, or name the folder that holds it with --data-dir."
    )


def _crc32(dataset, before=0):
    """Checksum of images and labels, whatever their layout in memory, continuing `before`."""
    images = np.ascontiguousarray(dataset.images.transpose(0, 2, 3, 1))  # no copy: channels-last in memory
    return zlib.crc32(dataset.labels.astype("<i8"), zlib.crc32(images, before))
