"""Probabilities of classes, averaged over the views of a picture and over networks.

Softmax probabilities are averaged, not logits, as in section 7 of Szegedy et al., "Going deeper with convolutions"
(2015).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import tee
from typing import NamedTuple

import numpy as np

import minception as mc
from minception.models.auxiliary import main_logits
from minception.train.config import ConfigError
from minception.train.device import device_of_model
from minception.train.errors import RunError

from .classifier import Classifier
from .crops import CROPS, crops_of
from .images import PictureError, open_picture, shown, to_array


class RankedClass(NamedTuple):
    """A class among the likeliest of a picture."""

    index: int
    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """What is in a picture: `classes`, the likeliest first, or none and the `error` why it could not be used.

    `image` is what `predict` was given.
    """

    image: object
    classes: tuple = ()
    error: PictureError | None = None


def predict(classifiers, images, *, top=5, crops=1, batch_size=16):
    """Yield a `Prediction` for each of `images`, in order, as soon as it is known.

    classifiers: a `Classifier`, or several with the same classes, whose probabilities are averaged with equal weight.
    images: an iterable of what `open_picture` takes. top: how many classes to name, at most; of classes equally likely
    the one with the lower index comes first. crops: 1, 10 or 144 views of each picture (`crops_of`). batch_size: how
    many views a network sees at a time; only these are in memory, and one picture.

    A picture that cannot be used gets a Prediction with an error, and the others theirs. Raises ConfigError for
    classifiers with different classes, ValueError or TypeError for other wrong arguments, RunError for a network whose
    outputs are not finite.
    """
    if isinstance(classifiers, Classifier):
        classifiers = [classifiers]
    if not isinstance(classifiers, (list, tuple)):
        found = type(classifiers).__name__
        raise TypeError(f"predict: classifiers must be a Classifier or a list of them, got {found}")
    _check_same_classes(classifiers)
    _check_count("predict", "top", top)
    _check_views("predict", crops, batch_size)
    images, *copies = tee(_iterable("predict", images), 1 + len(classifiers))
    results = [
        probabilities(classifier, copy, crops=crops, batch_size=batch_size)
        for classifier, copy in zip(classifiers, copies, strict=True)
    ]
    return _predictions(images, results, classifiers[0].class_names, top)


def _predictions(images, results, class_names, top):
    for image, *each in zip(images, *results, strict=True):
        errors = [result for result in each if isinstance(result, PictureError)]
        if errors:
            yield Prediction(image, error=errors[0])
        else:
            yield Prediction(image, rank(sum(each) / len(each), class_names, top))


def rank(values, class_names, top):
    """The `top` classes of largest probability in `values` (num_classes,), a tuple of `RankedClass`."""
    order = np.argsort(-values, kind="stable")[:top]
    return tuple(RankedClass(int(index), class_names[index], float(values[index])) for index in order)


def probabilities(classifier, images, *, crops=1, batch_size=16):
    """Yield for each of `images`, in order, its probabilities float64 (num_classes,), or the PictureError why not.

    Arguments and other errors as `predict`.
    """
    if not isinstance(classifier, Classifier):
        raise TypeError(f"probabilities: classifier must be a Classifier, got {type(classifier).__name__}")
    _check_views("probabilities", crops, batch_size)
    return _probabilities(classifier, _iterable("probabilities", images), crops, batch_size)


@dataclass
class _Sum:
    """A picture whose views are being classified."""

    total: np.ndarray | float = 0.0
    waiting: int = 0  # views that are not classified yet
    result: object = field(default=None)

    def add(self, values):
        self.total += values
        self.waiting -= 1


def _probabilities(classifier, images, crops, batch_size):
    pictures, batch, owners = deque(), [], []

    def classify():
        for owner, values in zip(owners, _softmax(classifier, np.stack(batch)), strict=True):
            owner.add(values)
        batch.clear()
        owners.clear()

    for image in images:
        picture = _Sum()
        pictures.append(picture)
        try:
            for view in _views(image, classifier.preprocessing, crops):
                batch.append(view)
                owners.append(picture)
                picture.waiting += 1
                if len(batch) == batch_size:
                    classify()
        except PictureError as error:
            picture.result = error
        while pictures and pictures[0].waiting == 0:
            yield _result(pictures.popleft(), crops)
    if batch:
        classify()
    while pictures:
        yield _result(pictures.popleft(), crops)


def _result(picture, crops):
    return picture.total / crops if picture.result is None else picture.result


def _views(image, preprocessing, crops):
    """The arrays float32 (H, W, C) of the views of an image; PictureError, which names it."""
    picture = open_picture(image)
    try:
        for view in crops_of(picture, preprocessing, crops):
            yield to_array(view, preprocessing)
    except PictureError as error:
        name = shown(image) if isinstance(image, str) or hasattr(image, "__fspath__") else "the image"
        raise PictureError(f"{name}: {error}") from error


def _softmax(classifier, views):
    """Probabilities float64 (N, num_classes) of views float32 (N, H, W, C)."""
    with mc.no_grad():
        images = mc.from_numpy(views.transpose(0, 3, 1, 2)).to(device_of_model(classifier.model))
        logits = main_logits(classifier.model(images))
    logits = np.asarray(logits.cpu()).astype(np.float64)
    expected = (len(views), len(classifier.class_names))
    if logits.shape != expected:
        raise RunError(f"{classifier.name}: the network's outputs have shape {logits.shape}, expected {expected}")
    if not np.isfinite(logits).all():
        raise RunError(f"{classifier.name}: the network's outputs are not finite; its weights are of no use")
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def _check_same_classes(classifiers):
    if not classifiers:
        raise ValueError("predict: classifiers must not be empty")
    for classifier in classifiers:
        if not isinstance(classifier, Classifier):
            raise TypeError(f"predict: classifiers must be Classifiers, got {type(classifier).__name__}")
    first, *others = classifiers
    for other in others:
        sizes = len(first.class_names), len(other.class_names)
        if sizes[0] != sizes[1]:
            raise ConfigError(
                f"networks with different classes cannot be averaged: {first.name} has {sizes[0]}, "
                f"{other.name} has {sizes[1]}"
            )
        for index, names in enumerate(zip(first.class_names, other.class_names, strict=True)):
            if names[0] != names[1]:
                raise ConfigError(
                    f"networks with different classes cannot be averaged: class {index} is {names[0]!r} for "
                    f"{first.name}, {names[1]!r} for {other.name}"
                )


def _check_count(caller, name, value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{caller}: {name} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{caller}: {name} must be at least 1, got {value}")


def _check_views(caller, crops, batch_size):
    if crops not in CROPS:
        raise ValueError(f"{caller}: crops must be one of {', '.join(map(str, CROPS))}, got {crops!r}")
    _check_count(caller, "batch_size", batch_size)


def _iterable(caller, images):
    """A single picture is a likely slip, and a string or an array could be iterated over."""
    if isinstance(images, (str, bytes, np.ndarray)) or not isinstance(images, Iterable):
        raise TypeError(f"{caller}: images must be a list or another iterable of pictures, got {type(images).__name__}")
    return images
