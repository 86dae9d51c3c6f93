"""Reading a file of weights of any known format, which is found by the file's content."""

import mmap
import os
import stat
from contextlib import contextmanager
from pathlib import Path

from .errors import FormatError, WeightsError
from .nested import find_state_dict, without_prefix
from .safetensors_file import is_safetensors, read_safetensors
from .torch_legacy import is_torch_legacy, read_torch_legacy
from .torch_zip import list_members, read_torch_zip

ZIP_MAGIC = b"PK\x03\x04"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
KERAS_MEMBERS = {"config.json", "model.weights.h5"}

# Other things that are saved under the name of a file of weights, by their first bytes.
STRANGERS = (
    (b"version https://git-lfs.github.com/", "a Git LFS pointer, which stands for the file: run `git lfs pull`"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"\x93NUMPY", "a single NumPy array"),
)
PICKLE_STARTS = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def read_weights(path):
    """Read a file of weights without a model: return the dict from name to NumPy array.

    The formats are those of `load_weights`, Keras's excepted, whose names and axes depend on the network. Arrays have
    the file's dtypes (bfloat16 becomes float32) and are read-only; tensors that share memory in PyTorch do so here.
    A state_dict may be nested as in `load_weights`, and the "module." of torch.nn.DataParallel before all names of a
    PyTorch file is removed.

    Raises WeightsError, which names the file, for one that is missing, damaged, hostile or in none of the formats;
    nothing that a file contains is ever run. Raises TypeError if `path` is no path.
    """
    return read("read_weights", path)


def read(caller, path, model=None, head=True):
    """`read_weights`; or, with a model, the arrays of its Keras weights (without its `head`, if that is False), or
    views of the file under its own names, which must not outlive the file's present content: they read it when used.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{caller}: path must be a str or Path, got {type(path).__name__}")
    path = Path(path)
    try:
        with _opened(path) as (file, data):
            return _read(path, file, data, model, head)
    except FormatError as error:
        raise WeightsError(f"{path}: {error}") from None


def _read(path, file, data, model, head):
    start = bytes(data[:512])
    copy = model is None
    members = list_members(file) if start.startswith(ZIP_MAGIC) else {}
    if start.startswith(HDF5_MAGIC) or KERAS_MEMBERS <= set(members):
        if model is None:
            raise FormatError("a Keras file, whose names depend on the network: use load_weights(model, path)")
        from .keras import read_keras

        return read_keras(path, model, head)
    if is_safetensors(start):
        return read_safetensors(data, copy)
    if start.startswith(ZIP_MAGIC):
        value, arrays = read_torch_zip(data, members, copy)
    elif is_torch_legacy(start):
        value, arrays = read_torch_legacy(data, copy)
    else:
        raise FormatError(_stranger(start))
    weights = {name: arrays.array(name, tensor) for name, tensor in find_state_dict(value).items()}
    return without_prefix(weights) if copy else weights


@contextmanager
def _opened(path):
    """The file and its content, mapped into memory: (binary file, memoryview). Raises FormatError."""
    try:
        file = open(path, "rb", opener=_open_without_waiting)
    except FileNotFoundError:
        raise FormatError("no such file") from None
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot be read: {getattr(error, 'strerror', error)}") from None
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FormatError("not a regular file")
        if status.st_size == 0:
            raise FormatError("empty file")
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise FormatError(f"cannot be read: {error.strerror}") from None
        yield file, memoryview(content)


def _open_without_waiting(path, flags):
    """Opens a pipe too without waiting for its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _stranger(start):
    """What a file of no known format seems to be."""
    for magic, words in STRANGERS:
        if start.startswith(magic):
            return words
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page, probably the error message of a failed download"
    if text.startswith(b"{"):
        return "a text file (JSON), not weights"
    if start[257:262] == b"ustar":
        return "a tar archive; unpack it, or, if the very first PyTorch made it, save it again with a later one"
    if start.startswith(PICKLE_STARTS):
        return "a Python pickle, but not one of torch.save"
    return "not a file of weights in a known format (safetensors, PyTorch, Keras)"
