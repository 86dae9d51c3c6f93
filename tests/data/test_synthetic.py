"""The synthetic data set: the same bytes everywhere, balanced, and out of reach of a linear classifier."""

import hashlib

import numpy as np
import pytest

from minception.data import synthetic_shapes

# Of the pictures and labels of synthetic_shapes(40, 20, seed=3): all the arithmetic is exactly rounded, so that every
# machine must come to it.
DIGEST = "9ba3bc5f800fe4a6b15815a79221d77b19d8bb8b84bcfd7da3e5c490b78e62a2"


def digest(*parts):
    whole = hashlib.sha256()
    for part in parts:
        whole.update(np.ascontiguousarray(part.images).tobytes())
        whole.update(part.labels.tobytes())
    return whole.hexdigest()


@pytest.fixture(scope="module")
def shapes():
    return synthetic_shapes(2000, 500, seed=0)


def test_dtypes_and_shapes(shapes):
    for dataset, count in zip(shapes, (2000, 500), strict=True):
        assert dataset.images.shape == (count, 3, 32, 32) and dataset.images.dtype == np.uint8
        assert dataset.labels.shape == (count,) and dataset.labels.dtype == np.int64
        assert dataset.images.transpose(0, 2, 3, 1).flags.c_contiguous
        assert len(set(dataset.class_names)) == dataset.num_classes == 10
        assert (dataset.images.min(), dataset.images.max()) == (0, 255)
    assert shapes.train.class_names == shapes.test.class_names and shapes.train.name != shapes.test.name


def test_the_same_seed_gives_the_same_bytes():
    assert digest(*synthetic_shapes(40, 20, seed=3)) == DIGEST
    np.random.seed(5)  # the global generator has no say
    assert digest(*synthetic_shapes(40, 20, seed=3)) == DIGEST


def test_another_seed_gives_other_pictures():
    assert digest(*synthetic_shapes(40, 20, seed=4)) != DIGEST
    assert digest(*synthetic_shapes(40, 20)) == digest(*synthetic_shapes(40, 20, seed=0))


def test_each_part_is_independent_of_the_size_of_the_other():
    first, second = synthetic_shapes(40, 20, seed=1), synthetic_shapes(40, 30, seed=1)
    assert digest(first.train) == digest(second.train)
    assert digest(synthetic_shapes(10, 20, seed=1).test) == digest(first.test)


@pytest.mark.parametrize("sizes", [(200, 110), (203, 17), (7, 1)])
def test_classes_are_balanced_and_mixed(sizes):
    for dataset, size in zip(synthetic_shapes(*sizes), sizes, strict=True):
        counts = np.bincount(dataset.labels, minlength=10)
        assert counts.sum() == size and counts.max() - counts.min() <= 1
        if size > 100:
            assert (np.diff(dataset.labels) != 0).mean() > 0.7  # neighbours differ nine times in ten


def test_no_picture_occurs_twice_in_or_across_the_parts(shapes):
    pictures = {image.tobytes() for dataset in shapes for image in dataset.images}
    assert len(pictures) == 2500


def test_training_and_test_pictures_are_drawn_alike(shapes):
    """Means of brightness and of contrast over the pictures: independent samples of one distribution."""
    for measure in (np.mean, np.std):
        first, second = (measure(dataset.images, axis=(1, 2, 3)) for dataset in shapes)
        deviation = np.sqrt(first.var() / len(first) + second.var() / len(second))
        assert abs(first.mean() - second.mean()) < 5 * deviation


def features(dataset):
    return dataset.images.reshape(len(dataset), -1).astype(np.float32) / 255


def test_a_linear_classifier_on_pixels_does_badly(shapes):
    """Ridge least squares onto one-hot targets, at the best of several strengths chosen on the test set itself."""
    train, test = map(features, shapes)
    train, test = train - train.mean(axis=0), test - train.mean(axis=0)
    targets = np.eye(10, dtype=np.float32)[shapes.train.labels] - 0.1
    gram, cross = train @ train.T, test @ train.T
    accuracies = []
    for strength in (1.0, 100.0, 5000.0):
        scores = cross @ np.linalg.solve(gram + strength * np.eye(len(gram), dtype=np.float32), targets)
        accuracies.append((scores.argmax(axis=1) == shapes.test.labels).mean())
    assert max(accuracies) < 0.6


def test_colour_says_nothing_about_the_class(shapes):
    """The mean colour of each class is that of the whole set, up to the deviation of a mean."""
    colours = shapes.train.images.mean(axis=(2, 3))
    for label in range(10):
        chosen = colours[shapes.train.labels == label]
        deviation = colours.std(axis=0) / np.sqrt(len(chosen))
        assert (np.abs(chosen.mean(axis=0) - colours.mean(axis=0)) < 5 * deviation).all()


@pytest.mark.parametrize("sizes", [(0, 10), (10, 0), (-3, 5)])
def test_sizes_must_be_positive(sizes):
    with pytest.raises(ValueError, match=f"sizes must be positive, got {sizes[0]} and {sizes[1]}"):
        synthetic_shapes(*sizes)
