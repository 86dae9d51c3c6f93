"""The reader of CIFAR's pickles: what official files hold loads, and nothing else runs."""

import builtins
import os
import pickle
import pickletools
import struct
import subprocess
import sys

import numpy as np
import pytest

from minception.data import CorruptDataError, ForbiddenPickleError
from minception.data import restricted_pickle as module
from minception.data.restricted_pickle import loads

from .official import python2_pickle

IMAGES = np.random.default_rng(3).integers(0, 256, (5, 3072), np.uint8)
CONTENT = {b"batch_label": b"training batch 1 of 5", b"labels": [6, 9, 0, 255, 300, -1], b"data": IMAGES, b"empty": []}
UINT8_STATE = b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
UINT8 = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R" + UINT8_STATE
EMPTY_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"


def in_dictionary(value):
    """The protocol-2 pickle of {b"data": value}, `value` being opcodes."""
    return b"\x80\x02}U\x04data" + value + b"s."


def array(shape=b"K\x02\x85", dtype=UINT8, fortran=b"\x89", data=b"U\x02ab"):
    return EMPTY_ARRAY + b"(K\x01" + shape + dtype + fortran + data + b"tb"


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            assert got[key].dtype == np.uint8
            np.testing.assert_array_equal(got[key], value)
        else:
            assert got[key] == value and type(got[key]) is type(value)


def test_the_official_python_2_pickle():
    data = python2_pickle(CONTENT)
    assert b"numpy.core.multiarray" in data and data.startswith(b"\x80\x02}q\x01(")
    assert_same(pickle.loads(data, encoding="bytes"), CONTENT)  # the maker of this file writes true pickles
    assert_same(loads(data, "data_batch_1"), CONTENT)


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        loads(python2_pickle(CONTENT), "data_batch_1")[b"data"][0, 0] = 1


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("write", [pickle.dumps, lambda *args: pickletools.optimize(pickle.dumps(*args))])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_2_pickles(protocol, write, order):
    content = {"labels": [0, 1, 2**40, -5], "data": IMAGES.copy(order), "second": IMAGES[:1].copy(order), "text": "é"}
    if protocol > 2 or order == "F":
        content[b"bytes"] = b"\x00\xff\n"  # protocol 2 writes these as _codecs.encode("...", "latin1")
    assert_same(loads(write(content, protocol), "file"), content)


def test_large_frames_of_protocol_4():
    content = {"data": np.zeros((50, 3072), np.uint8), "text": "x" * 100_000, "labels": list(range(256)) * 20}
    assert_same(loads(pickle.dumps(content, 4), "file"), content)


def test_shared_values_come_back_shared():
    names = [b"cat", b"dog"]
    got = loads(pickle.dumps({"a": names, "b": names}, 4), "file")
    assert got["a"] == names and got["a"] is got["b"]


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def call(function, argument):
    """Opcodes that call `function`, "module.name", with a short byte string."""
    module_name, _, attribute = function.rpartition(".")
    return f"c{module_name}\n{attribute}\n".encode() + b"U" + bytes([len(argument)]) + argument + b"\x85R"


def hostile(marker):
    """(forbidden global, pickle) pairs; each pickle would make the file `marker`, or could, if its program ran."""
    code, touch = f"open({str(marker)!r}, 'w').close()", f"touch {marker}"
    for protocol, builtin in ((2, "__builtin__"), (4, "builtins")):
        for name, value in (
            (f"{os.system.__module__}.system", Call(os.system, touch)),
            (f"{builtin}.eval", Call(eval, code)),
            (f"{builtin}.exec", Call(exec, code)),
            ("Popen", Call(subprocess.Popen, ["touch", str(marker)])),
        ):
            yield name, pickle.dumps({"data": value}, protocol)
    system, honest = call("os.system", touch.encode()), in_dictionary(array())[:-1]
    yield "os.system", in_dictionary(system)
    yield "os.system", b"\x80\x02" + system + b"."  # before any dictionary
    yield "os.system", b"\x80\x02}" + system + b"0."  # thrown away: no trace in the result
    yield "os.system", honest + b"U\x01x" + system + b"s."  # after an honest array
    evaluated = b"\x8c\x08builtins\x8c\x04eval\x93\x8c" + bytes([len(code)]) + code.encode() + b"\x85R"
    yield "builtins.eval", in_dictionary(evaluated)  # the name comes from the stack, no GLOBAL holds it
    for name in (
        "builtins.getattr",
        "numpy.load",
        "numpy.ndarray.tofile",
        "numpy.core.multiarray.fromfile",
        "numpy._core.multiarray.scalar",
        "_codecs.decode",
        "copyreg._reconstructor",
        "minception.data.restricted_pickle.loads",
    ):
        yield name, in_dictionary(call(name, str(marker).encode()))


def test_calls_are_refused_by_name_and_nothing_runs(tmp_path):
    marker = tmp_path / "marker"
    for forbidden, data in hostile(marker):
        with pytest.raises(ForbiddenPickleError, match=r"^some/data_batch_1: forbidden global ") as caught:
            loads(data, "some/data_batch_1")
        assert f"{forbidden} in a pickle" in str(caught.value)
        assert not marker.exists(), forbidden


def test_the_hostile_pickles_would_run(tmp_path):
    """Without the restriction they make the marker, so the test above proves something."""
    marker = tmp_path / "marker"
    for forbidden, data in hostile(marker):
        if forbidden.endswith(("system", "eval", "exec")):
            pickle.loads(data, encoding="bytes")
            assert marker.exists(), forbidden
            marker.unlink()


def test_nothing_is_imported(monkeypatch):
    def refuse(name, *args, **kwargs):
        raise AssertionError(f"imported {name}")

    assert "antigravity" not in sys.modules
    data = in_dictionary(b"\x8c\x0bantigravity\x8c\x01x\x93")
    with monkeypatch.context() as patch, pytest.raises(ForbiddenPickleError, match=r"antigravity\.x"):
        patch.setattr(builtins, "__import__", refuse)
        loads(data, "file")
    assert "antigravity" not in sys.modules


REFUSED = {
    "persistent id": (b"Pname\n", "opcode PERSID"),
    "binary persistent id": (b"U\x01xQ", "opcode BINPERSID"),
    "extension": (b"\x82\x01", "opcode EXT1"),
    "wide extension": (b"\x84\x01\x00\x00\x00", "opcode EXT4"),
    "instance": (b"(ios\nsystem\n", "opcode INST"),
    "object": (b"(cos\nsystem\no", "os.system"),
    "new object": (b"cnumpy\ndtype\n)\x81", "opcode NEWOBJ"),
    "new object with keywords": (b"cnumpy\ndtype\n)}\x92", "opcode NEWOBJ_EX"),
    "float": (b"G" + bytes(8), "opcode BINFLOAT"),
    "long decimal": (b"L" + b"9" * 50 + b"L\n", "opcode LONG"),
    "evaluated string": (b"S'x'\n", "opcode STRING"),
    "endless integer": (b"\x8b\xff\xff\xff\x0f", "opcode LONG4"),
    "wide integer": (b"\x8a\x09" + bytes(9), "integer of 9 bytes"),
    "duplicate": (b"NNN2", "opcode DUP"),
    "buffer": (b"\x97", "opcode NEXT_BUFFER"),
    "byte array": (b"\x96" + bytes(8), "opcode BYTEARRAY8"),
    "set": (b"\x8f", "opcode EMPTY_SET"),
    "no opcode": (b"\xfe", "opcode 0xfe"),
    "memo index": (b"Nr\xff\xff\xff\x7f", "memo index"),
    "many tuples": (b")" + b"\x85" * 1000, "tuples"),
    "many opcodes": (b"N" * module.MAXIMUM_OPCODES, "opcodes"),
    "object array": (array(dtype=UINT8.replace(b"u1", b"O8")), "dtype b'O8'"),
    "float array": (array(dtype=UINT8.replace(b"u1", b"f4")), "dtype b'f4'"),
    "structured array": (array(dtype=UINT8.replace(b"|NNN", b"|N](U\x01xe}")), "state of a uint8 dtype"),
    "dtype from a list": (array(dtype=UINT8.replace(b"U\x02u1", b"](U\x01xe")), "dtype list"),
    "long dtype": (array(dtype=UINT8.replace(b"U\x02u1", b"T\x00\x00\x10\x00" + b"x" * 2**20)), "dtype b'xxxx"),
    "huge array": (array(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), "comes with 2 bytes"),
    "array too small": (array(shape=b"K\x01\x85"), "comes with 2 bytes"),
    "negative shape": (array(shape=b"J\xff\xff\xff\xffJ\xfe\xff\xff\xff\x86"), "tuple of sizes"),
    "list as shape": (array(shape=b"](K\x02e"), "tuple of at most"),
    "many axes": (array(shape=b"(" + b"K\x01" * 100_000 + b"t"), "tuple of at most"),
    "true as shape": (array(shape=b"K\x02\x88\x86"), "tuple of sizes"),
    "array without bytes": (array(data=b"](K\x01K\x02e"), "lacks its dtype or its bytes"),
    "array without dtype": (array(dtype=b"N"), "lacks its dtype or its bytes"),
    "large empty array": (EMPTY_ARRAY.replace(b"K\x00\x85", b"J\xff\xff\xff\x7f\x85"), "_reconstruct"),
    "other subtype": (EMPTY_ARRAY.replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"), "_reconstruct"),
    "other encoding": (b"c_codecs\nencode\nX\x01\x00\x00\x00xX\x03\x00\x00\x00hex\x86R", "_codecs.encode"),
    "control characters": (b"cos\x1b[31m\nsystem\n", r"global os\x1b[31m.system"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    value, words = REFUSED[what]
    with pytest.raises(ForbiddenPickleError) as caught:
        loads(in_dictionary(value), "a/test_batch")
    message = str(caught.value)
    assert message.startswith("a/test_batch: ") and words in message and len(message) < 400


DAMAGED = {
    "empty": (b"", "truncated"),
    "only a header": (b"\x80\x02", "truncated"),
    "string past the end": (b"\x80\x02U\x09abc", "truncated"),
    "long string past the end": (b"\x80\x02T\xff\xff\xff\x7fabc", "truncated"),
    "negative length": (b"\x80\x02T\xff\xff\xff\xffabc.", "truncated"),
    "eight-byte length": (b"\x80\x04\x8e" + b"\xff" * 8 + b"abc.", "truncated"),
    "length cut off": (b"\x80\x02T\x01", "truncated"),
    "global cut off": (b"\x80\x02cnumpy\ndty", "truncated"),
    "frame past the end": (b"\x80\x04\x95" + b"\xff" * 7 + b"\x0f}.", "damaged pickle"),
    "empty stack": (b"\x80\x02.", "damaged pickle"),
    "pop from nothing": (b"\x80\x02}s.", "damaged pickle"),
    "unknown memo": (b"\x80\x02h\x07.", "damaged pickle"),
    "future protocol": (b"\x80\x63}.", "damaged pickle"),
    "list as key": (b"\x80\x02}]Ns.", "unhashable"),
    "attributes of a stand-in": (b"\x80\x02cnumpy\ndtype\n}U\x01xK\x01sb.", "damaged pickle"),
    "call of a stand-in without arguments": (b"\x80\x02cnumpy\ndtype\n)R.", "damaged pickle"),
    "call of a string": (b"\x80\x02U\x01x)R.", "damaged pickle"),
    "global from bytes": (b"\x80\x04U\x05numpyU\x05dtype\x93.", "damaged pickle"),
    "list": (b"\x80\x02].", "expected a pickled dictionary, found list"),
    "stand-in": (b"\x80\x02cnumpy\ndtype\n.", "expected a pickled dictionary"),
    "array without contents": (in_dictionary(EMPTY_ARRAY), "array without contents"),
    "short state": (in_dictionary(EMPTY_ARRAY + b"K\x01K\x02\x86b"), "damaged pickle"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged(what):
    data, words = DAMAGED[what]
    with pytest.raises(CorruptDataError) as caught:
        loads(data, "a/test_batch")
    assert str(caught.value).startswith("a/test_batch: ") and words in str(caught.value)


@pytest.mark.parametrize("data", [b"<html></html>", b"\x1f\x8b\x08\x00", b"\x89PNG\r\n", bytes(100), b"PK\x03\x04"])
def test_not_a_pickle(data):
    with pytest.raises(CorruptDataError, match=r"^a/test_batch: "):
        loads(data, "a/test_batch")


def test_every_truncation_is_noticed():
    data = python2_pickle({b"data": IMAGES[:1, :40], b"labels": [1]})
    for end in range(len(data)):
        with pytest.raises(CorruptDataError, match=r"^file: truncated pickle"):
            loads(data[:end], "file")


def test_random_damage_never_escapes():
    """Any byte changed: either it loads (a pixel), or the error names the file."""
    data, generator = python2_pickle({b"data": IMAGES[:1, :40], b"labels": [1, 2]}), np.random.default_rng(0)
    for _ in range(3000):
        damaged = bytearray(data)
        damaged[generator.integers(len(data))] = generator.integers(256)
        try:
            assert type(loads(bytes(damaged), "file")) is dict
        except CorruptDataError as error:
            assert str(error).startswith("file: ")


def test_a_file_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MAXIMUM_BYTES", 100)
    with pytest.raises(ForbiddenPickleError, match="no CIFAR file is larger than 100"):
        loads(python2_pickle(CONTENT), "file")


@pytest.mark.parametrize(
    "put",
    [
        lambda level: b"q" + bytes([level]),
        lambda level: b"\x94",
        lambda level: b"r" + struct.pack("<I", level),
        lambda level: b"Nbq" + bytes([level]),  # an empty BUILD between the tuple and its PUT
        lambda level: b"(eq" + bytes([level]),  # an empty APPENDS
    ],
    ids=["BINPUT", "MEMOIZE", "LONG_BINPUT", "BUILD", "APPENDS"],
)
def test_a_tuple_that_takes_forever_to_hash(put):
    """t1 = (t0, t0), t2 = (t1, t1), ... as the key of a dictionary: hashing t40 would visit 2**40 tuples."""
    opcodes = b")\x85"
    for level in range(40):
        opcodes += put(level) + b"h" + bytes([level]) + b"\x86"
    with pytest.raises(ForbiddenPickleError, match=r"file: .*tuple fetched"):
        loads(b"\x80\x04}" + opcodes + b"Ns.", "file")


def test_a_dtype_that_takes_forever_to_print():
    """l1 = [l0, l0], l2 = [l1, l1], ...: the text of l40 would fill the memory."""
    opcodes = b"]q\x00"
    for level in range(40):
        opcodes += b"]q" + bytes([level + 1]) + b"(" + 2 * (b"h" + bytes([level])) + b"e"
    with pytest.raises(ForbiddenPickleError, match="an array of dtype list"):
        loads(b"\x80\x02" + opcodes + b"cnumpy\ndtype\nh\x28\x85R.", "file")
