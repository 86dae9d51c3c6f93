"""Checkpoint files: exact round trips, atomic replacement, and a fitting error for each way to be wrong."""

import json
import os
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
from minception.checkpoint import CheckpointError

TREE = {
    "model": {"stem.0.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "steps": np.array(7)},
    "optimizer": {"state": {0: {"momentum_buffer": np.ones(3)}, 11: {}}, "groups": [{"betas": (0.9, 0.999)}]},
    "generator": {"bit_generator": "PCG64", "state": {"state": 2**127 + 1, "inc": 3}},
    "epoch": 3,
    "best": float("-inf"),
    "history": [{"loss": 0.1 + 0.2, "resumed": False}],
    "note": None,
    "$odd": {"$tensor": "not a reference"},
}


def assert_same(actual, expected):
    """Equal in type, structure and bits."""
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        assert actual.tobytes() == expected.tobytes()
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    else:
        assert repr(actual) == repr(expected)


def test_a_tree_comes_back_as_it_was(tmp_path):
    checkpoint.save(tmp_path / "c.safetensors", TREE)
    assert_same(checkpoint.load(tmp_path / "c.safetensors"), TREE)


arrays = hnp.arrays(
    dtype=st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.text(alphabet="ab$", min_size=1, max_size=3) | st.integers(0, 9)
trees = st.recursive(
    scalars | arrays,
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(tree=trees)
def test_any_tree_comes_back_as_it_was(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("trees") / "c.safetensors"
    checkpoint.save(path, tree)
    assert_same(checkpoint.load(path), tree)


def test_equal_trees_give_equal_bytes(tmp_path):
    for name in "ab":
        checkpoint.save(tmp_path / name, TREE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_numpy_scalars_become_plain_numbers(tmp_path):
    checkpoint.save(tmp_path / "c", {"lr": np.float64(0.1), "step": np.int64(3), "on": np.bool_(True)})
    assert_same(checkpoint.load(tmp_path / "c"), {"lr": 0.1, "step": 3, "on": True})


@pytest.mark.parametrize(
    "array",
    [
        np.arange(120, dtype=np.float32).reshape(2, 4, 5, 3).transpose(0, 3, 1, 2),  # channels last
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(20.0)[::-2],
        np.broadcast_to(np.float32(3), (2, 2)),
        np.arange(4, dtype=">f8"),
    ],
    ids=["channels last", "Fortran", "negative stride", "broadcast", "big endian"],
)
def test_memory_layout_does_not_matter(tmp_path, array):
    checkpoint.save_weights(tmp_path / "w.safetensors", {"weight": array})
    np.testing.assert_array_equal(checkpoint.load_weights(tmp_path / "w.safetensors")["weight"], array)


def test_torch_loads_the_weights_under_their_names(tmp_path):
    weight = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)
    checkpoint.save_weights(tmp_path / "w.safetensors", {"weight": weight, "bias": np.ones(3, np.float32)})
    layer = torch.nn.Linear(2, 3)
    layer.load_state_dict(safetensors.torch.load_file(tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(layer.weight.detach().numpy(), weight)


def test_weights_from_elsewhere_load(tmp_path):
    safetensors.torch.save_file({"bias": torch.ones(3)}, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(checkpoint.load_weights(tmp_path / "w.safetensors")["bias"], np.ones(3))
    assert checkpoint.kind(tmp_path / "w.safetensors") == "weights"


def test_a_type_that_numpy_lacks_is_named(tmp_path):
    safetensors.torch.save_file({"bias": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"w\.safetensors: has tensors of type 'BF16'"):
        checkpoint.load_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "tree, words",
    [
        ({"a": {"b": [0, object()]}}, r"save: a\.b\.1 is of type object"),
        (object(), "the value is of type object"),
        ({"a": {(1, 2): 3}}, r"save: a has the key \(1, 2\); keys must be str or int"),
        ({True: 3}, "the value has the key True"),
    ],
)
def test_what_cannot_be_saved_is_named(tmp_path, tree, words):
    with pytest.raises(TypeError, match=words):
        checkpoint.save(tmp_path / "c.safetensors", tree)
    assert not list(tmp_path.iterdir())


def test_two_arrays_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two arrays would be named 'a\.b'"):
        checkpoint.save(tmp_path / "c.safetensors", {"a": {"b": np.ones(1)}, "a.b": np.ones(1)})


# ------------------------------------------------------------------------------------------- wrong files


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.safetensors"
    checkpoint.save(path, {"model": {"weight": np.arange(100.0)}, "epoch": 1})
    return path


def flip(data, index):
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def rewrite(data, change):
    """Change the metadata record inside the bytes of a checkpoint."""
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    record = json.loads(header["__metadata__"]["minception"])
    change(record)
    header["__metadata__"]["minception"] = json.dumps(record)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda data: b"", "empty file"),
        (lambda data: data[:5], "not a safetensors file"),
        (lambda data: data[:100], r"truncated: 100 bytes, the header alone takes"),
        (lambda data: data[:-1], r"truncated: \d+ bytes of \d+"),
        (lambda data: flip(data, len(data) - 300), "damaged, its contents do not match the checksum"),
        (lambda data: flip(data, 9), "damaged"),
        (lambda data: data + b"more", "damaged, its header is inconsistent"),
        (lambda data: b"epoch,loss\n1,2.3\n" * 9, "not a safetensors file"),
        (lambda data: b"PK\x03\x04" + bytes(99), "looks like a PyTorch or pickle file"),
        (lambda data: b"\x80\x02" + bytes(99), "looks like a PyTorch or pickle file"),
        (lambda data: safetensors.numpy.save({"x": np.ones(1)}), "not a checkpoint written by minception"),
        (lambda data: rewrite(data, lambda record: record.update(version=9)), "version 9; .* version 1"),
        (lambda data: rewrite(data, lambda record: record.pop("sha256")), "metadata cannot be read"),
        (lambda data: rewrite(data, lambda record: record["content"].update(epoch=2)), "match the checksum"),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(good, spoil, words):
    good.write_bytes(spoil(good.read_bytes()))
    with pytest.raises(CheckpointError, match=words) as caught:
        checkpoint.load(good)
    assert str(caught.value).startswith(f"{good}: ")


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "small.safetensors"
    checkpoint.save(path, {"a": np.arange(4, dtype=np.uint8), "epoch": 1})
    data = path.read_bytes()
    for index in range(len(data)):
        path.write_bytes(flip(data, index))
        with pytest.raises(CheckpointError):
            checkpoint.load(path)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoint.load(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        checkpoint.load(tmp_path)


def test_checkpoints_and_weights_are_told_apart(good, tmp_path):
    weights = tmp_path / "w.safetensors"
    checkpoint.save_weights(weights, {"weight": np.ones(1)})
    with pytest.raises(CheckpointError, match="holds only weights"):
        checkpoint.load(weights)
    with pytest.raises(CheckpointError, match="a checkpoint, not a file of weights"):
        checkpoint.load_weights(good)
    assert (checkpoint.kind(good), checkpoint.kind(weights)) == ("checkpoint", "weights")


# --------------------------------------------------------------------------------------- atomic replacement


def test_a_failed_write_leaves_the_old_file_and_no_litter(good, monkeypatch):
    before = good.read_bytes()

    def disk_full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(good, {"epoch": 2})
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == [good.name]


def test_the_bytes_are_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append("fsync") or fsync(descriptor))
    monkeypatch.setattr(os, "replace", lambda old, new: calls.append("replace") or replace(old, new))
    checkpoint.write_atomically(tmp_path / "log.csv", "épochs\n")
    assert calls[:2] == ["fsync", "replace"]
    assert (tmp_path / "log.csv").read_text(encoding="utf-8") == "épochs\n"
