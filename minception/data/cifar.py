"""CIFAR-10 and CIFAR-100 in every form that https://www.cs.toronto.edu/~kriz/cifar.html hands out.

Each data set exists in a *python* layout (pickled dictionaries) and a *binary* layout (fixed-size records), each as
a .tar.gz archive or as the folder that it unpacks to. Both layouts store an image as 3072 bytes: 1024 red, then
1024 green, then 1024 blue, each row by row from the top.

Described in: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from pathlib import Path

import numpy as np

from .cifar_layouts import CHANNELS, LAYOUTS, PIXELS, SIZE, TEST_IMAGES
from .dataset import ImageDataset, TrainTest, to_channels_first, to_channels_last
from .download import cache_directory, download_cifar
from .errors import CorruptDataError, DatasetNotFoundError
from .files import read_files
from .restricted_pickle import loads


def load_cifar10(root=None, *, download=False, progress=True, official_size=True):
    """CIFAR-10 as `TrainTest`: 50,000 and 10,000 images uint8 (N, 3, 32, 32), 10 classes.

    root: a folder that holds an official layout, or that layout's own folder, or its archive; None is
        `cache_directory()`. Extracted folders win over archives and the python layout over the binary one.
    download: fetch the official archive into `root` if nothing is there; `progress` shows a bar meanwhile.
    official_size: False accepts any number of images in a file (but at least one), for cut-down copies.

    Raises DatasetNotFoundError, CorruptDataError (which names the damaged file) and, with `download`, DownloadError.
    """
    return _load("cifar10", "fine", root, download, progress, official_size)


def load_cifar100(root=None, *, labels="fine", download=False, progress=True, official_size=True):
    """CIFAR-100 as `TrainTest`; `labels` is "fine" (100 classes) or "coarse" (20 superclasses).

    The other arguments and the errors are those of `load_cifar10`.
    """
    if labels not in ("fine", "coarse"):
        raise ValueError(f'load_cifar100: labels must be "fine" or "coarse", got {labels!r}')
    return _load("cifar100", labels, root, download, progress, official_size)


def find_cifar(root, dataset="cifar10"):
    """The path of the layout folder or archive that loading from `root` would read, or None.

    Raises ValueError for an unknown data set, DatasetNotFoundError if there is only a folder that lacks files.
    """
    found = _find(Path(root), dataset)
    return None if found is None else found[1]


def _load(dataset, kind, root, download, progress, official_size):
    root = cache_directory() if root is None else Path(root)
    found = _find(root, dataset)
    if found is None and download:
        found = LAYOUTS[dataset][0], download_cifar(dataset, root, progress=progress)
    if found is None:
        wanted = ", ".join(f"{layout.folder}/, {layout.archive}" for layout in LAYOUTS[dataset])
        raise DatasetNotFoundError(f"no {dataset} in {root}: looked for {wanted}")
    layout, path = found
    parts, class_names = _read(layout, path, kind, official_size)
    title = f"{dataset.replace('cifar', 'CIFAR-')} ({path})"
    return TrainTest(
        *(
            ImageDataset(f"{title} {split} set", *_join(layout, parts, files), class_names)
            for split, files in (("training", layout.train_files), ("test", (layout.test_file,)))
        )
    )


def _find(root, dataset):
    """(layout, path) of the first complete layout at or in `root`, or None."""
    if dataset not in LAYOUTS:
        raise ValueError(f"find_cifar: dataset must be one of {', '.join(LAYOUTS)}, got {dataset!r}")
    root, incomplete = root.absolute(), None
    for layout in LAYOUTS[dataset]:
        own_folder = root if root.name == layout.folder else root / layout.folder
        own_archive = root if root.name == layout.archive else root / layout.archive
        if own_folder.is_dir():
            missing = sorted(name for name in layout.files if not (own_folder / name).is_file())
            if not missing:
                return layout, own_folder
            incomplete = incomplete or f"{own_folder} lacks {', '.join(missing)}"
        if own_archive.is_file():
            return layout, own_archive
    if incomplete:
        raise DatasetNotFoundError(f"incomplete {dataset} folder: {incomplete}")
    return None


def _read(layout, path, kind, official_size):
    """({file name: (images, labels)}, class names), each file checked as it is read."""
    parts, class_names = {}, None
    wanted = (layout.files - set(layout.names_files.values())) | {layout.names_files[kind]}
    for name, data in read_files(path, layout.folder, wanted):
        where = f"{path}/{name}"
        if name == layout.names_files[kind]:
            class_names = _parse_names(layout, kind, data, where)
        else:
            parse = _parse_python if layout.is_python else _parse_binary
            images, labels = parse(layout, kind, data, where)
            official = TEST_IMAGES if name == layout.test_file else layout.images_per_file
            _check(where, images, labels, layout.num_classes[kind], official if official_size else None)
            parts[name] = images, labels
    return parts, class_names


def _parse_python(layout, kind, data, where):
    """Images uint8 (N, 3, 32, 32) and labels int64 (N,) from a pickled dictionary of the python layout."""
    content = _text_keys(loads(data, where))
    rows, labels = content.get("data"), content.get(layout.label_keys[kind])
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != PIXELS:
        found = f"shape {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise CorruptDataError(f'{where}: "data" must be a uint8 array of shape (N, {PIXELS}), found {found}')
    if not isinstance(labels, list) or not all(type(label) is int and abs(label) < 256 for label in labels):
        raise CorruptDataError(f'{where}: "{layout.label_keys[kind]}" must be a list of small integers')
    return rows.reshape(-1, CHANNELS, SIZE, SIZE), np.array(labels, np.int64)


def _parse_binary(layout, kind, data, where):
    """Images uint8 (N, 3, 32, 32) and labels int64 (N,) from records of label bytes and 3072 pixel bytes."""
    record = layout.label_bytes + PIXELS
    if len(data) % record:
        raise CorruptDataError(f"{where}: {len(data)} bytes are not a whole number of {record}-byte records")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    images = records[:, layout.label_bytes :].reshape(-1, CHANNELS, SIZE, SIZE)
    return images, records[:, layout.label_keys[kind]].astype(np.int64)


def _parse_names(layout, kind, data, where):
    """The class names, from the pickled metadata or from a text file with one name a line."""
    if layout.is_python:
        names = _text_keys(loads(data, where)).get(layout.names_keys[kind])
        if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
            raise CorruptDataError(f'{where}: "{layout.names_keys[kind]}" must be a list of strings')
        names = [_text(name) for name in names]
    else:
        names = _text(data).split()
    if len(names) != layout.num_classes[kind]:
        raise CorruptDataError(f"{where}: expected {layout.num_classes[kind]} class names, found {len(names)}")
    return tuple(names)


def _check(where, images, labels, num_classes, official):
    """Raise CorruptDataError unless images and labels agree in number and the labels are in range."""
    if len(labels) != len(images):
        raise CorruptDataError(f"{where}: {len(images)} images, but {len(labels)} labels")
    if official is not None and len(images) != official:
        raise CorruptDataError(
            f"{where}: {len(images)} images, the official file has {official} "
            "(official_size=False accepts other sizes)"
        )
    if len(images) == 0:
        raise CorruptDataError(f"{where}: no images")
    if labels.min() < 0 or labels.max() >= num_classes:
        worst = labels[(labels < 0) | (labels >= num_classes)][0]
        raise CorruptDataError(f"{where}: label {worst} is outside 0 to {num_classes - 1}")


def _join(layout, parts, files):
    """The images, channels-last in memory, and the labels of several files, in the order of `files`."""
    images = np.concatenate([to_channels_last(parts[name][0]) for name in files])
    return to_channels_first(images), np.concatenate([parts[name][1] for name in files])


def _text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _text_keys(dictionary):
    """The same dictionary with str keys: Python 2 wrote byte strings, Python 3 writes str."""
    return {_text(key): value for key, value in dictionary.items()}
