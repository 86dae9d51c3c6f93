"""Fetch a file over HTTP so that it is either there and right, or not there: resume, checksum, atomic rename.

The bytes go to NAME.part beside the target, under a lock, so that two processes that want the same file take turns and
the second finds it done. A broken transfer leaves NAME.part for the next attempt, now or in a later run. Only a
file of the right checksum is renamed to NAME.
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import DownloadDiskError
from .file_lock import file_lock

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
            from tqdm import tqdm

            tqdm.write(f"waiting for another process that is fetching {target}", file=sys.stderr)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(target.with_name(target.name + ".lock"), on_wait):
            if not checksum.fits(target):
                from .fetch import fetch  # here, since what it takes to speak HTTP takes time to import

                fetch(url, target, checksum, size, progress, timeout, attempts, backoff)
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
