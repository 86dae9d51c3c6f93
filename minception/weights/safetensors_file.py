"""Files in the safetensors format: 8 bytes header size, a JSON header, the tensors' bytes without gaps.

https://github.com/huggingface/safetensors#format. Any such file is read, and minception's own are held to their
checksum; of a checkpoint of a training run the model's weights are taken.
"""

import json
import math

import numpy as np

from .. import checkpoint
from .errors import FormatError, plain, shown
from .torch_tensors import widened

FORMATS_LIMIT = 100_000_000  # bytes of a header
MAXIMUM_HEADER = 10_000_000  # the objects that JSON becomes are larger than its text; a tensor takes about 100 bytes
DTYPES = {
    **{f"F{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    **{f"I{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    "BF16": np.dtype("<u2"),
    "BOOL": np.dtype(bool),
}


def is_safetensors(start):
    """Whether a file that begins with `start` (bytes) is in this format."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= FORMATS_LIMIT


def read_safetensors(data, copy):
    """Return the dict name -> array of a file in this format; bfloat16 becomes float32.

    data: the whole file (memoryview). The arrays are read-only views of it, or copies. Raises FormatError.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    if end > len(data):
        raise FormatError(f"truncated: {len(data)} bytes, the header alone takes {end}")
    if end > MAXIMUM_HEADER:
        raise FormatError(f"its header has {end} bytes, more than {MAXIMUM_HEADER}")
    try:
        header = json.loads(bytes(data[8:end]), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"damaged, its header cannot be read: {plain(str(error))}") from None
    metadata = header.pop("__metadata__", {})
    arrays = {name: _array(name, entry, data[end:], copy) for name, entry in header.items()}
    _check_gapless([entry["data_offsets"] for entry in header.values()], len(data) - end)
    if isinstance(metadata, dict) and checkpoint.METADATA_KEY in metadata:
        return _own(arrays, metadata[checkpoint.METADATA_KEY])
    return arrays


def _without_duplicates(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name appears twice")
    return result


def _array(name, entry, data, copy):
    """The array that `entry`, {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, describes."""
    try:
        kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        sizes_valid = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
        known = kind in DTYPES
    except (KeyError, TypeError, ValueError):
        sizes_valid = False
    if not sizes_valid:
        raise FormatError(f"damaged, its header does not describe {shown(name)}")
    if not known:
        raise FormatError(f"{shown(name)} has the type {shown(kind)}, which is not read")
    dtype = DTYPES[kind]
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise FormatError(f"damaged: {shown(name)} of shape {shown(shape)} and type {kind} has {end - begin} bytes")
    if end > len(data):
        raise FormatError(f"truncated: {len(data)} bytes of tensors, {shown(name)} ends at {end}")
    array = np.frombuffer(data[begin:end], dtype)
    if kind == "BF16":
        array = widened(array)
    elif kind == "BOOL":
        array = array.view(np.uint8) != 0
    elif copy:
        array = array.copy()
    array.flags.writeable = False
    try:
        return array.reshape(shape)
    except ValueError:  # more than 64 axes, or 0 x 2**63
        raise FormatError(f"damaged: {shown(name)} has the shape {shown(shape)}") from None


def _check_gapless(offsets, size):
    position = 0
    for begin, end in sorted(offsets):
        if begin != position:
            raise FormatError("damaged: the tensors overlap or leave gaps")
        position = end
    if position != size:
        raise FormatError(f"damaged: {size - position} bytes after the last tensor")


def _own(arrays, text):
    """The weights in a file of minception, whose metadata `text` is described in checkpoint.py."""
    try:
        record = json.loads(text)
        kind, version, digest, content = (record[key] for key in ("kind", "version", "sha256", "content"))
        intact = digest == checkpoint._digest(arrays, content)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError("damaged, its metadata cannot be read") from None
    if version != checkpoint.VERSION or kind not in (checkpoint.CHECKPOINT, checkpoint.WEIGHTS):
        raise FormatError(f"written in format version {shown(version)}; version {checkpoint.VERSION} is read")
    if not intact:
        raise FormatError("damaged, its contents do not match the checksum stored in it")
    if kind == checkpoint.WEIGHTS:
        return arrays
    try:
        return {name: arrays[place["$tensor"]] for name, place in content["model"].items()}
    except (KeyError, TypeError, AttributeError):
        raise FormatError("a checkpoint, but not one of a training run: it has no model") from None
