"""Zip archives and other files that are wrong, cut off or damaged: arrays, or the error that names the file."""

import copy
import io
import os
import pickle
import random
import struct
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from minception.weights import WeightsError, read_weights
from minception.weights import torch_tensors as tensors_module
from tests.weights.hostile import HONEST, SIX, refused

from .files import dictionary, old_file, pickled, saved, storage, tensor, text, zip_file

REAL = {
    "zip": saved(HONEST),
    "old": saved(HONEST, old=True),
    "safetensors": safetensors.torch.save(HONEST),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "published.pth"


def rezipped(change, **options):
    """REAL["zip"], written again and changed by `change(archive)` before it is closed."""
    with zipfile.ZipFile(io.BytesIO(REAL["zip"])) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
        change(archive)
    return file.getvalue()


def changed(archive, **facts):
    for name, value in facts.items():
        setattr(archive.getinfo("archive/data/0"), name, value)


ZIPS = {
    "compressed": (lambda: rezipped(lambda archive: None, compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "claims to be larger": (lambda: rezipped(lambda archive: changed(archive, file_size=1 << 40)), "is compressed"),
    "cut off": (
        lambda: rezipped(lambda archive: changed(archive, file_size=1 << 40, compress_size=1 << 40)),
        "is cut off",
    ),
    "encrypted": (lambda: rezipped(lambda archive: changed(archive, flag_bits=1)), "is encrypted"),
    "elsewhere": (lambda: rezipped(lambda archive: changed(archive, header_offset=1)), "does not begin where"),
    "outside": (lambda: rezipped(lambda archive: changed(archive, header_offset=1 << 50)), "does not begin where"),
    "checksum": (lambda: rezipped(lambda archive: changed(archive, CRC=5)), "does not match its checksum"),
    "two pickles": (lambda: rezipped(lambda archive: archive.writestr("b/data.pkl", "")), "several members data.pkl"),
    "no folder": (lambda: zip_file(b"", {}, top="a/b"), "no member data.pkl"),
    "bytes after the pickle": (lambda: zip_file(pickled(b"}") + b"x", {}), "1 bytes after the end of data.pkl"),
    "empty pickle": (lambda: zip_file(b"", {}), "truncated pickle"),
}


@pytest.mark.parametrize("what", ZIPS)
def test_wrong_zips(path, what):
    make, words = ZIPS[what]
    refused(path, make(), words)


def test_members_that_lie_on_top_of_each_other(path):
    data = np.zeros(1 << 18, np.float32).tobytes()
    keys = [str(index) for index in range(1000)]
    whole = {key: tensor(storage(key, 1 << 18), shape=(1 << 18,), strides=(1,)) for key in keys}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(dictionary(**whole)))
        archive.writestr("archive/data/0", data)
        for key in keys[1:]:
            info = copy.copy(archive.getinfo("archive/data/0"))
            info.filename = info.orig_filename = f"archive/data/{key}"
            archive.filelist.append(info)
    refused(path, file.getvalue(), "members of the archive are larger than the file")


def test_two_members_of_one_name(path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = rezipped(lambda archive: archive.writestr("archive/data.pkl", pickled(b"}")))
    refused(path, data, "two members have the same name")


def test_wrong_old_files(path):
    pickle_, good = pickled(dictionary(x=tensor())), {"0": (6, SIX)}
    refused(path, old_file(pickle_, good, version=1002), "a version of PyTorch's format that is not read: 1002")
    refused(path, old_file(pickle_, good) + b"x", "1 bytes after the last storage")
    refused(path, old_file(pickle_, {"0": (5, SIX)}), "should have 6 elements, not 5")
    refused(path, old_file(pickle_, {"0": (1 << 62, SIX)}), "should have 6 elements")
    refused(path, old_file(pickle_, {"0": (6, SIX[:20])}), "truncated: ")
    refused(path, old_file(pickle_, {}), "the file has no storage '0'")
    refused(path, old_file(pickle_, {**good, "1": (6, SIX)}), "'1' is used by no tensor")
    twice = old_file(pickle_, good).replace(b"](" + text("0"), b"](" + text("0") * 2)
    refused(path, twice, "'0' is used by no tensor or stored twice")
    no_keys = old_file(pickle_, good).replace(b"](" + text("0") + b"e", b"}")
    refused(path, no_keys, "no list of storages")
    long = old_file(pickled(dictionary(x=tensor(storage(count=1 << 60)))), {"0": (1 << 60, SIX)})
    refused(path, long, "truncated")


STRANGERS = {
    "empty": (b"", "empty file"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 12345\n", "Git LFS pointer"),
    "web page": (b"\n<!DOCTYPE html><html><title>404 Not Found</title></html>", "a web page"),
    "old web page": (b"<HTML><HEAD>", "a web page"),
    "XML error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a web page"),
    "JSON error": (b'{"error": "not found"}', "a text file (JSON)"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(99), "a gzip archive"),
    "tar": (b"pickle".ljust(257, b"\0") + b"ustar\x0000" + bytes(300), "a tar archive"),
    "NumPy array": (b"\x93NUMPY\x01\x00v\x00{'descr'", "a single NumPy array"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "use load_weights(model, path)"),
    "text": (b"epoch,loss\n1,2.3\n", "not a file of weights in a known format"),
    "one byte": (b"\x80", "not a file of weights"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "not a file of weights"),
    "zip start": (b"PK\x03\x04" + bytes(99), "damaged or truncated zip"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle, but not one of torch.save"),
    "zeros": (bytes(1000), "not a file of weights"),
}


@pytest.mark.parametrize("what", STRANGERS)
def test_other_files(path, what):
    refused(path, *STRANGERS[what])


def test_files_that_are_not_there(tmp_path, monkeypatch):
    for place, words in (
        (tmp_path / "absent", "no such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "nul\0", "cannot be read"),
        ("/dev/null", "not a regular file"),
    ):
        with pytest.raises(WeightsError, match=words):
            read_weights(place)
    (tmp_path / "x").write_bytes(b"x")

    def no_device(*_, **__):
        raise OSError(19, "No such device")

    with monkeypatch.context() as patch, pytest.raises(WeightsError, match="x: cannot be read: No such device"):
        patch.setattr("minception.weights.read.mmap.mmap", no_device)
        read_weights(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="not a regular file"):
        read_weights(str(tmp_path / "pipe"))


@pytest.mark.parametrize("format_", REAL)
def test_every_truncation_is_noticed(path, format_):
    data = REAL[format_]
    for end in range(0, len(data), 1 if format_ != "zip" else 7):
        refused(path, data[:end])


def damaged(data, generator):
    """`data` with some bytes changed, removed, inserted or repeated."""
    data = bytearray(data)
    for _ in range(generator.choice([1, 1, 1, 2, 5])):
        place, length = generator.randrange(len(data)), generator.choice([1, 1, 2, 8])
        match generator.randrange(4):
            case 0:
                data[place] ^= 1 << generator.randrange(8)
            case 1:
                data[place] = generator.choice([0, 1, 127, 128, 255, generator.randrange(256)])
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length]
    return bytes(data)


def damaged_pickle(data, generator):
    """A file in PyTorch's zip format whose pickle is damaged, but not its container."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        top = "archive/data/"
        storages = {name[len(top) :]: archive.read(name) for name in archive.namelist() if name.startswith(top)}
        return zip_file(damaged(archive.read("archive/data.pkl"), generator), storages)


@pytest.mark.parametrize("format_", [*REAL, "pickle in a zip"])
def test_random_damage_never_escapes(path, format_):
    """Either arrays, no larger than before, or the error that names the file."""
    generator = random.Random(format_)
    read = 0
    for _ in range(400):
        data = damaged(REAL[format_], generator) if format_ in REAL else damaged_pickle(REAL["zip"], generator)
        path.write_bytes(data)
        try:
            arrays = read_weights(path)
        except WeightsError as error:
            assert str(error).startswith(f"{path}: ") and len(str(error)) < 600
        else:
            read += 1
            assert all(type(name) is str and array.nbytes <= 2**13 for name, array in arrays.items())
    assert read < 400


def test_flipped_weights_in_a_zip_are_noticed(path):
    data = bytearray(REAL["zip"])
    place = bytes(data).index(struct.pack("<3f", 1, 2, 3))
    data[place] ^= 1
    refused(path, bytes(data), "member data/0 does not match its checksum")


def test_expanded_tensors_up_to_a_limit(path, monkeypatch):
    data = saved({"x": torch.ones(1).expand(1000)})
    path.write_bytes(data)
    assert read_weights(path)["x"].strides == (0,)
    monkeypatch.setattr(tensors_module, "MAXIMUM_EXPANDED", 999)
    refused(path, data, "shows a storage of only 1 elements")
