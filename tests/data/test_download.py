"""Downloads against a server on this machine: complete and right under the final name, or not there at all."""

import hashlib
import io
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tqdm

from minception.data import (
    CorruptDownloadError,
    DownloadDiskError,
    DownloadError,
    NetworkUnavailableError,
    ServerError,
)
from minception.data import download as fetch
from minception.data.file_lock import file_lock

from .server import CONTENT, MD5, Handler, assert_right, leave_part, part_of, running_server

module = sys.modules["minception.data.download"]


@pytest.fixture
def server():
    with running_server() as server:
        yield server


@pytest.fixture
def quiet_monitor(monkeypatch):
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)  # no thread of tqdm's outlives the test


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new folder" / "file.bin"


def get(server, target, **options):
    options = {"md5": MD5, "size": len(CONTENT), "progress": False, "timeout": 5.0, "backoff": 0.0} | options
    return fetch(server if isinstance(server, str) else server.url + "file.bin", target, **options)


@pytest.mark.parametrize("size", [len(CONTENT), None])
@pytest.mark.parametrize("sends_length", [True, False])
def test_complete(size, sends_length, server, target):
    server.sends_length = sends_length
    assert get(server, str(target), size=size) == target
    assert_right(target)
    assert server.ranges == [None]
    assert get(server, target) == target and server.ranges == [None]  # there already: nothing is asked for


@pytest.mark.parametrize("digits", [8, 10, 64])
def test_the_beginning_of_sha256_is_enough(digits, server, target):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert get(server, target, md5=None, sha256=sha256[:digits].upper()) == target
    assert_right(target)
    with pytest.raises(CorruptDownloadError, match=f"SHA256 checksum {sha256}, expected {'0' * digits}"):
        get(server, target, md5=None, sha256="0" * digits)
    assert server.ranges == [None, None]


def test_a_wrong_file_in_place_is_replaced(server, target):
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    get(server, target)
    assert_right(target)


def test_an_interrupted_download_resumes(server, target):
    server.breaks = [100_000]
    with pytest.raises(NetworkUnavailableError, match="broke off after 100000 of 300000 bytes"):
        get(server, target, attempts=1)
    assert not target.exists() and part_of(target).read_bytes() == CONTENT[:100_000]
    get(server, target)
    assert_right(target)
    assert server.ranges == [None, "bytes=100000-"]


def test_attempts_resume_each_other_and_progress_forgives_failures(server, target):
    server.breaks = [50_000] * 5
    get(server, target, attempts=2)
    assert_right(target)
    assert server.ranges == [None] + [f"bytes={50_000 * i}-" for i in range(1, 6)]


def test_a_server_without_ranges_sends_all_again(server, target):
    server.supports_ranges = False
    leave_part(target, b"x" * 1000)
    get(server, target)
    assert_right(target)
    assert server.ranges == ["bytes=1000-"]


def test_restarts_that_get_no_further_are_failures(server, target):
    """Without ranges each attempt starts over: 20 bytes after 10 after 20 is no progress."""
    server.supports_ranges, server.breaks = False, [20, 10, 20, 10, 20, 10]
    with pytest.raises(NetworkUnavailableError, match="broke off"):
        get(server, target, attempts=3)
    assert len(server.ranges) == 3


def test_another_range_than_the_one_asked_for_is_not_used(server, target):
    server.shift = 10
    leave_part(target, CONTENT[:1000])
    with pytest.raises(NetworkUnavailableError, match="another part"):
        get(server, target, attempts=1)
    assert not target.exists() and not part_of(target).exists()
    server.shift = 0
    get(server, target)
    assert_right(target)


def test_a_complete_part_is_recognised(server, target):
    leave_part(target, CONTENT)
    get(server, target)
    assert_right(target)
    assert server.ranges == ["bytes=300000-"]  # answered 416


@pytest.mark.parametrize("stale", [b"x" * 400_000, b"x" * 300_000, b"x" * 1000])
def test_a_wrong_part_is_discarded_and_all_fetched_again(stale, server, target):
    leave_part(target, stale)
    get(server, target)
    assert_right(target)
    assert server.ranges == [f"bytes={len(stale)}-", None]


@pytest.mark.parametrize("before", [b"", b"x" * 1000])
def test_a_wrong_checksum_leaves_nothing(before, server, target):
    if before:
        leave_part(target, before)
    wrong = "0" * 32
    with pytest.raises(CorruptDownloadError, match=f"MD5 checksum {MD5}, expected {wrong}"):
        get(server, target, md5=wrong)
    assert not target.exists() and not part_of(target).exists()
    assert len(server.ranges) == 1 + bool(before)


def test_a_wrong_checksum_is_final_whatever_breaks_in_between(server, target):
    """The part from an earlier run gets the blame once only."""
    server.breaks = [None, 1000, None, 1000]
    leave_part(target, b"x" * 1000)
    with pytest.raises(CorruptDownloadError):
        get(server, target, md5="0" * 32)
    assert server.ranges == ["bytes=1000-", None, "bytes=1000-"]


@pytest.mark.parametrize("sends_length, words", [(True, "has 300000 bytes"), (False, "more than the expected 1000")])
def test_a_wrong_size_is_noticed_early(sends_length, words, server, target):
    server.sends_length = sends_length
    with pytest.raises(CorruptDownloadError, match=words):
        get(server, target, size=1000)
    assert not target.exists() and len(server.ranges) == 1


@pytest.mark.parametrize("status, requests", [(404, 1), (403, 1), (416, 1), (503, 3), (500, 3), (429, 3)])
def test_error_statuses(status, requests, server, target):
    server.statuses = [status] * 10
    with pytest.raises(ServerError, match=rf"file.bin: the server answered {status}") as caught:
        get(server, target)
    assert caught.value.status == status and isinstance(caught.value, DownloadError)
    assert len(server.ranges) == requests and not target.exists()


def test_a_passing_error_is_overcome(server, target, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", lambda seconds: pauses.append(seconds) if seconds else None)
    server.statuses = [503, 502]
    get(server, target, backoff=30.0)
    assert_right(target)
    assert pauses == [30.0, 60.0]


def test_nobody_listens(target):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        with pytest.raises(NetworkUnavailableError, match=r"cannot reach http://127.0.0.1.*refused"):
            get(f"http://127.0.0.1:{unused.getsockname()[1]}/file.bin", target)
    assert not target.exists()


def test_a_stalled_connection(server, target):
    server.stalls = [70_000]
    with pytest.raises(NetworkUnavailableError, match="stalled"):
        get(server, target, timeout=1.0, attempts=1)
    assert part_of(target).read_bytes() == CONTENT[:70_000]
    get(server, target)
    assert_right(target)
    assert server.ranges == [None, "bytes=70000-"]


def test_a_server_that_never_answers(target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(NetworkUnavailableError, match="timed out"):
            get(f"http://127.0.0.1:{silent.getsockname()[1]}/", target, timeout=0.2, attempts=1)


def test_a_server_that_speaks_nonsense(server, target, monkeypatch):
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.wfile.write(b"nonsense\r\n\r\n"))
    with pytest.raises(NetworkUnavailableError, match="cannot reach"):
        get(server, target)


class TestDisk:
    def test_the_folder_is_a_file(self, server, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(DownloadDiskError, match="cannot store"):
            get(server, tmp_path / "file" / "file.bin")
        assert server.ranges == []

    @pytest.mark.parametrize("name", ["file.bin", "file.bin.part", "file.bin.lock"])
    def test_a_folder_is_in_the_way(self, name, server, target):
        (target.parent / name).mkdir(parents=True)
        with pytest.raises(DownloadDiskError, match=r"cannot store .*file\.bin"):
            get(server, target)

    def test_no_space(self, server, target, monkeypatch):
        def full(descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module.os, "fsync", full)
        with pytest.raises(DownloadDiskError, match="No space left"):
            get(server, target)
        assert not target.exists() and len(server.ranges) == 1  # trying again would not help


class TestTogether:
    def test_threads(self, server, target):
        server.pause = 0.1
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: get(server, target), range(4))) == [target] * 4
        assert server.ranges == [None]  # one fetched, the others found it done
        assert_right(target)

    def test_processes(self, server, target):
        server.pause = 0.5
        code = "import sys; from minception.data import download; download(*sys.argv[1:3], md5=sys.argv[3])"
        command = [sys.executable, "-c", code, server.url, str(target), MD5]
        workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
        assert [worker.wait(60) for worker in workers] == [0, 0]
        assert server.ranges == [None]
        assert_right(target)

    def test_waiting_is_announced_once(self, server, target, capsys, quiet_monitor):
        target.parent.mkdir()
        waiting = threading.Thread(target=get, args=(server, target), kwargs={"progress": True})
        written, deadline = "", time.monotonic() + 10
        with file_lock(target.with_name("file.bin.lock")):
            waiting.start()
            while "waiting" not in written and time.monotonic() < deadline:
                time.sleep(0.01)
                written += capsys.readouterr().err
            time.sleep(0.2)  # some more looks at the lock
            assert server.ranges == []
        waiting.join()
        written += capsys.readouterr().err
        assert written.count("waiting for another process") == 1
        assert_right(target)


def test_progress_without_a_terminal(server, target, monkeypatch, quiet_monitor):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    server.breaks = [100_000]
    get(server, target, progress=True)
    assert_right(target)
    assert "file.bin: 100%" in stream.getvalue() and "293k/293k" in stream.getvalue()
