"""The loader: every image once, an order and randomness that depend on the seed alone, a thread that always ends."""

import contextlib
import gc
import subprocess
import sys
import threading
import time
import traceback
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minception.data import Compose, Cutout, DataLoader, RandomCrop, RandomHorizontalFlip, Standardize
from minception.data.prefetch import prefetch

CHANNELS, HEIGHT, WIDTH = 3, 4, 5  # a rectangle, so that no two axes can be taken for each other
AUGMENT = Compose([RandomCrop(2), RandomHorizontalFlip(), Cutout(2), Standardize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))])


@pytest.fixture(autouse=True)
def no_thread_left():
    """Whatever a test does, it must not leave a thread behind."""
    before = threading.enumerate()
    yield
    assert threading.enumerate() == before


def numbered(count):
    """Images that carry their own number, in the first two channels of every pixel, and labels that are 1000 more."""
    numbers, images = np.arange(count), np.zeros((count, CHANNELS, HEIGHT, WIDTH), np.uint8)
    images[:, 0], images[:, 1] = (numbers % 256)[:, None, None], (numbers // 256)[:, None, None]
    return images, numbers + 1000


def numbers_of(images):
    """The numbers that a batch of `numbered` images carries."""
    pixels = np.rint(images[:, :, -1, -1] * 255).astype(int)
    return (pixels[:, 0] + 256 * pixels[:, 1]).tolist()


def loader(count=20, batch_size=6, **options):
    return DataLoader(*numbered(count), batch_size, **options)


def served(batches):
    """The numbers of all images that `batches` hold, in order."""
    return [number for images, _ in batches for number in numbers_of(images)]


def noisy(images, generator):
    """Random pictures that depend on the generator alone: they show which random stream a batch got."""
    return generator.random(images.shape)


def assert_same_batches(actual, expected):
    for (images, labels), (expected_images, expected_labels) in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(images, expected_images)
        np.testing.assert_array_equal(labels, expected_labels)


@given(st.integers(1, 600), st.integers(1, 650), st.booleans(), st.booleans(), st.integers(0, 3), st.integers(0, 2**40))
def test_an_epoch_holds_every_image_once_with_its_label(count, batch_size, drop_last, shuffle, depth, seed):
    drop_last = drop_last and batch_size <= count
    batches_of = loader(count, batch_size, drop_last=drop_last, shuffle=shuffle, prefetch=depth, seed=seed)
    batches = list(batches_of.epoch(2))
    tail = count % batch_size
    expected = count - tail if drop_last else count

    assert len(batches) == len(batches_of)
    sizes = [len(labels) for _, labels in batches]
    assert sizes == [batch_size] * (count // batch_size) + ([tail] if tail and not drop_last else [])
    assert batches_of.num_images == count and batches_of.num_images_per_epoch == sum(sizes) == expected
    numbers = served(batches)
    assert len(set(numbers)) == expected, "an image was served twice"
    if not drop_last:
        assert sorted(numbers) == list(range(count))
    if not shuffle:
        assert numbers == list(range(expected))
    assert numbers == served(loader(count, batch_size, shuffle=shuffle, seed=seed).epoch(2))[:expected]
    assert [label - 1000 for _, labels in batches for label in labels] == numbers


@pytest.mark.parametrize("order", ["channels first", "channels last", "strided"])
@pytest.mark.parametrize("channels", [1, 3])
def test_dtypes_shapes_memory_and_values(rng, order, channels):
    images = rng.integers(0, 256, (7, channels, HEIGHT, WIDTH), np.uint8)
    if order == "channels last":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    elif order == "strided":
        images = np.repeat(images, 2, axis=3)[:, :, :, ::2]
    labels = np.arange(7, dtype=np.uint8)
    kept = images.copy()

    def erase(batch, generator):  # a transform may write on its batch, too
        result = batch.copy()
        batch[:] = 0
        return result

    batches = list(DataLoader(images, labels, 4, transform=erase))
    for (batch, batch_labels), chosen in zip(batches, [slice(0, 4), slice(4, 7)], strict=True):
        assert batch.dtype == np.float32 and batch_labels.dtype == np.int64
        assert batch.transpose(0, 2, 3, 1).flags.c_contiguous
        np.testing.assert_array_equal(batch, images[chosen].astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(batch_labels, labels[chosen])
        batch[:] = batch_labels[:] = -1  # batches are the caller's to write on
    np.testing.assert_array_equal(images, kept)
    np.testing.assert_array_equal(labels, np.arange(7))


def test_floating_images_and_results_of_transforms_are_not_scaled(rng):
    images = rng.standard_normal((5, 2, 3, 4))
    ((batch, _),) = DataLoader(images, np.arange(5))
    np.testing.assert_array_equal(batch, images.astype(np.float32))
    ((batch, _),) = DataLoader(*numbered(3), transform=lambda images, _: images + 0.25)
    np.testing.assert_array_equal(batch, (numbered(3)[0] + 0.25).astype(np.float32))


def test_the_order_depends_on_seed_and_epoch_alone():
    keys = [(seed, epoch) for seed in range(3) for epoch in range(3)]
    orders = {(seed, epoch): tuple(served(loader(shuffle=True, seed=seed).epoch(epoch))) for seed, epoch in keys}
    assert len(set(orders.values())) == 9, "epochs or seeds share an order"
    other = loader(batch_size=3, shuffle=True, seed=1, prefetch=0, transform=lambda images, _: images)
    for epoch in (2, 0, 1, 0):  # whatever was served before
        np.random.seed(epoch)
        assert tuple(served(other.epoch(epoch))) == orders[1, epoch]
    for epoch in range(3):  # just iterating serves one epoch after the other
        assert tuple(served(other)) == orders[1, epoch]


def test_every_batch_has_a_random_stream_of_its_own():
    streams = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            batches = loader(seed=seed, transform=noisy).epoch(epoch)
            streams.update({(seed, epoch, number): images for number, (images, _) in enumerate(batches)})
    assert len({images.tobytes() for images in streams.values()}) == len(streams) == 16
    # Neither shuffling, nor the data, nor the number of images changes them.
    other = DataLoader(255 - numbered(13)[0], np.zeros(13, int), 6, shuffle=True, seed=1, transform=noisy)
    np.testing.assert_array_equal(list(other.epoch(1))[1][0], streams[1, 1, 1])


@pytest.mark.parametrize("transform", [AUGMENT, noisy, None])
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_prefetching_and_resuming_change_nothing(depth, transform):
    expected = list(loader(shuffle=True, transform=transform, prefetch=0).epoch(3))
    batches = loader(shuffle=True, transform=transform, prefetch=depth)
    for start in (0, 4, 1, 3, 2):
        assert_same_batches(batches.epoch(3, start_batch=start), expected[start:])


def test_two_epochs_at_once_do_not_disturb_each_other():
    batches = loader(shuffle=True, transform=AUGMENT)
    pairs = list(zip(batches.epoch(0), batches.epoch(1), strict=True))
    assert_same_batches((first for first, _ in pairs), list(batches.epoch(0)))
    assert_same_batches((second for _, second in pairs), list(batches.epoch(1)))


def failing_transform(images, generator):
    if 13 in numbers_of(images / 255):
        raise LookupError("picture thirteen")
    return images


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_an_exception_is_raised_at_its_batch_with_its_traceback(depth):
    batches = loader(transform=failing_transform, prefetch=depth).epoch(0)
    numbers = []
    with pytest.raises(LookupError, match="picture thirteen") as raised:
        for images, _ in batches:
            numbers += numbers_of(images)
    assert numbers == list(range(12)), "batches before the failing one must arrive"
    assert "failing_transform" in [frame.name for frame in traceback.extract_tb(raised.tb)]
    assert next(batches, "ended") == "ended"


@pytest.mark.parametrize("depth", [0, 2])
def test_a_stray_stop_iteration_does_not_end_the_epoch_silently(depth):
    def exhausted(images, generator):
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(loader(transform=exhausted, prefetch=depth).epoch(0))


@pytest.mark.parametrize("way", ["break", "close", "exception", "forgotten", "never started", "exhausted"])
def test_leaving_an_epoch_ends_its_thread(way):
    before = threading.enumerate()
    batches = loader(200, 3, prefetch=4).epoch(0)
    assert threading.enumerate() == before, "the thread starts with the first batch"
    if way != "never started":
        next(batches)
        assert len(threading.enumerate()) == len(before) + 1
    if way == "break":
        for _ in batches:
            break
    elif way == "close":
        batches.close()
    elif way == "exception":
        with pytest.raises(ZeroDivisionError):
            batches.throw(ZeroDivisionError())
    elif way == "exhausted":
        assert len(list(batches)) == 66
    if way in ("break", "forgotten"):
        del batches
    assert threading.enumerate() == before


def test_the_thread_ends_where_the_collector_runs_in_it():
    """A forgotten epoch in a reference cycle may be collected by an allocation in its own thread."""
    forgotten, workers = threading.Event(), []

    def work(number):
        workers.append(threading.current_thread())
        if number == 1:
            forgotten.wait(10)
            gc.collect()

    holder = [prefetch(work, range(5), 1)]
    holder.append(holder)
    next(holder[0])
    del holder
    forgotten.set()
    workers[0].join(10)
    assert not workers[0].is_alive() and len(workers) == 2


def test_an_exception_keeps_nothing_alive():
    """Without a cycle through the traceback, what the thread holds is freed once the exception has been handled."""

    def failing(images, generator):
        raise LookupError

    alive = weakref.ref(failing)
    gc.disable()
    try:
        with contextlib.suppress(LookupError):
            list(loader(transform=failing).epoch(0))
        del failing
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_prefetch_computes_at_most_depth_ahead_and_in_order(depth):
    computed = []
    results = prefetch(lambda number: computed.append(number) or number, range(10), depth)
    for number in range(10):
        assert next(results) == number
        expected = list(range(min(number + 1 + depth, 10)))
        deadline = time.monotonic() + 10
        while len(computed) < len(expected) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.002)  # time to do too much
        assert computed == expected


def test_a_program_may_end_in_mid_epoch():
    program = (
        "import numpy as np; from minception.data import DataLoader\n"
        "batches = DataLoader(np.zeros((50, 3, 4, 4), np.uint8), np.zeros(50, int), 2).epoch(0); next(batches)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


IMAGES = numbered(4)[0]


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: DataLoader(IMAGES[0], np.zeros(3, int)), ValueError, r"images must be non-empty .*\(3, 4, 5\)"),
        (lambda: DataLoader(IMAGES[:0], np.zeros(0, int)), ValueError, "images must be non-empty"),
        (lambda: DataLoader(IMAGES, np.zeros(3, int)), ValueError, r"labels must have shape \(4,\), .* got \(3,\)"),
        (lambda: DataLoader(IMAGES, np.zeros((4, 1), int)), ValueError, r"labels must have shape \(4,\)"),
        (lambda: DataLoader(IMAGES, np.zeros(4)), TypeError, "labels must be integers, got float64"),
        (lambda: DataLoader(IMAGES.astype(int), np.zeros(4, int)), TypeError, "images must be .* got int64"),
        (lambda: loader(4, 0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: loader(4, 2.0), TypeError, "batch_size must be an integer, got 2.0"),
        (lambda: loader(seed=-1), ValueError, "seed must be at least 0"),
        (lambda: loader(seed=None), TypeError, "seed must be an integer, got None"),
        (lambda: loader(prefetch=-1), ValueError, "prefetch must be at least 0"),
        (lambda: loader(4, 5, drop_last=True), ValueError, "batch_size 5 leaves no batch of 4 images"),
        (lambda: loader().epoch(-1), ValueError, "epoch must be at least 0"),
        (lambda: loader().epoch(0.5), TypeError, "epoch must be an integer"),
        (lambda: loader().epoch(0, -1), ValueError, "start_batch must be at least 0"),
        (lambda: loader().epoch(0, 5), ValueError, "start_batch 5 is beyond the 4 batches"),
        (lambda: loader().epoch(0, None), TypeError, "start_batch must be an integer"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(call, error, words):
    with pytest.raises(error, match=f"DataLoader: .*{words}"):
        call()
