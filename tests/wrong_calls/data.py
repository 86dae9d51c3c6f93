"""Wrong calls of `minception.data`."""

from functools import partial
from pathlib import Path

import numpy as np

from minception import data

from .samples import images
from .table import not_integers, not_reals, wrong

IMAGES, LABELS, NAMES = images(4, 3, 8, 8), np.arange(4), tuple("abcd")
GENERATOR = np.random.default_rng(0)
NOWHERE = Path(__file__).parent / "nowhere"


def dataset(images=IMAGES, labels=LABELS, class_names=NAMES):
    return data.ImageDataset("ImageDataset", images, labels, class_names)


def loader(images=IMAGES, labels=LABELS, batch_size=2, **options):
    return data.DataLoader(images, labels, batch_size, **options)


def minimum(argument, least, call):
    too_small = wrong(
        f"{argument} {least - 1}", lambda: call(least - 1), ValueError, f"{argument} must be at least {least}"
    )
    return [*not_integers(argument, call), too_small]


def transforms(make):
    """What every transform refuses to be called with."""
    transform = make()
    return [
        wrong("images a list", lambda: transform([1], GENERATOR), TypeError, "images must be an array, got list"),
        wrong("images None", lambda: transform(None, GENERATOR), TypeError, "images must be an array, got NoneType"),
        wrong("one image", lambda: transform(IMAGES[0], GENERATOR), ValueError, "(N, C, H, W)", "(3, 8, 8)"),
    ]


def random_transforms(make):
    transform = make()
    return [
        *transforms(make),
        wrong("no generator", lambda: transform(IMAGES, None), TypeError, "generator must be", "NoneType"),
        wrong("generator a seed", lambda: transform(IMAGES, 3), TypeError, "generator must be", "int"),
    ]


STATISTICS = data.CIFAR10_STATISTICS

TABLES = {
    "data.ImageDataset": [
        wrong("images float", lambda: dataset(IMAGES * 1.0), TypeError, "images must be uint8, got float64"),
        wrong("images of rank 3", lambda: dataset(IMAGES[0]), ValueError, "(N, C, H, W), got shape (3, 8, 8)"),
        wrong(
            "no images", lambda: dataset(IMAGES[:0], LABELS[:0]), ValueError, "images must be non-empty", "(0, 3, 8, 8)"
        ),
        wrong("images None", lambda: dataset(None), TypeError, "images must be uint8"),
        wrong("labels float", lambda: dataset(labels=LABELS * 1.0), TypeError, "labels must be int64, got float64"),
        wrong(
            "labels int32", lambda: dataset(labels=LABELS.astype("i4")), TypeError, "labels must be int64, got int32"
        ),
        wrong("too few labels", lambda: dataset(labels=LABELS[1:]), ValueError, "labels must have shape (4,)", "(3,)"),
        wrong("label too large", lambda: dataset(labels=LABELS + 1), ValueError, "label 4 of image 3", "4 classes"),
        wrong("label negative", lambda: dataset(labels=LABELS - 1), ValueError, "label -1 of image 0", "4 classes"),
    ],
    "data.DataLoader": [
        wrong("images of rank 3", lambda: loader(IMAGES[0]), ValueError, "images must be non-empty", "(3, 8, 8)"),
        wrong(
            "no images", lambda: loader(IMAGES[:0], LABELS[:0]), ValueError, "images must be non-empty", "(0, 3, 8, 8)"
        ),
        wrong(
            "images int64", lambda: loader(IMAGES.astype(int)), TypeError, "images must be uint8 or floating", "int64"
        ),
        wrong("labels float", lambda: loader(labels=LABELS * 1.0), TypeError, "labels must be integers, got float64"),
        wrong("too few labels", lambda: loader(labels=LABELS[1:]), ValueError, "labels must have shape (4,)", "(3,)"),
        *minimum("batch_size", 1, lambda bad: loader(batch_size=bad)),
        *minimum("seed", 0, lambda bad: loader(seed=bad)),
        *minimum("prefetch", 0, lambda bad: loader(prefetch=bad)),
        wrong("no batch", lambda: loader(batch_size=5, drop_last=True), ValueError, "leaves no batch of 4 images"),
        wrong("transform a number", lambda: loader(transform=3), TypeError, "transform must be callable, got 3"),
        *minimum("epoch", 0, lambda bad: next(loader().epoch(bad))),
        *minimum("start_batch", 0, lambda bad: next(loader().epoch(0, bad))),
        wrong(
            "start_batch beyond the end", lambda: next(loader().epoch(0, 3)), ValueError, "start_batch 3", "2 batches"
        ),
    ],
    "data.channel_statistics": [
        wrong("float", lambda: data.channel_statistics(IMAGES / 255), TypeError, "images must be uint8, got float64"),
        wrong("rank 3", lambda: data.channel_statistics(IMAGES[0]), ValueError, "(N, C, H, W), got shape (3, 8, 8)"),
        wrong("no images", lambda: data.channel_statistics(IMAGES[:0]), ValueError, "non-empty", "(0, 3, 8, 8)"),
    ],
    "data.synthetic_shapes": [
        *not_integers("train_size", data.synthetic_shapes),
        *not_integers("test_size", lambda bad: data.synthetic_shapes(1, bad)),
        *not_integers("seed", lambda bad: data.synthetic_shapes(1, 1, seed=bad)),
        wrong("train_size zero", lambda: data.synthetic_shapes(0, 1), ValueError, "sizes must be positive", "0 and 1"),
        wrong("test_size negative", lambda: data.synthetic_shapes(1, -1), ValueError, "sizes must be positive", "-1"),
        wrong(
            "seed negative", lambda: data.synthetic_shapes(1, 1, seed=-1), ValueError, "seed must not be negative", "-1"
        ),
    ],
    "data.Compose": [
        wrong("None", lambda: data.Compose(None), TypeError, "transforms must be a list", "None"),
        wrong("a list of numbers", lambda: data.Compose([3]), TypeError, "transforms[0] must be callable, got 3"),
    ],
    "data.RandomCrop": [
        *random_transforms(data.RandomCrop),
        *not_integers("padding", data.RandomCrop),
        wrong("size zero", lambda: data.RandomCrop(size=0), ValueError, "size must be positive, got 0"),
        wrong("size no integer", lambda: data.RandomCrop(size=2.5), TypeError, "size must be an integer, got 2.5"),
        wrong(
            "windows too large",
            lambda: data.RandomCrop(0, size=9)(IMAGES, GENERATOR),
            ValueError,
            "windows of 9 x 9 pixels do not fit padded images of 8 x 8",
        ),
        wrong("padding negative", lambda: data.RandomCrop(-1), ValueError, "padding must be non-negative, got -1"),
        wrong(
            "mode unknown",
            lambda: data.RandomCrop(mode="wrap"),
            ValueError,
            'mode must be "zero" or "reflect"',
            "'wrap'",
        ),
        wrong(
            "reflection too wide",
            lambda: data.RandomCrop(8, "reflect")(IMAGES, GENERATOR),
            ValueError,
            "padding 8 cannot reflect images of 8 x 8",
        ),
    ],
    "data.RandomHorizontalFlip": [
        *random_transforms(data.RandomHorizontalFlip),
        *not_reals("probability", data.RandomHorizontalFlip, nan="must be in [0, 1]"),
        wrong("probability 2", lambda: data.RandomHorizontalFlip(2), ValueError, "probability must be in [0, 1]", "2"),
    ],
    "data.Cutout": [
        *random_transforms(data.Cutout),
        *not_integers("size", data.Cutout),
        wrong("size zero", lambda: data.Cutout(0), ValueError, "size must be positive, got 0"),
        wrong("fill of two", lambda: data.Cutout(2, (1, 2))(IMAGES, GENERATOR), ValueError, "fill has 2 channels", "3"),
    ],
    "data.Standardize": [
        *transforms(lambda: data.Standardize(*STATISTICS)),
        wrong(
            "images float", lambda: data.Standardize(*STATISTICS)(IMAGES / 1.0), TypeError, "must be uint8", "float64"
        ),
        wrong("images of one channel", lambda: data.Standardize(*STATISTICS)(IMAGES[:, :1]), ValueError, "3", "have 1"),
        wrong("mean and std differ", lambda: data.Standardize([0.5], [1, 1]), ValueError, "(1,) and (2,)"),
        wrong("mean a number", lambda: data.Standardize(0.5, 0.5), ValueError, "one value per channel", "()"),
        wrong("mean a str", lambda: data.Standardize("a", [1.0]), TypeError, "mean must be numbers, got 'a'"),
        wrong("std zero", lambda: data.Standardize([0.5], [0.0]), ValueError, "every std must be positive", "0."),
        wrong("std NaN", lambda: data.Standardize([0.5], [np.nan]), ValueError, "every std must be positive", "nan"),
    ],
    "data.training_transform": [
        wrong("None", lambda: data.training_transform(None), TypeError, "statistics must be ChannelStatistics", "None"),
        wrong("only a mean", lambda: data.training_transform([0.5]), TypeError, "pair (mean, std)", "[0.5]"),
    ],
    "data.evaluation_transform": [
        wrong(
            "None", lambda: data.evaluation_transform(None), TypeError, "statistics must be ChannelStatistics", "None"
        ),
        wrong("only a mean", lambda: data.evaluation_transform([0.5]), TypeError, "pair (mean, std)", "[0.5]"),
    ],
    "data.find_cifar": [
        wrong(
            "dataset unknown",
            lambda: data.find_cifar(NOWHERE, "mnist"),
            ValueError,
            "dataset must be one of",
            "'mnist'",
        ),
    ],
    "data.load_cifar10": [
        wrong("nothing there", lambda: data.load_cifar10(NOWHERE), data.DatasetNotFoundError, str(NOWHERE), "cifar-10-")
    ],
    "data.load_cifar100": [
        wrong(
            "nothing there", lambda: data.load_cifar100(NOWHERE), data.DatasetNotFoundError, str(NOWHERE), "cifar-100-"
        ),
        wrong(
            "labels unknown",
            lambda: data.load_cifar100(NOWHERE, labels="all"),
            ValueError,
            '"fine" or "coarse"',
            "'all'",
        ),
    ],
    "data.download": [
        wrong(
            "into a file",
            lambda: data.download("http://127.0.0.1:1/x", Path(__file__) / "x", md5="0" * 32, progress=False),
            data.DownloadDiskError,
            str(Path(__file__) / "x"),
        ),
        *(
            wrong(f"checksum {given}", partial(data.download, "http://127.0.0.1:1/x", "x", **given), ValueError, *words)
            for given, words in (
                ({}, ["download: needs md5 or sha256", "md5=None and sha256=None"]),
                ({"md5": "0" * 32, "sha256": "0" * 64}, ["download: needs md5 or sha256"]),
                ({"md5": "0" * 31}, ["download: md5 has 32 digits"]),
                ({"sha256": "0" * 7}, ["download: md5 has 32 digits, sha256 8 to 64"]),
                ({"sha256": "0" * 65}, ["download: md5 has 32 digits, sha256 8 to 64"]),
                ({"sha256": "xyzxyzxyz"}, ["hexadecimal", "sha256='xyzxyzxyz'"]),
            )
        ),
    ],
    "data.download_cifar": [
        wrong("dataset unknown", lambda: data.download_cifar("mnist"), ValueError, "dataset must be", "'mnist'"),
        wrong("layout unknown", lambda: data.download_cifar(layout="matlab"), ValueError, "layout", "'matlab'"),
    ],
}
