"""Augmentation against plain per-image versions with the same draws, and the channel statistics against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minception.data import (
    CIFAR10_STATISTICS,
    CIFAR100_STATISTICS,
    Compose,
    Cutout,
    RandomCrop,
    RandomHorizontalFlip,
    Standardize,
    channel_statistics,
    evaluation_transform,
    synthetic_shapes,
    training_transform,
)
from minception.data.statistics import CHUNK

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
EVERY = [
    RandomCrop(2),
    RandomCrop(3, "reflect"),
    RandomHorizontalFlip(),
    Cutout(3, fill=7),
    Standardize(MEAN, STD),
    training_transform((MEAN, STD), padding=2, cutout=3),
]

images_of_any_shape = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 7), st.integers(1, 7))
)
seeds = st.integers(0, 2**32)


def random_images(rng, n=6, c=3, h=7, w=9):
    return rng.integers(0, 256, (n, c, h, w), np.uint8)


def generator(seed=0):
    return np.random.default_rng(seed)


def windows_of(padded, h, w):
    """All windows (h, w) of one padded picture (C, H', W'), by their top left corner."""
    tops, lefts = range(padded.shape[1] - h + 1), range(padded.shape[2] - w + 1)
    return {(top, left): padded[:, top : top + h, left : left + w] for top in tops for left in lefts}


def assert_uniform(draws, places):
    """Draws of 0...places - 1 are equally frequent: each count is within 5 standard deviations of its mean."""
    counts = np.bincount(draws, minlength=places)
    assert len(counts) == places
    mean = len(draws) / places
    assert np.abs(counts - mean).max() < 5 * np.sqrt(mean * (1 - 1 / places)), counts


@pytest.mark.parametrize("transform", EVERY, ids=repr)
class TestEveryTransform:
    def test_input_is_unmodified_and_not_shared(self, transform, rng):
        images = random_images(rng)
        images.flags.writeable = False
        kept = images.copy()
        result = transform(images, generator())
        assert not np.shares_memory(result, images)
        result[:] = 1
        np.testing.assert_array_equal(images, kept)

    def test_output_is_channels_last(self, transform, rng):
        images = random_images(rng)
        result = transform(images, generator())
        assert result.shape == images.shape
        assert result.transpose(0, 2, 3, 1).flags.c_contiguous

    def test_the_memory_order_of_the_input_does_not_matter(self, transform, rng):
        images = random_images(rng)
        expected = transform(images, generator())
        stored_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        strided = np.repeat(images, 2, axis=0)[::2]
        for same in (stored_last, strided, images[::-1].copy()[::-1], np.asfortranarray(images)):
            np.testing.assert_array_equal(transform(same, generator()), expected)

    def test_all_randomness_comes_from_the_generator(self, transform, rng):
        images = random_images(rng, n=20)
        np.random.seed(0)
        first = transform(images, generator(1))
        np.random.seed(1)
        np.testing.assert_array_equal(transform(images, generator(1)), first)
        differs = (transform(images, generator(2)) != first).any()
        assert differs == (not isinstance(transform, Standardize))

    def test_no_images_give_none(self, transform):
        assert transform(np.empty((0, 3, 7, 9), np.uint8), generator()).shape == (0, 3, 7, 9)


@given(images=images_of_any_shape, padding=st.integers(0, 9), mode=st.sampled_from(["zero", "reflect"]), seed=seeds)
def test_crop_equals_padding_and_cutting_each_image(images, padding, mode, seed):
    h, w = images.shape[2:]
    if mode == "reflect":
        padding = min(padding, h - 1, w - 1)
    result = RandomCrop(padding, mode)(images, generator(seed))
    tops, lefts = generator(seed).integers(0, 2 * padding + 1, size=(2, len(images)))
    for image, cropped, top, left in zip(images, result, tops, lefts, strict=True):
        pad_mode = "constant" if mode == "zero" else "reflect"
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)), mode=pad_mode)
        np.testing.assert_array_equal(cropped, padded[:, top : top + h, left : left + w])
    assert result.dtype == np.uint8


@given(images=images_of_any_shape, size=st.integers(1, 9), padding=st.integers(0, 3), seed=seeds)
def test_crop_of_a_size_of_its_own(images, size, padding, seed):
    """Height and width may leave different room: the places of the windows are drawn for each."""
    room = [extent + 2 * padding - size for extent in images.shape[2:]]
    if min(room) < 0:
        with pytest.raises(ValueError, match=f"windows of {size} x {size} pixels do not fit padded images"):
            RandomCrop(padding, size=size)(images, generator(seed))
        return
    result, draws = RandomCrop(padding, size=size)(images, generator(seed)), generator(seed)
    tops, lefts = (draws.integers(0, most + 1, size=len(images)) for most in room)
    for image, cropped, top, left in zip(images, result, tops, lefts, strict=True):
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
        np.testing.assert_array_equal(cropped, padded[:, top : top + size, left : left + size])
    assert result.shape[2:] == (size, size) and result.transpose(0, 2, 3, 1).flags.c_contiguous


def test_crop_draws_every_window_of_each_image_equally_often(rng):
    image = random_images(rng, n=1, h=5, w=4)
    results = RandomCrop(2)(np.repeat(image, 5000, axis=0), generator())
    numbers = {
        window.tobytes(): number
        for number, window in enumerate(windows_of(np.pad(image[0], ((0, 0), (2, 2), (2, 2))), 5, 4).values())
    }
    assert len(numbers) == 25
    assert_uniform([numbers[result.tobytes()] for result in results], 25)


@given(images=images_of_any_shape, probability=st.floats(0, 1), seed=seeds)
def test_flip_mirrors_exactly_the_chosen_images(images, probability, seed):
    result = RandomHorizontalFlip(probability)(images, generator(seed))
    chosen = generator(seed).random(len(images)) < probability
    expected = [image[:, :, ::-1] if flip else image for image, flip in zip(images, chosen, strict=True)]
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.uint8


@pytest.mark.parametrize("probability", [0, 0.25, 0.5, 1])
def test_flips_are_as_frequent_as_asked(rng, probability):
    images = random_images(rng, n=4000, h=2, w=2)
    images[..., 0], images[..., 1] = 0, 1
    result = RandomHorizontalFlip(probability)(images, generator())
    flipped = result[:, 0, 0, 0].sum()
    assert abs(flipped - 4000 * probability) <= 5 * np.sqrt(4000 * probability * (1 - probability))


def naive_cutout(image, row, column, size, fill):
    """Fill each pixel whose distance from (row, column) is in [-(size // 2), size - size // 2)."""
    image = image.copy()
    for y in range(image.shape[1]):
        for x in range(image.shape[2]):
            if all(-(size // 2) <= distance < size - size // 2 for distance in (y - row, x - column)):
                image[:, y, x] = fill
    return image


@given(images=images_of_any_shape, size=st.integers(1, 15), seed=seeds, colour=st.booleans())
def test_cutout_blanks_one_square_clipped_at_the_border(images, size, seed, colour):
    n, c, h, w = images.shape
    fill = tuple(range(10, 10 + c)) if colour else 99
    result = Cutout(size, fill)(images, generator(seed))
    draws = generator(seed)
    rows, columns = draws.integers(0, h, size=n), draws.integers(0, w, size=n)
    for image, cut, row, column in zip(images, result, rows, columns, strict=True):
        np.testing.assert_array_equal(cut, naive_cutout(image, row, column, size, fill))
    assert result.dtype == np.uint8


def test_cutout_draws_every_place_equally_often():
    result = Cutout(1, fill=1)(np.zeros((6000, 1, 5, 6), np.uint8), generator())
    assert (result.sum(axis=(1, 2, 3)) == 1).all()
    assert_uniform(result.reshape(6000, -1).argmax(axis=1), 30)


def test_images_of_a_batch_are_drawn_independently():
    """Neighbours agree on a fair coin half of the time."""
    images = np.zeros((4000, 1, 1, 2), np.uint8)
    images[..., 1] = 1
    flipped = RandomHorizontalFlip()(images, generator())[:, 0, 0, 0]
    assert abs((flipped[1:] == flipped[:-1]).sum() - 3999 / 2) < 5 * np.sqrt(3999 / 4)


@given(images=images_of_any_shape, seed=seeds)
def test_standardize(images, seed):
    """Two constants are rounded, a product and a sum: four roundings of terms no larger than `scale`."""
    c = images.shape[1]
    mean, std = generator(seed).uniform(0, 1, c), generator(seed).uniform(0.1, 1, c)
    result = Standardize(mean, std)(images)
    assert result.dtype == np.float32
    expected = (images / 255 - mean[:, None, None]) / std[:, None, None]
    scale = (images / 255 + mean[:, None, None]) / std[:, None, None]
    assert (np.abs(result - expected) <= 4 * np.finfo(np.float32).eps * scale).all()


def test_standardised_images_have_mean_0_and_deviation_1(rng):
    images = synthetic_shapes(300, 1).train.images
    result = evaluation_transform(channel_statistics(images))(images).astype(np.float64)
    np.testing.assert_allclose(result.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(result.std(axis=(0, 2, 3)), 1, atol=1e-6)


def test_compose_applies_its_transforms_in_order(rng):
    images = random_images(rng)
    steps = [RandomCrop(2), RandomHorizontalFlip(), Cutout(3), Standardize(MEAN, STD)]
    expected, draws = images, generator(5)
    for step in steps:
        expected = step(expected, draws)
    np.testing.assert_array_equal(Compose(iter(steps))(images, generator(5)), expected)
    assert Compose([])(images) is images


def test_training_and_evaluation_transforms():
    statistics = (MEAN, STD)
    standardize = f"Standardize(mean={list(MEAN)}, std={list(STD)})"
    assert repr(evaluation_transform(statistics)) == f"Compose([{standardize}])"
    assert repr(training_transform(statistics, padding=0, flip=False)) == f"Compose([{standardize}])"
    assert repr(training_transform(statistics, padding=3, cutout=8, mode="reflect")) == (
        "Compose([RandomCrop(padding=3, mode='reflect'), RandomHorizontalFlip(probability=0.5), "
        f"Cutout(size=8, fill=(128, 102, 76)), {standardize}])"
    )
    assert repr(training_transform(statistics, padding=0, flip=False, size=5)) == (
        f"Compose([RandomCrop(padding=0, mode='zero', size=5), {standardize}])"
    )


@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (CHUNK + 1, 2, 3, 1), (7, 1, 5, 4)])
@pytest.mark.parametrize("last", [False, True])
def test_channel_statistics_equal_numpy(rng, shape, last):
    images = rng.integers(0, rng.integers(2, 257), shape, np.uint8)
    if last:
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    mean, std = channel_statistics(images)
    scaled = images / 255
    np.testing.assert_allclose(mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, scaled.std(axis=(0, 2, 3)), rtol=1e-12)
    assert mean.dtype == std.dtype == np.float64


def test_channel_statistics_of_one_colour_are_exact():
    mean, std = channel_statistics(np.full((3, 2, 4, 5), 51, np.uint8))
    assert mean.tolist() == [0.2, 0.2] and std.tolist() == [0, 0]


@pytest.mark.parametrize("statistics", [CIFAR10_STATISTICS, CIFAR100_STATISTICS])
def test_cifar_constants_are_plausible(statistics):
    mean, std = statistics
    assert mean.shape == std.shape == (3,)
    assert ((mean > 0.4) & (mean < 0.55)).all() and ((std > 0.24) & (std < 0.28)).all()
    assert mean[0] > mean[1] > mean[2], "photographs are a little yellow"
    assert std[1] < std[0] < std[2]


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: RandomCrop(-1), ValueError, "RandomCrop: padding must be non-negative, got -1"),
        (lambda: RandomCrop(2, "wrap"), ValueError, "RandomCrop: mode must be .* got 'wrap'"),
        (lambda: RandomCrop(4, "reflect")(np.zeros((1, 3, 9, 4), np.uint8), generator()), ValueError, "reflect.*9 x 4"),
        (lambda: RandomCrop(2, size=0), ValueError, "RandomCrop: size must be positive, got 0"),
        (lambda: RandomHorizontalFlip(1.5), ValueError, r"probability must be in \[0, 1\], got 1.5"),
        (lambda: RandomHorizontalFlip(float("nan")), ValueError, "probability must be in .* got nan"),
        (lambda: Cutout(0), ValueError, "Cutout: size must be positive, got 0"),
        (lambda: Standardize((0.5, 0.5), (1,)), ValueError, "Standardize: mean and std need one value per channel"),
        (lambda: Standardize(0.5, 0.2), ValueError, "Standardize: mean and std need one value per channel"),
        (lambda: Standardize((0.5, 0.5), (1, 0)), ValueError, "Standardize: every std must be positive"),
        (lambda: Standardize(MEAN, STD)(np.zeros((1, 3, 2, 2))), TypeError, "must be uint8, got float64"),
        (lambda: Standardize(MEAN, STD)(np.zeros((1, 1, 2, 2), np.uint8)), ValueError, "3 channels, images have 1"),
        (lambda: Cutout(2)(np.zeros((1, 1, 2, 2), np.uint8), generator()), ValueError, "Cutout: .*3 .*1"),
        (lambda: channel_statistics(np.zeros((1, 3, 2, 2))), TypeError, "images must be uint8, got float64"),
        (lambda: channel_statistics(np.zeros((3, 2, 2), np.uint8)), ValueError, "images must be non-empty"),
        (lambda: channel_statistics(np.zeros((0, 3, 2, 2), np.uint8)), ValueError, "images must be non-empty"),
    ],
)
def test_wrong_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()
