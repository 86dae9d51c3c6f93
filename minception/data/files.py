"""Read named files from a folder, or straight from a .tar.gz archive without unpacking it to disk."""

import gzip
import io
import tarfile
import zlib
from pathlib import PurePosixPath

from .errors import CorruptDataError, DataError, DatasetNotFoundError

MAXIMUM_ARCHIVE = 1 << 28  # bytes when decompressed; CIFAR-10, the largest, has 187 million
CHUNK = 1 << 20


def read_files(path, folder, names):
    """Yield (name, contents as bytes) for each of `names`, from a folder or an archive that holds `folder`.

    Nothing is extracted, so an archive cannot write anywhere: members are found by their full name, and what is not
    a regular file is refused. The archive's own checksum is verified before the first file comes.
    Raises DatasetNotFoundError for a missing file and CorruptDataError for a damaged one; both name it.
    """
    return _from_folder(path, names) if path.is_dir() else _from_archive(path, folder, names)


def _from_folder(path, names):
    for name in sorted(names):
        try:
            with open(path / name, "rb") as file:
                data = file.read(MAXIMUM_ARCHIVE + 1)
        except FileNotFoundError as error:
            raise DatasetNotFoundError(f"missing file {path / name}") from error
        except OSError as error:
            raise DataError(f"{path / name}: cannot be read: {error}") from error
        if len(data) > MAXIMUM_ARCHIVE:
            raise CorruptDataError(f"{path / name}: larger than any CIFAR file")
        yield name, data


def _from_archive(path, folder, names):
    try:
        with tarfile.open(fileobj=_decompress(path), mode="r:") as archive:  # no second layer of compression
            members = _members(path, archive)
            for name in sorted(names):
                member = members.get(PurePosixPath(folder, name))
                if member is None:
                    raise DatasetNotFoundError(f"{path} lacks {folder}/{name}")
                if not member.isreg() or member.issparse():  # a sparse member reads as more than the archive holds
                    raise CorruptDataError(f"{path}: {member.name} is not a regular file")
                yield name, archive.extractfile(member).read()
    except DataError:
        raise
    except Exception as error:  # tarfile has TarError, but lets others pass, such as int()'s for a damaged header
        raise CorruptDataError(f"{path}: damaged archive: {error}") from error


def _members(path, archive):
    """The archive's members by path. A negative size, which leads back to where a member began, ends the search."""
    members, end = {}, -1
    for member in archive:
        if member.offset <= end or member.size < 0:
            raise CorruptDataError(f"{path}: damaged archive: the header of {member.name} has an impossible size")
        members[PurePosixPath(member.name)], end = member, member.offset
    return members


def _decompress(path):
    """The whole of a .gz file as an in-memory file, at most MAXIMUM_ARCHIVE bytes, its checksum verified."""
    content = io.BytesIO()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK):
                content.write(chunk)
                if content.tell() > MAXIMUM_ARCHIVE:
                    raise CorruptDataError(f"{path}: damaged archive: larger than any CIFAR archive")
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise CorruptDataError(f"{path}: damaged archive: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    content.seek(0)
    return content
