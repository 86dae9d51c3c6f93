"""Which data a run gets: from the folder, the cache, the network, or the generator of shapes."""

import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest

from minception import data
from minception.train import datasets
from minception.train.config import TrainConfig
from minception.train.errors import RunError

CONFIG = TrainConfig(batch_size=16)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no pauses between attempts to download."""
    monkeypatch.setenv("MINCEPTION_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path / "cache"


@pytest.fixture
def network(monkeypatch):
    """Decide how every connection ends: network(error)."""

    def fail_with(error):
        def urlopen(request, timeout):
            raise error

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)

    return fail_with


NO_NETWORK = urllib.error.URLError("Name or service not known")
SERVER_DOWN = urllib.error.HTTPError("http://server/file", 503, "Service Unavailable", {}, None)


def small_cifar(*sizes, classes=10):
    rng = np.random.default_rng(1)
    parts = [
        data.ImageDataset(
            "a set",
            rng.integers(0, 256, (size, 3, 32, 32), dtype=np.uint8),
            rng.integers(0, classes, size),
            tuple(f"class {k}" for k in range(classes)),
        )
        for size in sizes
    ]
    return data.TrainTest(*parts)


def select(name, data_dir=None, **options):
    notes = []
    return datasets.select(name, data_dir, note=notes.append, progress=False, **options), "\n".join(notes)


@pytest.mark.parametrize("error, reason", [(NO_NETWORK, "Name or service not known"), (SERVER_DOWN, "503")])
def test_auto_without_a_download_says_so_and_uses_shapes(network, cache, error, reason):
    network(error)
    chosen, notes = select("auto", limit_train=30, limit_test=20)
    assert chosen.name == "synthetic" and len(chosen.train.labels) == 30
    assert "cannot be downloaded" in notes and reason in notes
    assert "generated pictures of ten shapes" in notes and "says nothing about CIFAR-10" in notes
    assert "cifar-10-python.tar.gz" in notes and str(cache) in notes


@pytest.mark.parametrize("name, archive", [("cifar10", "cifar-10-python"), ("cifar100", "cifar-100-python")])
def test_cifar_without_a_download_is_an_error_that_says_what_to_do(network, tmp_path, name, archive):
    network(NO_NETWORK)
    with pytest.raises(RunError) as caught:
        select(name, tmp_path / "mine")
    message = str(caught.value)
    assert f"--data {name}: cannot reach https://" in message and "Name or service not known" in message
    assert f"fetch {archive}.tar.gz from https://" in message
    assert f"into {tmp_path / 'mine'}, or name the folder that holds it with --data-dir" in message


@pytest.mark.parametrize("name", ["auto", "cifar10"])
@pytest.mark.parametrize("where", ["folder", "cache"])
def test_a_damaged_file_is_never_taken_for_a_missing_network(network, tmp_path, cache, name, where):
    network(NO_NETWORK)
    folder = cache if where == "cache" else tmp_path / "mine"
    folder.mkdir()
    (folder / "cifar-10-python.tar.gz").write_bytes(b"half of a file")
    with pytest.raises(RunError, match=r"cifar-10-python\.tar\.gz"):
        select(name, folder if where == "folder" else None)


@pytest.mark.parametrize("name", ["auto", "cifar10"])
def test_a_disk_that_cannot_take_the_download_is_an_error(network, tmp_path, name):
    network(NO_NETWORK)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot store"):
        select(name, tmp_path / "file" / "folder")


@pytest.mark.parametrize("name", ["auto", "cifar10"])
def test_where_cifar_is_looked_for(monkeypatch, tmp_path, cache, name):
    """In --data-dir, then in the cache; if neither has it, it is downloaded into --data-dir."""
    asked, present = [], set()
    monkeypatch.setattr(data, "find_cifar", lambda root, dataset: root if root in present else None)

    def load(root, download, progress):
        asked.append((root, download))
        return small_cifar(40, 20)

    monkeypatch.setitem(datasets.CIFAR, "cifar10", load)
    mine = tmp_path / "mine"
    mine.mkdir()
    cache.mkdir()
    for held, folder, expected in (
        ({mine, cache}, mine, mine),
        ({cache}, mine, cache),
        (set(), mine, mine),
        (set(), None, cache),
        ({cache}, None, cache),
    ):
        present.clear()
        present.update(held)
        chosen, notes = select(name, folder)
        assert (chosen.name, notes, asked.pop()) == ("cifar10", "", (expected, True))


def test_limits_keep_the_first_images(monkeypatch):
    whole = small_cifar(40, 20)
    monkeypatch.setitem(datasets.CIFAR, "cifar10", lambda root, download, progress: whole)
    chosen, _ = select("cifar10", limit_train=7, limit_test=100)
    np.testing.assert_array_equal(chosen.train.images, whole.train.images[:7])
    np.testing.assert_array_equal(chosen.train.labels, whole.train.labels[:7])
    np.testing.assert_array_equal(chosen.test.images, whole.test.images)


def test_statistics_belong_to_the_data(monkeypatch):
    for name in ("cifar10", "cifar100"):
        monkeypatch.setitem(datasets.CIFAR, name, lambda root, download, progress: small_cifar(40, 20))
    assert select("cifar10")[0].statistics == data.CIFAR10_STATISTICS
    assert select("cifar100")[0].statistics == data.CIFAR100_STATISTICS
    shapes, _ = select("synthetic", limit_train=30, limit_test=10)
    np.testing.assert_allclose(shapes.statistics.mean, (shapes.train.images / 255).mean(axis=(0, 2, 3)))


def test_the_checksum_sees_every_pixel_and_label():
    first, _ = select("synthetic", limit_train=20, limit_test=10)

    def crc(**parts):
        return replace(first, **parts).record()["crc32"]

    for part in ("train", "test"):
        whole = getattr(first, part)
        images = np.array(whole.images)
        images[-1, 2, 31, 31] ^= 1
        labels = (whole.labels + np.eye(len(whole.labels), dtype=np.int64)[-1]) % 10
        assert crc(**{part: replace(whole, images=images)}) != crc()
        assert crc(**{part: replace(whole, labels=labels)}) != crc()
    assert crc(train=first.test, test=first.train) != crc()
    assert crc() == select("synthetic", limit_train=20, limit_test=10)[0].record()["crc32"]


def test_augmentation_is_for_training_only():
    chosen, _ = select("synthetic", limit_train=20, limit_test=10)
    plain, _ = next(iter(chosen.test_loader(10).epoch(0)))
    mean, std = (np.reshape(values, (3, 1, 1)) for values in chosen.statistics)
    expected = (chosen.test.images / 255 - mean) / std
    np.testing.assert_allclose(plain, expected, atol=1e-5)
    augmented, labels = next(iter(chosen.train_loader(CONFIG, 0).epoch(0)))
    as_they_are, same_labels = next(iter(chosen.train_loader(replace(CONFIG, augment="none"), 0).epoch(0)))
    np.testing.assert_array_equal(labels, same_labels)
    assert not np.array_equal(augmented, as_they_are)


def test_outside_the_image_are_mirrored_pixels_or_black_ones():
    """Black pixels are the darkest that a standardised image can have; these images are bright."""
    chosen, _ = select("synthetic", limit_train=20, limit_test=10)
    bright = replace(chosen, train=replace(chosen.train, images=np.maximum(chosen.train.images, 100)))
    black = (0 - bright.statistics.mean) / bright.statistics.std
    found = {}
    for augment in ("standard", "reflect"):
        images, _ = next(iter(bright.train_loader(replace(CONFIG, augment=augment), 0).epoch(0)))
        found[augment] = np.isclose(images, black.reshape(3, 1, 1), atol=1e-4).any()
    assert found == {"standard": True, "reflect": False}


def test_windows_in_the_first_epochs():
    chosen, _ = select("synthetic", limit_train=20, limit_test=10)
    config = replace(CONFIG, crop=24, crop_epochs=2)
    sizes = [next(iter(chosen.train_loader(config, epoch).epoch(epoch)))[0].shape[2:] for epoch in range(4)]
    assert sizes == [(24, 24), (24, 24), (32, 32), (32, 32)]
    whole, _ = next(iter(chosen.train_loader(replace(CONFIG, augment="none"), 0).epoch(0)))
    windows, _ = next(iter(chosen.train_loader(config, 0).epoch(0)))
    for image, window in zip(whole, windows, strict=True):
        places = np.lib.stride_tricks.sliding_window_view(image, (24, 24), axis=(1, 2))  # (3, 9, 9, 24, 24)
        seen = window[:, None, None]
        assert any((places == turned).all(axis=(0, 3, 4)).any() for turned in (seen, seen[..., ::-1]))


def test_cutout_hides_a_square():
    chosen, _ = select("synthetic", limit_train=20, limit_test=10)
    plain, _ = next(iter(chosen.train_loader(replace(CONFIG, augment="none"), 0).epoch(0)))
    cut, _ = next(iter(chosen.train_loader(replace(CONFIG, augment="none", cutout=8), 0).epoch(0)))
    changed = (plain != cut).any(axis=1).sum(axis=(1, 2))
    assert (changed > 0).all() and (changed <= 64).all()


def test_cutout_spares_windows():
    chosen, _ = select("synthetic", limit_train=20, limit_test=10)
    config = replace(CONFIG, crop=24, crop_epochs=1)
    first, second = (
        [
            next(iter(chosen.train_loader(replace(config, cutout=size), epoch).epoch(epoch)))[0] for size in (0, 8)
        ]
        for epoch in (0, 1)
    )
    np.testing.assert_array_equal(*first)
    assert (second[0] != second[1]).any(axis=(1, 2, 3)).all()


def test_order_follows_the_seed():
    chosen, _ = select("synthetic", limit_train=20, limit_test=10)
    labels = [
        np.concatenate([batch for _, batch in chosen.train_loader(replace(CONFIG, seed=seed), 0).epoch(0)])
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[0], labels[2])
    np.testing.assert_array_equal(np.sort(labels[0]), np.sort(chosen.train.labels))
