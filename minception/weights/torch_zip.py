"""PyTorch's files since version 1.6: a zip archive of one pickle and one member for each storage.

    TOP/data.pkl      the pickle; a storage's persistent identifier has the key "0", "1", ...
    TOP/data/KEY      the bytes of a storage
    TOP/byteorder     "little" or "big"; absent in older files, which are little-endian

The name TOP is free; other members (version, .format_version, .data/serialization_id) say nothing about the weights.
Members are not compressed, so that they can be read where they lie. Nothing is ever extracted to a path.
"""

import zipfile
import zlib

from .errors import FormatError, plain
from .pickles import load_pickle
from .torch_tensors import STAND_INS, Arrays, storage_of

LOCAL_HEADER_BYTES, LOCAL_MAGIC = 30, b"PK\x03\x04"
ENCRYPTED = 0x1
BYTE_ORDERS = {b"little": "<", b"big": ">"}


def list_members(file):
    """Dict from name to zipfile.ZipInfo of the members of a zip archive, an open binary file.

    Raises FormatError for an archive that is damaged or has two members of one name.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
    except Exception as error:  # zipfile lets out whatever its parsing runs into
        raise FormatError(f"a damaged or truncated zip archive: {plain(str(error))}") from None
    members = {info.filename: info for info in listed}
    if len(members) != len(listed):
        raise FormatError("a damaged zip archive: two members have the same name")
    return members


def read_torch_zip(data, members, copy):
    """Return (the unpickled object, Arrays for its tensors) of a file in PyTorch's zip format.

    data: the whole file (memoryview). members: what `list_members` found. Raises FormatError.
    """
    tops = [name.removesuffix("/data.pkl") for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if not tops:
        raise FormatError("a zip archive, but neither PyTorch's (no member data.pkl) nor Keras's")
    if len(tops) > 1:
        raise FormatError("a zip archive with several members data.pkl")
    top = tops[0]
    if f"{top}/constants.pkl" in members:
        raise FormatError("a TorchScript archive, which holds a program; in PyTorch, save `model.state_dict()`")
    archive = _Archive(data, members, top)
    byte_order = bytes(archive.read("byteorder")) if f"{top}/byteorder" in members else b"little"
    if byte_order not in BYTE_ORDERS:
        raise FormatError(f"unknown byte order {byte_order[:20]!r}")
    pickled = archive.read("data.pkl")
    value, end = load_pickle(pickled, 0, STAND_INS, storage_of)
    if end != len(pickled):
        raise FormatError(f"damaged: {len(pickled) - end} bytes after the end of data.pkl")
    return value, Arrays(lambda key: archive.read(f"data/{key}"), BYTE_ORDERS[byte_order], copy)


class _Archive:
    """The members below the folder `top`, each checked when it is first read, as views of the whole file."""

    def __init__(self, data, members, top):
        self.data, self.members, self.top = data, members, top
        self.views, self.total = {}, 0

    def read(self, name):
        if name not in self.views:
            info = self.members.get(f"{self.top}/{name}")
            if info is None:
                raise FormatError(f"damaged: the archive has no member {plain(name)}")
            self.views[name] = self._view(name, info)
            self.total += info.file_size
            if self.total > len(self.data):  # members lie on top of each other
                raise FormatError("damaged: the members of the archive are larger than the file")
        return self.views[name]

    def _view(self, name, info):
        name = plain(name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise FormatError(f"member {name} is compressed, which PyTorch never does; zip the folder with `zip -0`")
        if info.flag_bits & ENCRYPTED:
            raise FormatError(f"member {name} is encrypted")
        header = bytes(self.data[info.header_offset : info.header_offset + LOCAL_HEADER_BYTES])
        if len(header) < LOCAL_HEADER_BYTES or not header.startswith(LOCAL_MAGIC):
            raise FormatError(f"damaged: member {name} does not begin where the archive says")
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = info.header_offset + LOCAL_HEADER_BYTES + lengths
        view = self.data[start : start + info.file_size]
        if len(view) != info.file_size:
            raise FormatError(f"damaged: member {name} is cut off: {len(view)} bytes of {info.file_size}")
        if info.CRC not in (0, zlib.crc32(view)):  # 0: written with `set_crc32_options(False)`
            raise FormatError(f"damaged: member {name} does not match its checksum")
        return view
