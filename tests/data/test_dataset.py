"""Data sets are checked at construction, cannot be written to, and have parts."""

import dataclasses

import numpy as np
import pytest

from minception.data import ImageDataset, TrainTest

NAMES = ("ant", "bee", "cat")


def make(count=6, **changes):
    """A small valid data set, or one with the given fields in place of its own."""
    images = np.arange(count * 3 * 4 * 5).astype(np.uint8).reshape(count, 3, 4, 5)
    fields = {"name": "animals", "images": images, "labels": np.arange(count) % 3, "class_names": NAMES}
    return ImageDataset(**{**fields, **changes})


def channels_last(images):
    return images.transpose(0, 2, 3, 1).flags.c_contiguous


def test_fields():
    dataset = make()
    assert (dataset.name, len(dataset), dataset.num_classes, dataset.class_names) == ("animals", 6, 3, NAMES)
    assert dataset.images.dtype == np.uint8 and dataset.labels.dtype == np.int64
    np.testing.assert_array_equal(dataset.images, np.arange(360).astype(np.uint8).reshape(6, 3, 4, 5))
    assert dataset.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert channels_last(dataset.images)
    assert make(class_names=["a", "b", "c", "unused"]).class_names == ("a", "b", "c", "unused")


def test_everything_is_read_only():
    dataset = make()
    for array in (dataset.images, dataset.labels, dataset.subset(slice(2)).images, dataset.subset([1]).labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "plants"


def test_the_arrays_of_the_caller_stay_writeable():
    for images in (np.zeros((3, 3, 4, 5), np.uint8), np.zeros((3, 4, 5, 3), np.uint8).transpose(0, 3, 1, 2)):
        labels = np.zeros(3, np.int64)
        make(images=images, labels=labels)
        images[0] = 1
        labels[0] = 1


def test_channels_last_images_are_not_copied():
    images = np.zeros((3, 4, 5, 3), np.uint8).transpose(0, 3, 1, 2)
    assert np.shares_memory(make(images=images, labels=np.zeros(3, np.int64)).images, images)


@pytest.mark.parametrize(
    "changes, error, words",
    [
        ({"images": np.zeros((6, 3, 4, 5), np.float32)}, TypeError, "images must be uint8, got float32"),
        ({"labels": np.zeros(6, np.int32)}, TypeError, "labels must be int64, got int32"),
        ({"labels": np.zeros(6)}, TypeError, "labels must be int64, got float64"),
        ({"images": np.zeros((6, 4, 5), np.uint8)}, ValueError, r"images must be non-empty .* got shape \(6, 4, 5\)"),
        ({"images": np.zeros((0, 3, 4, 5), np.uint8), "labels": np.zeros(0, np.int64)}, ValueError, "images must"),
        ({"images": np.zeros((6, 3, 0, 5), np.uint8)}, ValueError, "images must be non-empty"),
        ({"labels": np.zeros(5, np.int64)}, ValueError, r"labels must have shape \(6,\), .* got \(5,\)"),
        ({"labels": np.zeros((6, 1), np.int64)}, ValueError, r"labels must have shape \(6,\)"),
        ({"labels": np.array([0, 1, 2, 3, 4, 0])}, ValueError, "label 3 of image 3 is outside the 3 classes"),
        ({"labels": np.array([0, -1, 2, 3, 1, 0])}, ValueError, "label -1 of image 1 is outside the 3 classes"),
        ({"class_names": ()}, ValueError, "label 0 of image 0 is outside the 0 classes"),
    ],
)
def test_wrong_fields(changes, error, words):
    with pytest.raises(error, match=f"animals: {words}"):
        make(**changes)


@pytest.mark.parametrize(
    "indices, expected",
    [
        (slice(1, 5), [1, 2, 3, 4]),
        (slice(None, None, -2), [5, 3, 1]),
        ([4, 0, 4, -1], [4, 0, 4, 5]),
        (np.array([3, 2], np.uint8), [3, 2]),
        (np.array([True, False, False, True, False, True]), [0, 3, 5]),
    ],
    ids=["slice", "backwards", "list with repeats", "uint8 array", "mask"],
)
def test_subset(indices, expected):
    dataset = make()
    part = dataset.subset(indices)
    np.testing.assert_array_equal(part.images, dataset.images[expected])
    np.testing.assert_array_equal(part.labels, dataset.labels[expected])
    assert (part.name, part.class_names, len(part)) == ("part of animals", NAMES, len(expected))
    assert channels_last(part.images) and part.labels.dtype == np.int64
    assert dataset.subset(indices, name="some").name == "some"


def test_a_slice_of_neighbours_copies_nothing():
    dataset = make()
    assert np.shares_memory(dataset.subset(slice(2, 4)).images, dataset.images)


@pytest.mark.parametrize(
    "indices, error, words",
    [
        (slice(0, 0), ValueError, "part of animals: images must be non-empty"),
        (np.zeros(6, bool), ValueError, "part of animals: images must be non-empty"),
        ([6], IndexError, "index 6 is out of bounds"),
        (np.ones(5, bool), IndexError, "boolean index did not match"),
        ([0.5], IndexError, "must be of integer|integer"),
    ],
)
def test_wrong_subsets(indices, error, words):
    with pytest.raises(error, match=words):
        make().subset(indices)


def test_train_test_unpacks():
    train, test = TrainTest(make(6), make(3))
    assert (len(train), len(test)) == (6, 3)
