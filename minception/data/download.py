"""Fetch a file over HTTP so that it is either there and right, or not there: resume, checksum, atomic rename.

The bytes go to NAME.part beside the target, under a lock, so that two processes that want the same file take turns and
the second finds it done. A broken transfer leaves NAME.part for the next attempt, now or in a later run. Only a
file of the right checksum is renamed to NAME.
"""

import contextlib
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from .errors import CorruptDownloadError, DownloadDiskError, NetworkUnavailableError, ServerError
from .file_lock import file_lock

CHUNK = 1 << 16
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # worth another attempt

# https://www.cs.toronto.edu/~kriz/cifar.html lists these files with their MD5 sums.
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR_ARCHIVES = {
    ("cifar10", "python"): ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 170_498_071),
    ("cifar10", "binary"): ("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171),
    ("cifar100", "python"): ("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 169_001_437),
    ("cifar100", "binary"): ("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", 168_513_733),
}


def cache_directory():
    """Where data sets are kept: $MINCEPTION_DATA, else $XDG_CACHE_HOME/minception, else ~/.cache/minception."""
    if os.environ.get("MINCEPTION_DATA"):
        return Path(os.environ["MINCEPTION_DATA"])
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "minception"


def download_cifar(dataset="cifar10", directory=None, *, layout="python", base_url=CIFAR_URL, **options):
    """Download an official archive into `directory` (None: the cache) unless it is there; return its path.

    dataset: "cifar10" or "cifar100"; layout: "python" or "binary"; `options` and errors as `download`.
    """
    if (dataset, layout) not in CIFAR_ARCHIVES:
        raise ValueError(
            'download_cifar: dataset must be "cifar10" or "cifar100" and layout "python" or "binary", '
            f"got {dataset!r} and {layout!r}"
        )
    name, md5, size = CIFAR_ARCHIVES[dataset, layout]
    directory = cache_directory() if directory is None else Path(directory)
    return download(base_url + name, directory / name, md5=md5, size=size, **options)


@dataclass(frozen=True)
class Checksum:
    """What the hexadecimal digest of a file must begin with: often only the beginning is published."""

    algorithm: str  # "md5" or "sha256"
    beginning: str

    def new(self):
        return hashlib.new(self.algorithm, usedforsecurity=False)

    def of(self, path):
        """The running digest of a file's contents."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, self.new)

    def fits(self, path):
        return path.is_file() and self.of(path).hexdigest().startswith(self.beginning)


def download(
    url, target, *, md5=None, sha256=None, size=None, progress=True, timeout=15.0, attempts=3, backoff=1.0
):
    """Download `url` to the path `target`, whose folder is made if need be, and return the path.

    A file that is at `target` already is taken as it is if its checksum is right, and replaced otherwise.
    md5 or sha256: the expected checksum, hexadecimal; of sha256 the first 8 digits or more. size: the number of bytes,
    if known. progress: show a bar on standard error. timeout: seconds without a byte until the connection counts as
    stalled. attempts: how many in a row may fail, with pauses of `backoff`, 2 `backoff`, 4 `backoff`, ... seconds
    between them; an attempt that brought bytes starts the count anew.

    Raises NetworkUnavailableError (server out of reach, or stalled or broken off in every attempt), ServerError (an
    error status), CorruptDownloadError (wrong size or checksum), DownloadDiskError (cannot write), or ValueError unless
    there is one checksum.
    """
    target = Path(target)
    checksum = _checksum(md5, sha256)

    def on_wait():
        if progress:
            tqdm.write(f"waiting for another process that is fetching {target}", file=sys.stderr)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(target.with_name(target.name + ".lock"), on_wait):
            if not checksum.fits(target):
                _fetch(url, target, checksum, size, progress, timeout, attempts, backoff)
    except OSError as error:  # every network error has been turned into a DownloadError, so this is the disk
        raise DownloadDiskError(f"cannot store {target}: {error}") from error
    return target


def _checksum(md5, sha256):
    """The one that is given, well formed."""
    digits = f"{md5 or ''}{sha256 or ''}".lower()
    if (md5 is None) == (sha256 is None) or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"download: needs md5 or sha256, hexadecimal, got md5={md5!r} and sha256={sha256!r}")
    if len(digits) != 32 if md5 is not None else not 8 <= len(digits) <= 64:
        raise ValueError(f"download: md5 has 32 digits, sha256 8 to 64, got md5={md5!r} and sha256={sha256!r}")
    return Checksum("sha256" if md5 is None else "md5", digits)


def _fetch(url, target, checksum, size, progress, timeout, attempts, backoff):
    """Bring NAME.part to completion, verify it and rename it. The caller holds the lock."""
    part = target.with_name(target.name + ".part")
    failures, furthest, fresh = 0, _size_of(part), False
    with tqdm(desc=target.name, unit="B", unit_scale=True, unit_divisor=1024, disable=not progress) as bar:
        while True:
            before = _size_of(part)
            try:
                digest = _attempt(url, part, checksum, size, timeout, bar)
            except (NetworkUnavailableError, ServerError) as error:
                passing = not isinstance(error, ServerError) or error.status in PASSING_STATUS
                failures = 1 if _size_of(part) > furthest else failures + 1
                furthest = max(furthest, _size_of(part))
                if not passing or failures >= attempts:
                    raise
                time.sleep(backoff * 2 ** (failures - 1))
                continue
            if digest.startswith(checksum.beginning):
                os.replace(part, target)
                return
            part.unlink()
            if fresh or not before:
                raise CorruptDownloadError(
                    f"{url}: what arrived has the {checksum.algorithm.upper()} checksum {digest}, "
                    f"expected {checksum.beginning}; nothing was kept"
                )
            fresh = True  # the part from before may have been to blame: once more, from the start


def _attempt(url, part, checksum, size, timeout, bar):
    """Fetch what `part` lacks; return the digest of the whole. One connection, no retries.

    Raises NetworkUnavailableError, ServerError, CorruptDownloadError, or OSError from writing.
    """
    have = _size_of(part)
    headers = {"User-Agent": "minception", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing lies behind what is here: it is complete, or it is not this file
            return checksum.of(part).hexdigest()
        raise ServerError(f"{url}: the server answered {error.code} {error.reason}", error.code) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NetworkUnavailableError(f"cannot reach {url}: {reason}") from error
    with contextlib.closing(response):
        resuming = response.status == 206
        if resuming and _range_start(response) != have:
            part.unlink(missing_ok=True)  # so that the next attempt asks for the whole file
            raise NetworkUnavailableError(f"{url}: the server sent another part than the one asked for")
        if not resuming:  # the server sends the file from its start
            have = 0
        digest = checksum.of(part) if resuming else checksum.new()
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        if size is not None and total not in (None, size):
            raise CorruptDownloadError(f"{url}: the server's file has {total} bytes, expected {size}")
        bar.total, bar.n = total or size, have
        bar.refresh()
        with open(part, "ab" if resuming else "wb") as file:
            while chunk := _receive(response, url):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
                have += len(chunk)
                if size is not None and have > size:
                    raise CorruptDownloadError(f"{url}: more than the expected {size} bytes arrived")
            file.flush()
            os.fsync(file.fileno())
    if have < (total or size or 0):
        raise NetworkUnavailableError(f"{url}: the connection broke off after {have} of {total or size} bytes")
    return digest.hexdigest()


def _receive(response, url):
    """The next bytes of the body, empty at its end; an error of the network as NetworkUnavailableError."""
    try:
        return response.read1(CHUNK)
    except TimeoutError as error:
        raise NetworkUnavailableError(f"{url}: the connection stalled") from error
    except (OSError, http.client.HTTPException) as error:
        raise NetworkUnavailableError(f"{url}: the connection broke: {error}") from error


def _range_start(response):
    """The first byte position that a 206 answer says it holds, or None: "Content-Range: bytes 100-199/200"."""
    unit, _, interval = response.headers.get("Content-Range", "").partition(" ")
    start = interval.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else None


def _size_of(path):
    """The size of a file, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0
