"""The transfer of a file over HTTP into NAME.part and then NAME; `download` holds the lock and says what is right."""

import contextlib
import http.client
import os
import time
import urllib.error
import urllib.request

from tqdm import tqdm

from .errors import CorruptDownloadError, NetworkUnavailableError, ServerError

CHUNK = 1 << 16
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # worth another attempt


def fetch(url, target, checksum, size, progress, timeout, attempts, backoff):
    """Bring NAME.part to completion, verify it and rename it. The caller holds the lock. Errors as `download`."""
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
