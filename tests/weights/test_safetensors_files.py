"""Safetensors files: anybody's, minception's own, and damaged ones."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minception import checkpoint
from minception.weights import WeightsError, read_weights

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
arrays = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def written(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8, **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


@given(st.dictionaries(st.text(min_size=1, max_size=5).filter(lambda name: name != "__metadata__"), arrays, max_size=4))
def test_any_arrays_come_back(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    values = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in values.items()}
    for write in (safetensors.numpy.save_file, lambda values, path: checkpoint.save_weights(path, values)):
        write(values, path)
        got = read_weights(path)
        assert got.keys() == values.keys()
        for name, array in values.items():
            assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape)
            assert got[name].tobytes() == array.tobytes() and not got[name].flags.writeable


def test_bfloat16_becomes_float32(path):
    values = torch.tensor([1.0, -3.5, float("inf"), float("nan"), 1e-40])
    safetensors.torch.save_file({"x": values.bfloat16(), "scalar": torch.tensor(2.5).bfloat16()}, path)
    got = read_weights(path)
    assert got["x"].tobytes() == values.bfloat16().float().numpy().tobytes()
    assert got["scalar"].shape == () and got["scalar"] == 2.5 and got["x"].dtype == np.float32


def test_a_checkpoint_of_a_training_run(path):
    model = {"conv.weight": np.ones((2, 2), np.float32), "bn.num_batches_tracked": np.array(3)}
    checkpoint.save(path, {"model": model, "optimizer": {"state": {0: {"step": np.array(1)}}}, "epoch": 2})
    got = read_weights(path)
    assert list(got) == list(model) and got["bn.num_batches_tracked"] == 3
    checkpoint.save(path, {"epoch": 2})
    with pytest.raises(WeightsError, match="a checkpoint, but not one of a training run"):
        read_weights(path)


def test_flipped_bytes_of_our_own_files_are_noticed(path):
    """But in the metadata's name: it becomes somebody else's."""
    checkpoint.save_weights(path, {"a": np.arange(4, dtype=np.uint8)})
    data = path.read_bytes()
    name = data.index(b"minception")
    for index in range(len(data)):
        path.write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
        if name <= index < name + len("minception"):
            assert read_weights(path)["a"].tolist() == [0, 1, 2, 3]
        else:
            with pytest.raises(WeightsError):
                read_weights(path)


def own(change):
    """Our own file, its record changed and its checksum made to fit again where it can."""
    values = {"x": np.zeros(2, np.float32)}
    record = {"kind": "checkpoint", "version": 1, "content": {"model": {"x": {"$tensor": "x"}}}}
    record |= change
    if "sha256" not in record:
        record["sha256"] = checkpoint._digest(values, record["content"])
    return safetensors.numpy.save(values, {"minception": json.dumps(record)})


DAMAGED = {
    "header past the end": (struct.pack("<Q", 999) + b'{"x":1}', "truncated: 15 bytes, the header alone takes 1007"),
    "large header": (struct.pack("<Q", 10_000_001) + b"{" + bytes(10_000_000), "more than 10000000"),
    "endless header": (struct.pack("<Q", 10**9) + b"{" + bytes(99), "not a file of weights"),
    "no JSON": (written(b"{x" + b" " * 9), "its header cannot be read"),
    "no text": (written(b'{"\xff": 1}'), "its header cannot be read"),
    "nesting": (written(b'{"x":' + b"[" * 100_000), "its header cannot be read"),
    "a name twice": (written(b'{"x": {}, "x": {}}'), "a name appears twice"),
    "no entry": (written({"x": 3}), "does not describe 'x'"),
    "a list": (written({"x": [1, 2]}), "does not describe 'x'"),
    "empty entry": (written({"x": {}}), "does not describe 'x'"),
    "dtype a list": (written({"x": entry(dtype=[])}, bytes(8)), "does not describe 'x'"),
    "unknown dtype": (written({"x": entry("F8_E4M3")}, bytes(8)), "'x' has the type 'F8_E4M3', which is not read"),
    "long dtype": (written({"x": entry("F" * 10**5)}, bytes(8)), "has the type 'FFFF"),
    "negative size": (written({"x": entry(shape=(-2, -1))}, bytes(8)), "does not describe"),
    "float size": (written({"x": entry(shape=(2.0,))}, bytes(8)), "does not describe"),
    "true as size": (written({"x": entry(shape=(True, 2))}, bytes(8)), "does not describe"),
    "text as shape": (written({"x": entry() | {"shape": "2"}}, bytes(8)), "does not describe"),
    "three offsets": (written({"x": entry() | {"data_offsets": [0, 8, 8]}}, bytes(8)), "does not describe"),
    "huge": (written({"x": entry(shape=(1 << 40, 1 << 40))}, bytes(8)), "has 8 bytes"),
    "huge and empty": (written({"x": entry(shape=(0, 1 << 63), end=0)}), "has the shape"),
    "many axes": (written({"x": entry(shape=(1,) * 70, end=4)}, bytes(4)), "has the shape"),
    "truncated": (written({"x": entry()}, bytes(7)), "truncated: 7 bytes of tensors, 'x' ends at 8"),
    "gap": (written({"x": entry(begin=4, end=12)}, bytes(12)), "overlap or leave gaps"),
    "overlap": (written({"x": entry(), "y": entry()}, bytes(8)), "overlap or leave gaps"),
    "reversed": (written({"x": entry(shape=(0,), begin=8, end=8), "y": entry(begin=8, end=0)}, bytes(8)), "-8 bytes"),
    "more bytes": (written({"x": entry()}, bytes(9)), "1 bytes after the last tensor"),
    "our kind": (own({"kind": "else"}), "written in format version 1"),
    "our version": (own({"version": 2}), "written in format version 2; version 1 is read"),
    "our checksum": (own({"sha256": "0"}), "do not match the checksum"),
    "our NaN": (own({"content": {"model": float("nan")}, "sha256": "0"}), "its metadata cannot be read"),
    "our content": (own({"content": {"model": [1]}}), "it has no model"),
    "our place": (own({"content": {"model": {"x": {"$tensor": "y"}}}}), "it has no model"),
    "our list": (own({"content": [1]}), "it has no model"),
    "our list of places": (own({"content": {"model": {"x": [1]}}}), "it has no model"),
    "our record": (safetensors.numpy.save({}, {"minception": "3"}), "its metadata cannot be read"),
    "our nesting": (safetensors.numpy.save({}, {"minception": "[" * 99999}), "its metadata cannot be read"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged(path, what):
    data, words = DAMAGED[what]
    path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and words in message and len(message) < 500


def test_foreign_metadata_is_ignored(path):
    for metadata in ({"format": "pt"}, None):
        safetensors.torch.save_file({"x": torch.ones(2)}, path, metadata)
        assert list(read_weights(path)) == ["x"]
    path.write_bytes(written({"__metadata__": 3, "x": entry()}, bytes(8)))
    assert list(read_weights(path)) == ["x"]
