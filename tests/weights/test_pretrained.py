"""Downloading published weights, from a server on this machine: where they go, and that nothing else is taken."""

import hashlib
import re

import pytest

from minception import models
from minception.data import CorruptDownloadError, NetworkUnavailableError, ServerError
from minception.weights import pretrained
from minception.weights.pretrained import KERAS_PUBLISHED, PUBLISHED, Published, download_weights
from tests.data.server import CONTENT, running_server

QUICK = {"progress": False, "timeout": 5.0, "attempts": 1}


@pytest.fixture
def server(monkeypatch):
    """Serves a file that goes for the weights of googlenet, torch's and Keras's."""
    with running_server() as server:
        sha256 = hashlib.sha256(CONTENT).hexdigest()[:8]
        monkeypatch.setitem(PUBLISHED, "googlenet", Published(server.url + f"googlenet-{sha256}.pth", sha256=sha256))
        md5 = hashlib.md5(CONTENT).hexdigest()
        monkeypatch.setitem(KERAS_PUBLISHED, "xception", Published(server.url + "weights.h5", md5=md5))
        yield server


def test_once_into_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MINCEPTION_DATA", str(tmp_path))
    path = download_weights("googlenet", **QUICK)
    assert path.parent == tmp_path / "weights" and re.fullmatch(r"googlenet-[0-9a-f]{8}\.pth", path.name)
    assert path.read_bytes() == CONTENT
    assert download_weights("googlenet", **QUICK) == path
    assert len(server.paths) == 1


def test_into_a_folder_of_choice(server, tmp_path):
    path = download_weights("xception", tmp_path / "here", source="keras", **QUICK)
    assert path == tmp_path / "here" / "weights.h5" and path.read_bytes() == CONTENT


def test_another_file_is_refused(server, tmp_path):
    server.content = CONTENT[:-1] + b"?"
    for name, source in (("googlenet", "torch"), ("xception", "keras")):
        with pytest.raises(CorruptDownloadError, match="expected"):
            download_weights(name, tmp_path, source=source, **QUICK)
    assert not list(tmp_path.glob("*.pth")) and not list(tmp_path.glob("*.h5"))


def test_errors_of_the_server_and_the_network(server, tmp_path):
    server.statuses = [403]
    with pytest.raises(ServerError, match="403"):
        download_weights("googlenet", tmp_path, **QUICK)
    server.shutdown()
    server.server_close()
    with pytest.raises(NetworkUnavailableError, match="cannot reach"):
        download_weights("googlenet", tmp_path, **QUICK)


@pytest.mark.parametrize("source, table", [("torch", PUBLISHED), ("keras", KERAS_PUBLISHED)])
def test_tables(source, table):
    assert table.keys() <= set(models.names())
    for name, published in table.items():
        assert published.url.startswith("http") and published.file_name.endswith(".pth" if source == "torch" else ".h5")
        assert (published.md5 is None) != (published.sha256 is None)
        if published.sha256 is not None:
            assert published.sha256 in published.file_name
        else:
            assert re.fullmatch("[0-9a-f]{32}", published.md5) and f"/{name}/" in published.url


def test_networks_without_published_weights():
    words = r"no torch weights of 'mini_inception' can be downloaded; there are those of alexnet, googlenet"
    with pytest.raises(ValueError, match=words):
        download_weights("mini_inception")
    with pytest.raises(ValueError, match="no keras weights of 'googlenet'"):
        download_weights("googlenet", source="keras")
    with pytest.raises(ValueError, match='source must be "torch" or "keras"'):
        download_weights("googlenet", source="jax")
    assert pretrained.__doc__
