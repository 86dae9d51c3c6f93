"""Pickles that ask for more than weights: refused by name, and nothing that they ask for runs."""

import os
import pickle
import resource
import subprocess
import sys
import time

import pytest
import torch

from minception.weights import pickles, read_weights
from tests.weights.hostile import HONEST, SIX, refused

from .files import (
    call,
    dictionary,
    integer,
    named,
    numbers,
    old_file,
    pickled,
    sequence,
    storage,
    tensor,
    text,
    zip_file,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "published.pth"


def both(value, storages=(("0", SIX),)):
    """A value, as opcodes, in PyTorch's two formats."""
    yield zip_file(pickled(value), dict(storages))
    yield old_file(pickled(value), {key: (len(data) // 4, data) for key, data in storages})


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def attacks(marker):
    """(forbidden name, value) pairs; each would make the file `marker` if it was unpickled."""
    touch, code = f"touch {marker}", f"open({str(marker)!r}, 'w').close()"
    yield f"{os.system.__module__}.system", Call(os.system, touch)
    yield "builtin", Call(eval, code)
    yield "builtin", Call(exec, code)
    yield "check_call", Call(subprocess.check_call, ["touch", str(marker)])


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("protocol", [2, 4])
def test_calls_are_refused_by_name_and_nothing_runs(path, tmp_path, old, protocol):
    marker = tmp_path / "marker"
    for name, attack in attacks(marker):
        for value in ({"state_dict": attack}, {**HONEST, "x": attack}, attack):
            options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": not old}
            torch.save(value, path, **options)
            refused(path, path.read_bytes(), "forbidden pickle: it asks for ", name, "was not run")
            assert not marker.exists()
        pickle.loads(pickle.dumps(attack, protocol))  # an ordinary unpickler does run it
        assert marker.exists(), name
        marker.unlink()


@pytest.mark.parametrize(
    "name",
    ["builtins.getattr", "builtins.eval", "torch.load", "torch.hub.load", "numpy.load", "torch._utils._import", "os.x"],
)
def test_no_other_name_is_found(path, name):
    for data in both(dictionary(x=call(name, text("x")))):
        refused(path, data, f"it asks for {name}")
    module, _, last = name.rpartition(".")
    for data in both(dictionary(x=text(module) + text(last) + b"\x93")):  # the name comes from the stack
        refused(path, data, f"it asks for {name}")


def test_nothing_is_imported(path):
    for data in both(dictionary(x=named("antigravity.fly"))):
        refused(path, data, "antigravity.fly")
    assert "antigravity" not in sys.modules


def test_only_functions_of_the_table_are_called(path):
    """Neither a type, nor text, nor what a call returned."""
    for value in (
        named("torch.FloatStorage") + b")R",
        text("os.system") + b")R",
        tensor() + b")R",
        named("torch.float32") + b")R",
        storage() + b")R",
        b"})R",
    ):
        for data in both(dictionary(x=value)):
            refused(path, data, "damaged pickle")


HARMLESS = {
    "an ignored class with a state": named("argparse.Namespace") + b")\x81" + dictionary(lr=integer(1)) + b"b",
    "a cycle": b"]q\x00h\x00a",
    "a long list": b"](" + b"K\x01" * 10_000 + b"e",
    "a lot of nesting": b"]" * 100_000 + b"a" * 99_999,
    "nested tuples": b")" + b"\x85" * 100_000,
    "2**60 tuples in 60": b"](" + b")q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"e",
    "2**60 lists in 60": b"](" + b"]q\x00" + b"](h\x00h\x00eq\x00" * 60 + b"e",
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_stands_beside_the_weights_costs_nothing(path, what):
    for data in both(dictionary(junk=HARMLESS[what], x=tensor())):
        path.write_bytes(data)
        assert list(read_weights(path)) == ["x"]


TENSOR_V3 = "torch._utils._rebuild_tensor_v3"
REFUSED = {
    "other opcode": (b"Pname\n", "opcode 0x50"),
    "extension": (b"\x82\x01", "opcode 0x82"),
    "instance": (b"(ios\nsystem\n", "opcode 0x69"),
    "object": (b"(cos\nsystem\no", "os.system"),
    "decimal": (b"L" + b"9" * 50 + b"L\n", "opcode 0x4c"),
    "evaluated text": (b"S'x'\n", "opcode 0x53"),
    "no opcode": (b"\xfe", "opcode 0xfe"),
    "endless integer": (b"\x8b\xff\xff\xff\x0f", "opcode 0x8b"),
    "wide integer": (b"\x8a\x11" + bytes(17), "integer of 17 bytes"),
    "memo index": (b"Nr\xff\xff\xff\x7f", "memo index"),
    "unknown memo": (b"h\x77", "damaged pickle"),
    "steps": (b"N" * pickles.MAXIMUM_STEPS, "steps"),
    "future protocol": (b"\x80\x09N", "a pickle of protocol 9"),
    "protocol 1": (b"\x80\x01N", "a pickle of protocol 1"),
    "empty stack": (b"\x87", "damaged pickle"),
    "no mark": (b"t", "damaged pickle"),
    "name from bytes": (b"C\x02osC\x06system\x93", "damaged pickle"),
    "text past the end": (b"X\xff\xff\xff\x7fabc", "truncated"),
    "text of 2**63 bytes": (b"\x8d" + b"\xff" * 7 + b"\x7fabc", "truncated"),
    "no text": (b"X\x02\x00\x00\x00\xff\xfe", "damaged pickle"),
    "global without lines": (b"c" + b"x" * 300, "damaged pickle: a name"),
    "control characters": (b"cos\x1b[31m\nsystem\n", r"os\x1b[31m.system,"),
    "append to a tuple": (b")Na", "damaged pickle"),
    "items of a list": (b"]NNs", "damaged pickle"),
    "odd items": (b"}(Nu", "damaged pickle"),
    "list as key": (b"}]Ns", "key of type list"),
    "tuple as key": (b"})Ns", "key of type tuple"),
    "wide integer as key": (b"}" + integer(1 << 80) + b"Ns", "key of type int"),
    "float as key": (b"}G" + bytes(8) + b"Ns", "key of type float"),
    "attributes of a tensor": (tensor() + dictionary(shape=b")") + b"b", "damaged pickle"),
    "attributes of a list": (b"]}b", "damaged pickle"),
    "pairs that are none": (call("collections.OrderedDict", b"](NNNe"), "damaged pickle"),
    "call without a tuple": (named("collections.OrderedDict") + b"]R", "damaged pickle"),
    "call with too much": (call("collections.OrderedDict", b"]", b"]"), "damaged pickle"),
    "number as identifier": (b"K\x01Q", "a persistent object that is no storage"),
    "other object": (sequence(text("x"), *[b"N"] * 4) + b"Q", "a persistent object that is no storage"),
    "whole model": (sequence(text("module"), *[b"N"] * 3) + b"Q", "a whole pickled model"),
    "storage of no type": (sequence(text("storage"), b"N", text("0"), b"N", b"K\x06") + b"Q", "without its type"),
    "storage without a name": (storage().replace(text("0"), b"K\x00"), "without its type and key"),
    "negative storage": (storage(count=-1), "a storage's size contains -1"),
    "view past the storage": (storage(view=("1", 4, 3)), "ends at 7, the storage at 6"),
    "negative view": (storage(view=("1", -1, 3)), "a storage's view contains -1"),
    "view of two": (storage(view=("1", 1)), "damaged pickle"),
    "tensor of nothing": (call("torch._utils._rebuild_tensor", *[b"N"] * 4), "without a storage"),
    "tensor of bytes": (tensor(storage(kind="UntypedStorage")), "without a storage"),
    "tensor without a dtype": (
        call(TENSOR_V3, storage(), b"K\x00", b")", b")", b"N", b"N", named("torch.FloatStorage")),
        "without a storage and a dtype",
    ),
    "parameter of nothing": (call("torch._utils._rebuild_parameter", b"N", b"N", b"N"), "without a tensor"),
    "made by text": (call("torch._tensor._rebuild_from_type_v2", text("x"), b"N", b")", b"N"), "made by something"),
    "made by what makes": (
        call("torch._tensor._rebuild_from_type_v2", named("torch._tensor._rebuild_from_type_v2"), b"N", b")", b"N"),
        "made by something",
    ),
    "negative offset": (tensor(offset=-1), "offset contains -1"),
    "negative size": (tensor(shape=(-2, -3)), "shape contains -2"),
    "negative stride": (tensor(strides=(3, -1)), "strides contains -1"),
    "true as size": (tensor().replace(numbers((2, 3)), sequence(b"\x88", integer(3))), "shape contains bool"),
    "list as size": (tensor().replace(numbers((2, 3)), b"](K\x02K\x03e"), "no tuple of at most 64"),
    "many axes": (tensor(shape=(1,) * 65, strides=(1,) * 65), "no tuple of at most 64"),
    "axes without strides": (tensor(strides=(3,)), "2 axes with 1 strides"),
    "beyond the storage": (tensor(offset=1), "needs 7 elements, its storage has 6"),
    "stride beyond the storage": (tensor(strides=(4, 1)), "needs 7 elements"),
    "huge": (tensor(shape=(1 << 40, 1 << 40)), "needs"),
    "huge stride": (tensor(strides=(1 << 61, 1)), "needs"),
    "huge size": (tensor(shape=(1 << 62, 2)), "shape contains"),
    "huge and empty": (tensor(shape=(0, 1 << 61)), "shape (0, 2305843009213693952) is too large"),
    "expanded": (tensor(shape=(1 << 30, 1 << 30), strides=(0, 0)), "shows a storage of only 6 elements"),
    "size from text": (call("torch.Size", text("x")), "damaged"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(path, what):
    value, words = REFUSED[what]
    for data in both(dictionary(x=value, y=tensor())):
        refused(path, data, words)


@pytest.mark.parametrize(
    "facts, new_words, old_words",
    [
        ({"count": 5}, "storage '0' should have 5 elements", "should have 5 elements, not 6"),
        ({"kind": "DoubleStorage"}, "should have 6 elements of 8 bytes, the file has 24 bytes", "truncated"),
        ({"key": "7"}, "the archive has no member data/7", "storage '0' is used by no tensor"),
    ],
)
def test_storages_that_do_not_fit(path, facts, new_words, old_words):
    new, old = both(dictionary(x=tensor(storage(**facts))))
    refused(path, new, new_words)
    refused(path, old, old_words)
    for data in both(dictionary(x=tensor(storage(**facts)), y=tensor())):  # one storage, used in two ways
        refused(path, data, "damaged")


def test_empty_stacks(path):
    for value in (b"", b"\x87", b"t", b"R", b"s", b"u", b"b", b"Q", b"q\x00", b"\x93", b"a", b"e", b"(", b"(s"):
        for data in both(value):
            refused(path, data)


def test_a_state_dict_that_holds_itself(path):
    for data in both(b"}q\x00(" + text("model") + b"h\x00" + text("x") + tensor() + b"u"):
        refused(path, data, "too deeply nested")


def test_storages_in_the_wrong_place(path):
    data = old_file(pickled(dictionary(x=tensor())), {"0": (6, SIX)})
    facts = pickled(dictionary(little_endian=b"\x88"))
    refused(path, data.replace(facts, pickled(storage(kind="FloatStorage"))), "forbidden pickle: it asks for torch.Flo")
    refused(path, data.replace(facts, pickled(b"NQ")), "a persistent object where none can be")


def test_names_are_shown_short_and_without_control_characters(path):
    name = "\x1b[31m" + "x" * 10**6
    for data in both(b"}" + text(name) + tensor(offset=1) + b"s"):
        assert r": '\x1b[31mxxx" in refused(path, data, "xxx... of shape (2, 3) needs 7 elements")
    new, _ = both(dictionary(x=tensor(storage(name))))
    assert r"no member data/\x1b[31mxxx" in refused(path, new)


def test_a_key_is_no_path(path, tmp_path):
    (tmp_path / "secret").write_bytes(SIX)
    for key in ("../secret", str(tmp_path / "secret"), "../../data.pkl", "0\0"):
        refused(path, zip_file(pickled(dictionary(x=tensor(storage(key)))), {"0": SIX}), "the archive has no member")


def test_a_small_file_takes_little_memory_and_time(path):
    """Tensors without end of one storage; strings, lists and dictionaries made again and again."""
    many = b"".join(text(f"x{index}") + b"h\x05" for index in range(20_000))
    shared = b"}(" + text("x") + tensor(shape=(1 << 10, 1 << 10), strides=(0, 0)) + b"q\x05" + many + b"u"
    lists = b"](" + b"](NNe" * 100_000 + b"eq\x00" + (named("collections.OrderedDict") + b"h\x00\x85R0") * 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    for data in both(shared):
        path.write_bytes(data)
        assert len(read_weights(path)) == 20_001
    for data in both(lists):
        refused(path, data, "pickle")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    assert time.process_time() - start < 20
