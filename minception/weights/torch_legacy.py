"""PyTorch's files before version 1.6, and of `torch.save(..., _use_new_zipfile_serialization=False)` since.

Five pickles one after the other: a magic number, the version of the format, facts about the machine, the object, and
the list of its storages' keys. Then the storages, in the order of that list: the number of elements (8 bytes) and the
elements, both little-endian on every machine.
"""

from .errors import FormatError, shown
from .pickles import load_pickle
from .torch_tensors import STAND_INS, Arrays, Storage, storage_of

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
MAGIC = MAGIC_NUMBER.to_bytes(10, "little")  # as it stands in the first pickle
PROTOCOL_VERSION = 1001


def is_torch_legacy(start):
    """Whether a file that begins with `start` (bytes) is in this format."""
    return start[:1] == b"\x80" and MAGIC in start[:32]


def read_torch_legacy(data, copy):
    """Return (the unpickled object, Arrays for its tensors) of a file in this format.

    data: the whole file (memoryview). Raises FormatError.
    """
    storages = {}  # by key

    def find_storage(identifier):
        storage = storage_of(identifier)
        first = storages.setdefault(storage.key, storage)
        if (first.type, first.count) != (storage.type, storage.count):
            raise FormatError(f"damaged: storage {shown(storage.key)} has two types or sizes")
        return storage

    magic, position = load_pickle(data, 0, {})
    version, position = load_pickle(data, position, {})
    if magic != MAGIC_NUMBER or version != PROTOCOL_VERSION:
        raise FormatError(f"damaged, or a version of PyTorch's format that is not read: {shown(version)}")
    _, position = load_pickle(data, position, {})
    value, position = load_pickle(data, position, STAND_INS, find_storage)
    keys, position = load_pickle(data, position, {})
    views = _views(data, position, keys, storages)

    def read(key):
        if key not in views:
            raise FormatError(f"damaged: the file has no storage {shown(key)}")
        return views[key]

    return value, Arrays(read, copy=copy)


def _views(data, position, keys, storages):
    """Dict from key to the bytes of a storage; they must fill the file to its end."""
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise FormatError("damaged: no list of storages")
    views = {}
    for key in keys:
        storage = storages.get(key)
        if type(storage) is not Storage or key in views:
            raise FormatError(f"damaged: storage {shown(key)} is used by no tensor or stored twice")
        count = int.from_bytes(data[position : position + 8], "little")
        if count != storage.count:
            raise FormatError(
                f"damaged or truncated: storage {shown(key)} should have {storage.count} elements, not {count}"
            )
        start, position = position + 8, position + 8 + count * storage.type.size
        if position > len(data):
            raise FormatError(f"truncated: {len(data)} bytes, storage {shown(key)} ends at byte {position}")
        views[key] = data[start:position]
    if position != len(data):
        raise FormatError(f"damaged: {len(data) - position} bytes after the last storage")
    return views
