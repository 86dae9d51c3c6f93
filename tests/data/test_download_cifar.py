"""Downloading the official archives, from a server on this machine: where they go, and that they load."""

import hashlib
import sys

import numpy as np
import pytest

from minception.data import DatasetNotFoundError, ServerError, cache_directory, download_cifar, load_cifar10

from . import official
from .server import running_server

module = sys.modules["minception.data.download"]


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serves a tiny archive under the name, size and checksum that the code is made to expect."""
    files = official.official_files("cifar10", "python", official.tiny("cifar10"))
    content = official.write_archive(tmp_path / "made", "cifar10", "python", files).read_bytes()
    row = "cifar-10-python.tar.gz", hashlib.md5(content).hexdigest(), len(content)
    monkeypatch.setitem(module.CIFAR_ARCHIVES, ("cifar10", "python"), row)
    with running_server() as server:
        server.content = content
        monkeypatch.setitem(module.download_cifar.__kwdefaults__, "base_url", server.url)
        yield server


def test_load_with_download(server, tmp_path):
    root = tmp_path / "root"
    with pytest.raises(DatasetNotFoundError):
        load_cifar10(root, official_size=False)
    assert server.paths == [] and not root.exists()
    first = load_cifar10(root, download=True, progress=False, official_size=False)
    np.testing.assert_array_equal(first.test.images, official.tiny("cifar10")["test"].images)
    again = load_cifar10(root, download=True, progress=False, official_size=False)
    np.testing.assert_array_equal(again.train.images, first.train.images)
    assert server.paths == ["/cifar-10-python.tar.gz"]


def test_the_default_folder_is_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("MINCEPTION_DATA", raising=False)
    assert cache_directory() == tmp_path / ".cache" / "minception"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "minception"
    monkeypatch.setenv("MINCEPTION_DATA", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own" and not cache_directory().exists()
    assert download_cifar(progress=False) == tmp_path / "own" / "cifar-10-python.tar.gz"


def test_a_download_that_fails_is_not_a_data_set(server, tmp_path):
    server.statuses = [404]
    with pytest.raises(ServerError):
        load_cifar10(tmp_path / "root", download=True, progress=False, official_size=False)


def test_unknown_archives():
    with pytest.raises(ValueError, match="got 'mnist' and 'python'"):
        download_cifar("mnist")


def test_the_official_archives():
    """https://www.cs.toronto.edu/~kriz/cifar.html gives these names and MD5 sums."""
    assert module.CIFAR_URL == "https://www.cs.toronto.edu/~kriz/"
    assert {name: md5 for name, md5, _ in module.CIFAR_ARCHIVES.values()} == {
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
        "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
    }
