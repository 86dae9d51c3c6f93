"""Files made by hand, for what PyTorch itself does not write (any more), and a small model."""

import io
import struct
import zipfile

import torch

from minception import nn
from minception.weights.torch_legacy import MAGIC


def saved(value, old=False):
    """The bytes that torch.save writes, in the zip format or the one before it."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


# ------------------------------------------------------------------------------------------ opcodes of pickles


def text(string):
    return b"X" + struct.pack("<I", len(string.encode())) + string.encode()


def integer(number):
    size = number.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + number.to_bytes(size, "little", signed=True)


def sequence(*items):
    return b"(" + b"".join(items) + b"t"


def numbers(values):
    return sequence(*(integer(value) for value in values))


def named(dotted):
    module, _, name = dotted.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def call(dotted, *arguments):
    return named(dotted) + sequence(*arguments) + b"R"


def dictionary(**entries):
    return b"}(" + b"".join(text(name) + value for name, value in entries.items()) + b"u"


def pickled(value):
    return b"\x80\x02" + value + b"."


def storage(key="0", count=6, kind="FloatStorage", view=None):
    """A persistent identifier; with `view`, (key, start, size), that of a view in the older format."""
    views = [] if view is None else [b"N" if view == () else sequence(text(view[0]), *map(integer, view[1:]))]
    return sequence(text("storage"), named(f"torch.{kind}"), text(key), text("cpu"), integer(count), *views) + b"Q"


def tensor(storage=storage(), offset=0, shape=(2, 3), strides=(3, 1)):  # noqa: B008 (bytes do not change)
    """A tensor of six numbers, as a pickle builds it."""
    flags = (b"\x89", call("collections.OrderedDict"))
    return call("torch._utils._rebuild_tensor_v2", storage, integer(offset), numbers(shape), numbers(strides), *flags)


# --------------------------------------------------------------------------------------------------- containers


def zip_file(pickle, storages, top="archive", compression=zipfile.ZIP_STORED, **more):
    """A file in PyTorch's zip format: a pickle and the bytes of storages by key; `more` members by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(f"{top}/data.pkl", pickle)
        for key, content in storages.items():
            archive.writestr(f"{top}/data/{key}", content)
        for name, content in more.items():
            archive.writestr(f"{top}/{name}", content)
    return file.getvalue()


def old_file(pickle, storages, version=1001):
    """A file in PyTorch's older format: a pickle and (number of elements, bytes) of storages by key."""
    head = pickled(b"\x8a\x0a" + MAGIC) + pickled(integer(version)) + pickled(dictionary(little_endian=b"\x88"))
    keys = pickled(b"](" + b"".join(text(key) for key in storages) + b"e")
    return head + pickle + keys + b"".join(struct.pack("<q", count) + data for count, data in storages.values())


class Small(nn.Module):
    """Two convolutions with batch norm, and a classifier under the name `fc`; with `heads`, auxiliary ones."""

    def __init__(self, classes=5, heads=0, name="fc"):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.pointwise = nn.Conv2d(8, 6, 1)
        for head in range(1, heads + 1):
            self.add_module(f"aux{head}", nn.Sequential(nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4, classes)))
        self.last_bn = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.5)
        self.add_module(name, nn.Linear(6, classes))
        self.head = name

    def forward(self, x):
        x = self.pointwise(self.bn(self.conv(x)).relu())
        x = self.last_bn(x).relu().mean((2, 3))
        return getattr(self, self.head)(self.dropout(x))
