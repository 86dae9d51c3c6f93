"""PyTorch's files, both formats: what torch writes is read bit for bit, without torch."""

import argparse
import collections
import io
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minception.weights import WeightsError, read_weights

from .files import call, dictionary, integer, old_file, pickled, saved, storage, tensor, text, zip_file

SIX = np.arange(6, dtype=np.float32)


@pytest.fixture(params=["zip", "old"])
def old(request):
    return request.param == "old"


@pytest.fixture
def read(tmp_path):
    def read_bytes(data):
        (tmp_path / "weights").write_bytes(data)
        return read_weights(tmp_path / "weights")

    return read_bytes


def as_array(tensor):
    """The array that stands for a torch tensor: bfloat16 becomes float32."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def assert_same(got, expected):
    assert list(got) == list(expected)
    for name, tensor_ in expected.items():
        array = as_array(tensor_)
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape), name
        assert got[name].tobytes() == array.tobytes(), name
        assert not got[name].flags.writeable and got[name].flags.aligned


# ----------------------------------------------------------------------------------------- what torch writes

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
]


@st.composite
def tensors(draw):
    """Dictionaries of tensors, many of them views of each other's storages."""
    bases, found = [], {}
    for index in range(draw(st.integers(0, 6))):
        if not bases or draw(st.booleans()):
            shape = draw(st.lists(st.integers(0, 4), max_size=4))
            dtype = draw(st.sampled_from(DTYPES))
            seed = torch.Generator().manual_seed(draw(st.integers(0, 99)))
            bases.append((torch.randn(shape, generator=seed) * 100).to(dtype))
        value = draw(st.sampled_from(bases))
        for axis, extent in enumerate(value.shape):
            change = draw(st.sampled_from(["all", "part", "step", "one", "expand"]))
            if change == "part" and extent:
                value = value.narrow(axis, extent // 2, extent - extent // 2)
            elif change == "step":
                value = value[(slice(None),) * axis + (slice(None, None, 2),)]
            elif change == "expand" and extent:
                value = value.narrow(axis, 0, 1).expand([3 if i == axis else -1 for i in range(value.ndim)])
        value = value.permute(draw(st.permutations(range(value.ndim)))) if value.ndim else value
        if draw(st.booleans()) and value.is_floating_point():
            value = torch.nn.Parameter(value)
        found[f"layer{index}.weight"] = value
    return found


@given(tensors(), st.booleans())
def test_any_tensors_come_back(tmp_path_factory, values, old):
    path = tmp_path_factory.getbasetemp() / f"any{old}.pth"
    path.write_bytes(saved({"state_dict": values, "epoch": 3}, old))
    if values:
        assert_same(read_weights(path), values)
    else:
        with pytest.raises(WeightsError, match="holds no tensors but only 'state_dict', 'epoch'"):
            read_weights(path)


def test_a_models_state_dict(read, old):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    assert_same(read(saved(model.state_dict(), old)), model.state_dict())


def test_every_dtype_and_special_values(read, old):
    special = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-45, 3.4e38, -1.0])
    values = {str(dtype): special.to(dtype) for dtype in DTYPES[:4]}
    for dtype in DTYPES[4:-1]:
        values[str(dtype)] = torch.tensor([torch.iinfo(dtype).min, 0, torch.iinfo(dtype).max], dtype=dtype)
    assert_same(read(saved(values, old)), values)


def test_dtypes_without_a_storage_of_their_own(read, old):
    values = {str(dtype): torch.tensor([1, 2, 65535], dtype=dtype) for dtype in (torch.uint16, torch.uint32)}
    assert_same(read(saved(values, old)), values)


def test_dtypes_that_numpy_lacks_are_named(read):
    for dtype, words in ((torch.complex64, "complex64"), (torch.float8_e5m2, "float8_e5m2")):
        with pytest.raises(WeightsError, match=f"holds a tensor of type {words}, which is not read"):
            read(saved({"x": torch.zeros(2, dtype=dtype)}))


def test_shared_storages_are_shared(read, old):
    base = torch.arange(12.0)
    got = read(saved({"all": base, "rows": base.view(3, 4), "tied": base, "part": base[5:7]}, old))
    assert all(np.shares_memory(got["all"], got[name]) for name in ("rows", "tied", "part"))


def test_parameters_with_attributes(read, old):
    parameter, buffer = torch.nn.Parameter(torch.ones(3)), torch.zeros(2)
    parameter.tag, buffer.tag = "x", "y"
    assert_same(read(saved({"a": parameter, "b": buffer}, old)), {"a": parameter, "b": buffer})


def test_a_tensor_with_its_sign_bit_set_is_refused(read):
    value = torch.imag(torch.ones(2, dtype=torch.complex64).conj())
    assert value.is_neg()
    with pytest.raises(WeightsError, match="sign or conjugate bit"):
        read(saved({"x": value}))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_protocols(tmp_path, protocol, old):
    values = {"weight": torch.randn(3, 4), "bias": torch.zeros(300)}
    options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": not old}
    torch.save({"state_dict": values, "lr": 0.1, "names": ["a"] * 5, "raw": b"\xff"}, tmp_path / "w", **options)
    assert_same(read_weights(tmp_path / "w"), values)


def test_many_tensors(read, old):
    values = {f"layer{index}.weight": torch.full((2,), float(index)) for index in range(3000)}
    assert_same(read(saved(values, old)), values)


def test_checksums_that_were_not_computed(read):
    torch.serialization.set_crc32_options(False)
    try:
        data = saved({"x": torch.ones(2)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same(read(data), {"x": torch.ones(2)})


def test_torch_is_not_imported(tmp_path, old):
    (tmp_path / "w.pth").write_bytes(saved({"x": torch.ones(2)}, old))
    program = (
        "import sys, minception.weights as w\n"
        "assert w.read_weights(sys.argv[1])['x'].tolist() == [1, 1]\n"
        "assert 'torch' not in sys.modules and 'pickle' not in w.pickles.__dict__"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "w.pth")], check=True)


# ----------------------------------------------------------------------------------------------------- nesting

WEIGHTS = {"conv.weight": torch.arange(4.0), "conv.bias": torch.ones(1)}


def optimizer_state():
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    return optimizer.state_dict()


BESIDE = {
    "epoch": 90,
    "arch": "googlenet",
    "best_acc1": torch.tensor(77.0),  # torchvision's own training script
    "loss": 0.1,
    "accuracy": np.float64(0.5),
    "note": None,
    "done": True,
    "args": argparse.Namespace(lr=0.1, nested=argparse.Namespace()),
    "optimizer": optimizer_state(),
    "scheduler": {"milestones": collections.Counter([30, 60]), "base_lrs": [0.1]},
    "history": collections.defaultdict(list, loss=[1.0]),
    "shape": torch.Size([3, 4]),
    "device": torch.device("cpu"),
    "rng_state": torch.ByteTensor([1, 2]),
    "seen": {1, 2},
    "permutation": np.arange(3),
}


@pytest.mark.parametrize(
    "nest",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights, **BESIDE},
        lambda weights: {**BESIDE, "model": weights},
        lambda weights: {"model_state_dict": weights, **BESIDE},
        lambda weights: {"model": {"state_dict": weights}, "epoch": 1},
        lambda weights: {"generator": weights, "epoch": 1},
        lambda weights: {"epoch": 1, "state_dict": {f"module.{name}": value for name, value in weights.items()}},
        lambda weights: {**weights, "epoch": 1, "_extra": None},
    ],
    ids=["flat", "state_dict", "model", "model_state_dict", "twice", "only entry", "DataParallel", "beside tensors"],
)
def test_nested_state_dicts(read, nest, old):
    value = nest(WEIGHTS)
    assert_same(read(saved(value, old)), WEIGHTS)


@pytest.mark.parametrize(
    "value, words",
    [
        (torch.ones(3), "holds a single tensor, not a state_dict"),
        ([torch.ones(3)], "holds a list, not a state_dict"),
        ({}, "holds no tensors but nothing"),
        ({"epoch": 3, "optimizer": optimizer_state()}, "holds no tensors but only 'epoch', 'optimizer'"),
        ({"generator": WEIGHTS, "critic": WEIGHTS}, "holds several state_dicts, 'generator', 'critic'; save one"),
        ({3: torch.ones(1)}, "under names that are no text, as 3"),
        ({"args": argparse.Namespace()}, "holds no tensors but only 'args'"),
        (argparse.Namespace(), "holds a single object"),
        (torch.nn.Linear(1, 1), r"it asks for torch\.nn\.modules\.linear\.Linear.*save `model\.state_dict\(\)`"),
    ],
)
def test_what_holds_no_state_dict(read, value, words, old):
    with pytest.raises(WeightsError, match=words):
        read(saved(value, old))


def test_only_a_prefix_of_all_names_is_removed(read):
    values = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert_same(read(saved(values)), values)


# ------------------------------------------------------------------------------------- what torch used to write


def test_a_pickle_of_python_2(read):
    """OrderedDict from a list of pairs, byte strings for text, a view of a storage, _rebuild_tensor."""

    def short(string):
        return b"U" + bytes([len(string)]) + string

    view = storage("7", 6, view=("8", 2, 4))
    old_tensor = call("torch._utils._rebuild_tensor", view, integer(1), b"K\x03\x85", b"K\x01\x85")
    parameter = call("torch._utils._rebuild_parameter", old_tensor, b"\x88", call("collections.OrderedDict"))
    pairs = b"](](" + short(b"a") + old_tensor + b"e](" + short(b"b") + parameter + b"ee"
    value = call("collections.OrderedDict", pairs) + b"}" + short(b"_metadata") + b"}sb"
    got = read(old_file(pickled(value), {"7": (6, SIX.tobytes())}))
    assert list(got) == ["a", "b"]
    assert got["a"].tolist() == got["b"].tolist() == [3, 4, 5]


def test_numpy_numbers_of_python_2(read):
    """Raw bytes that are no text stand beside the weights."""
    number = call("numpy.core.multiarray.scalar", call("numpy.dtype", text("f8")), b"U\x08" + struct.pack("<d", -0.1))
    got = read(old_file(pickled(dictionary(accuracy=number, weight=tensor())), {"0": (6, SIX.tobytes())}))
    assert list(got) == ["weight"]


@pytest.mark.parametrize("byte_order", ["little", "big", None])
def test_byte_orders_and_folder_names(read, byte_order):
    numbers = SIX.astype(">f4" if byte_order == "big" else "<f4")
    more = {"byteorder": byte_order} if byte_order else {}
    data = zip_file(pickled(dictionary(x=tensor())), {"0": numbers.tobytes()}, "my model.v2", **more, version="3\n")
    np.testing.assert_array_equal(read(data)["x"], SIX.reshape(2, 3))
    assert read(data)["x"].dtype == np.float32


def test_an_unknown_byte_order_is_refused(read):
    data = zip_file(pickled(dictionary(x=tensor())), {"0": SIX.tobytes()}, byteorder="middle")
    with pytest.raises(WeightsError, match="unknown byte order b'middle'"):
        read(data)


def test_a_reader_of_torchs_pickles_agrees_with_torch(read):
    """The files made by hand here are true ones."""
    data = zip_file(pickled(dictionary(x=tensor())), {"0": SIX.tobytes()}, version="3\n")
    np.testing.assert_array_equal(torch.load(io.BytesIO(data), weights_only=True)["x"].numpy(), SIX.reshape(2, 3))
    data = old_file(pickled(dictionary(x=tensor(storage(view=())))), {"0": (6, SIX.tobytes())})
    np.testing.assert_array_equal(torch.load(io.BytesIO(data), weights_only=True)["x"].numpy(), SIX.reshape(2, 3))


def test_other_archives_and_pickles(read, tmp_path):
    with pytest.raises(WeightsError, match="a TorchScript archive"):
        read(zip_file(pickled(b"}"), {}, **{"constants.pkl": pickled(b")"), "code/__torch__.py": "class Net: ..."}))
    with pytest.raises(WeightsError, match=r"a Python pickle, but not one of torch\.save"):
        read(pickle.dumps({"weight": SIX}))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(WeightsError, match=r"neither PyTorch's \(no member data\.pkl\) nor Keras's"):
        read_weights(tmp_path / "x.npz")
