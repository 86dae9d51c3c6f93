"""Data sets, their download, augmentation and batching. Needs NumPy and tqdm, and nothing of the engine."""

from .cifar import find_cifar, load_cifar10, load_cifar100
from .dataset import ImageDataset, TrainTest
from .download import cache_directory, download, download_cifar
from .errors import (
    CorruptDataError,
    CorruptDownloadError,
    DataError,
    DatasetNotFoundError,
    DownloadDiskError,
    DownloadError,
    ForbiddenPickleError,
    NetworkUnavailableError,
    ServerError,
)
from .loader import DataLoader
from .statistics import CIFAR10_STATISTICS, CIFAR100_STATISTICS, ChannelStatistics, channel_statistics
from .synthetic import synthetic_shapes
from .transforms import (
    Compose,
    Cutout,
    RandomCrop,
    RandomHorizontalFlip,
    Standardize,
    evaluation_transform,
    training_transform,
)

__all__ = [
    "CIFAR10_STATISTICS",
    "CIFAR100_STATISTICS",
    "ChannelStatistics",
    "Compose",
    "CorruptDataError",
    "CorruptDownloadError",
    "Cutout",
    "DataError",
    "DataLoader",
    "DatasetNotFoundError",
    "DownloadDiskError",
    "DownloadError",
    "ForbiddenPickleError",
    "ImageDataset",
    "NetworkUnavailableError",
    "RandomCrop",
    "RandomHorizontalFlip",
    "ServerError",
    "Standardize",
    "TrainTest",
    "cache_directory",
    "channel_statistics",
    "download",
    "download_cifar",
    "evaluation_transform",
    "find_cifar",
    "load_cifar10",
    "load_cifar100",
    "synthetic_shapes",
    "training_transform",
]
