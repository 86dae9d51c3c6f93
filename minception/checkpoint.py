"""Checkpoints and weights in the safetensors format, written atomically and checked when read.

A *checkpoint* is any nesting of dictionaries, lists, tuples, arrays and plain values. Its arrays become the
tensors of one safetensors file, named by their place (`model.stem.0.weight`,
`optimizer.state.3.momentum_buffer`); all the rest is JSON in the file's metadata. A *weights* file holds a
flat `state_dict` under its own names, so that `safetensors.torch.load_file` gives what a torch module of the
same architecture loads. Nothing is ever unpickled.

Both carry a SHA-256 of their contents: safetensors itself would load a file with flipped bits without a word.
Format: https://github.com/huggingface/safetensors#format (8 bytes header size, JSON header, tensor data).
"""

import hashlib
import json
import math
import os
import struct
from pathlib import Path

import numpy as np

from .kernels.arrays import array_module
from .kernels.transfer import to_numpy
from .tensor import Tensor

VERSION = 1
METADATA_KEY = "minception"  # a single key: the order of several would differ from run to run
CHECKPOINT, WEIGHTS = "checkpoint", "weights"
ZIP_MAGIC, PICKLE_MAGIC = b"PK\x03\x04", b"\x80\x02"


class CheckpointError(Exception):
    """A file that cannot be used as a checkpoint; the message names it and says what is wrong."""


# --------------------------------------------------------------------------------------------- writing


def write_atomically(path, content):
    """Replace the file `path` by `content` (bytes or str): readers see the old file or the new, never a part.

    The bytes go to a hidden temporary file in the same folder, reach the disk, and take the name in one step.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name itself must survive a power cut too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save(path, tree):
    """Write `tree` (nested dict, list, tuple, arrays, str, int, float, bool, None) as a checkpoint file.

    Raises:
        TypeError: a value that is none of these, named by its place in the tree.
        ValueError: two arrays would get the same tensor name.
    """
    arrays = {}
    skeleton = _encode(tree, "", arrays)
    _write(path, CHECKPOINT, arrays, skeleton)


def save_weights(path, state_dict):
    """Write a flat dictionary name -> array under its own names, as C-contiguous tensors."""
    _write(path, WEIGHTS, {name: _tensor(array) for name, array in state_dict.items()}, None)


def _write(path, kind, arrays, content):
    from safetensors.numpy import save as serialize

    record = {"kind": kind, "version": VERSION, "sha256": _digest(arrays, content), "content": content}
    write_atomically(path, serialize(arrays, {METADATA_KEY: json.dumps(record, allow_nan=False)}))


def _tensor(array):
    """An array safetensors may serialise: it reads raw memory, so strides must be C's and bytes native.

    Arrays on a GPU are copied.
    """
    array = np.asarray(to_numpy(array._array if isinstance(array, Tensor) else array))
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def _digest(arrays, content):
    """SHA-256 over names, dtypes, shapes and bytes of `arrays`, and the JSON `content`."""
    sha = hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha.update(array.data if array.size else b"")
    return sha.hexdigest()


# --------------------------------------------------------------------------------------------- reading


def load(path):
    """Read a checkpoint written by `save`; arrays come back read-only.

    Raises:
        CheckpointError: missing, truncated, damaged, foreign, or a weights file.
    """
    arrays, record = _read(path)
    if record is None:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint written by minception")
    if record["kind"] != CHECKPOINT:
        raise CheckpointError(f"{path}: holds only weights; to resume takes the optimizer and history too")
    return _decode(record["content"], arrays)


def load_weights(path):
    """Read a flat dictionary name -> array from a weights file, minception's or anybody's.

    Raises:
        CheckpointError: missing, truncated, damaged, foreign, or a checkpoint.
    """
    arrays, record = _read(path)
    if record is not None and record["kind"] != WEIGHTS:
        raise CheckpointError(f"{path}: a checkpoint, not a file of weights")
    return arrays


def kind(path):
    """Return "checkpoint" or "weights" for a readable safetensors file (foreign files count as weights)."""
    _, record = _read(path)
    return WEIGHTS if record is None else record["kind"]


def load_into(model, state_dict, path):
    """Load `state_dict`, read from `path`, into `model`; CheckpointError lists the keys that do not fit."""
    try:
        model.load_state_dict(state_dict)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: the weights do not fit the model: {error}") from None


def _read(path):
    """Return (arrays, minception's metadata record or None) of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    data = _read_bytes(path)
    header = _header(path, data)
    try:
        arrays = deserialize(data)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged, its header is inconsistent ({error})") from None
    except KeyError as error:
        raise CheckpointError(f"{path}: has tensors of type {error}, which NumPy does not have") from None
    text = header.get("__metadata__", {}).get(METADATA_KEY)
    if text is None:
        return arrays, None
    try:
        record = json.loads(text)
        version, known = record["version"], record["kind"] in (CHECKPOINT, WEIGHTS)
        digest, content = record["sha256"], record["content"]
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(f"{path}: damaged, its metadata cannot be read") from None
    if version != VERSION or not known:
        raise CheckpointError(
            f"{path}: written in format version {version!r}; this minception reads version {VERSION}"
        )
    if digest != _digest(arrays, content):
        raise CheckpointError(f"{path}: damaged, its contents do not match the checksum stored in it")
    return arrays, record


def _read_bytes(path):
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None


def _header(path, data):
    """Parse the safetensors header of `data`, telling a foreign file from a truncated one."""
    if not data:
        raise CheckpointError(f"{path}: empty file")
    if data.startswith((ZIP_MAGIC, PICKLE_MAGIC)):
        raise CheckpointError(
            f"{path}: looks like a PyTorch or pickle file, not safetensors; "
            "convert it with safetensors.torch.save_file"
        )
    foreign = CheckpointError(f"{path}: not a safetensors file")
    if len(data) < 9 or data[8:9] != b"{":
        raise foreign
    (size,) = struct.unpack_from("<Q", data)
    if size > 100_000_000:  # the format's own limit
        raise foreign
    if 8 + size > len(data):
        raise CheckpointError(f"{path}: truncated: {len(data)} bytes, the header alone takes {8 + size}")
    try:
        header = json.loads(data[8 : 8 + size])
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        expected = 8 + size + max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise CheckpointError(f"{path}: damaged, its header cannot be read") from None
    if len(data) < expected:
        raise CheckpointError(f"{path}: truncated: {len(data)} bytes of {expected}")
    return header


# ---------------------------------------------------------------------------------- trees and skeletons


def _encode(value, place, arrays):
    """Return the JSON form of `value`, moving its arrays into the dictionary `arrays`.

    Values that JSON lacks become one-key dictionaries: {"$tensor": name}, {"$tuple": [...]},
    {"$float": "nan"}, and {"$items": [[key, value], ...]} for dictionaries with other than plain string keys.
    """
    if isinstance(value, np.ndarray) or array_module(value) is not np:
        if place in arrays:
            raise ValueError(f"save: two arrays would be named {place!r}")
        arrays[place] = _tensor(value)
        return {"$tensor": place}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, dict):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise TypeError(f"save: {place or 'the value'} has the key {key!r}; keys must be str or int")
        items = [(key, _encode(item, _join(place, key), arrays)) for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(items)
        return {"$items": [list(item) for item in items]}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, _join(place, index), arrays) for index, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    raise TypeError(f"save: {place or 'the value'} is of type {type(value).__name__}, which cannot be saved")


def _decode(value, arrays):
    """The inverse of `_encode`."""
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        return arrays[value["$tensor"]]
    if "$tuple" in value:
        return tuple(_decode(item, arrays) for item in value["$tuple"])
    if "$float" in value:
        return float(value["$float"])
    if "$items" in value:
        return {key: _decode(item, arrays) for key, item in value["$items"]}
    return {key: _decode(item, arrays) for key, item in value.items()}


def _join(place, key):
    return f"{place}.{key}" if place else str(key)
