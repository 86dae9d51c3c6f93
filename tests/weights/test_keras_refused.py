"""Keras files of other models, hostile ones and damaged ones: an error that names the file."""

import sys
import zipfile

import h5py
import numpy as np
import pytest

from minception import models
from minception.weights import WeightsError
from minception.weights.keras import read_keras
from tests.weights.keras_files import write_zip
from tests.weights.keras_models import assert_same, keras3, legacy, small, written

WRONG_OPTIONS = [
    ("xception", {"eps": 1e-5}),
    ("xception", {"same_pooling": False}),
    ("xception", {"between": "relu"}),
    ("xception", {"order": "pointwise_first"}),
    ("xception", {"residual": False}),
    ("inception_v3", {"count_include_pad": True}),
    ("inception_v3", {"aux_logits": True}),
    ("inception_v3", {"transform_input": True}),
    ("inception_resnet_v2", {"blocks": (5, 10, 5)}),
    ("inception_resnet_v2", {"blocks": (11, 20, 10)}),
    ("inception_resnet_v2", {"scales": (0.17, 0.10, 0.10)}),
    ("inception_resnet_v2", {"stem": "inception_v4"}),
]
RECIPES = {
    "inception_resnet_v2": r"need inception_resnet_v2\(\)",
    "inception_v3": r"need inception_v3\(aux_logits=False, count_include_pad=False\)",
    "xception": r"need xception\(eps=0.001, same_pooling=True\)",
}


@pytest.mark.parametrize(("network", "options"), WRONG_OPTIONS)
def test_other_options_are_refused(network, options, tmp_path):
    with pytest.raises(WeightsError, match=RECIPES[network]):
        read_keras(tmp_path / "weights.h5", small(network, **options))


def test_other_models_are_refused(tmp_path):
    expected = "Keras has weights of inception_resnet_v2, inception_v3, xception, the model is MiniXception"
    with pytest.raises(WeightsError, match=expected):
        read_keras(tmp_path / "weights.h5", models.mini_xception())


@pytest.mark.parametrize(
    ("network", "other", "words"),
    [
        ("xception", "inception_v3", ["block1_conv1", "unexpected conv2d_5,"]),
        ("inception_v3", "xception", ["missing 90 of 94 layers conv2d_N", "unexpected block10_sepconv1,"]),
        ("inception_v3", "inception_resnet_v2", ["unexpected conv2d_95,"]),
        ("inception_resnet_v2", "inception_v3", ["missing 109 of 203 layers conv2d_N", "block35_1_conv"]),
    ],
)
def test_other_networks_are_refused(network, other, words, tmp_path):
    model = small(network)
    legacy(tmp_path / "weights.h5", other, small(other))
    with pytest.raises(WeightsError) as caught:
        read_keras(tmp_path / "weights.h5", model)
    for word in [str(tmp_path / "weights.h5"), f"does not hold Keras's {network}", *words]:
        assert word in str(caught.value)
    keras3(tmp_path / "weights.h5", other, small(other), named=False)
    with pytest.raises(WeightsError, match=f"does not hold Keras's {network}: .*(missing|unexpected)"):
        read_keras(tmp_path / "weights.h5", model)


def test_another_width_is_refused(tmp_path):
    legacy(tmp_path / "weights.h5", "inception_v3", small("inception_v3", width=0.1))
    with pytest.raises(WeightsError, match=r"conv2d_\d+/conv2d_\d+/kernel:0 has shape \(.*\), expected \(.*\)"):
        read_keras(tmp_path / "weights.h5", small("inception_v3"))


@pytest.fixture
def narrow():
    return small("xception")


def replace_by(name, make):
    """An edit that puts `make(group, key)` in the place of the array `name`."""

    def edit(file):
        group, _, key = name.rpartition("/")
        del file[name]
        make(file[group], key)

    return edit


def virtual(group, key):
    layout = h5py.VirtualLayout((3, 3, 3, 8), np.float32)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (3, 3, 3, 8))
    group.create_virtual_dataset(key, layout)


def link(name, target):
    def edit(file):
        if name in file:
            del file[name]
        file[name] = target

    return edit


KERNEL, SHAPE = "block1_conv1/block1_conv1/kernel:0", (3, 3, 3, 8)
HEAD = "predictions/predictions/kernel:0"
HOSTILE = {
    "external link to a layer": (link("block1_conv1", h5py.ExternalLink("other.h5", "/")), "is a link to elsewhere"),
    "soft link to a layer": (link("block1_conv1", h5py.SoftLink("/block1_conv2")), "is a link to elsewhere"),
    "external link to an array": (link(KERNEL, h5py.ExternalLink("other.h5", "/x")), "is a link to elsewhere"),
    "external dataset": (
        replace_by(KERNEL, lambda g, k: g.create_dataset(k, SHAPE, "f4", external=[("/etc/passwd", 0, 864)])),
        "refers to another file",
    ),
    "virtual dataset": (replace_by(KERNEL, virtual), "refers to another file"),
    "objects": (
        replace_by(KERNEL, lambda g, k: g.create_dataset(k, SHAPE, h5py.vlen_dtype(np.float32))),
        "not floating-point numbers",
    ),
    "strings": (
        replace_by(KERNEL, lambda g, k: g.create_dataset(k, SHAPE, h5py.string_dtype())),
        "not floating-point numbers",
    ),
    "records": (
        replace_by(KERNEL, lambda g, k: g.create_dataset(k, SHAPE, [("a", "f4"), ("b", "f4")])),
        "not floating-point numbers",
    ),
    "integers": (replace_by(KERNEL, lambda g, k: g.create_dataset(k, SHAPE, "i4")), "int32, not floating-point"),
    "huge": (
        replace_by(KERNEL, lambda g, k: g.create_dataset(k, (1 << 20,) * 3 + (8,), "f4", chunks=(16,) * 3 + (8,))),
        r"has shape \(1048576, 1048576, 1048576, 8\), expected \(3, 3, 3, 8\)",
    ),
    "huge head": (
        replace_by(HEAD, lambda g, k: g.create_dataset(k, (104, 1 << 40), "f4", chunks=(8, 1024))),
        "takes 457,396,837,154,816 bytes, more than",
    ),
    "huge chunks": (
        replace_by(
            KERNEL,
            lambda g, k: g.create_dataset(
                k, SHAPE, "f4", data=np.zeros(SHAPE), maxshape=(None,) * 4, chunks=(64, 64, 64, 64), compression="gzip"
            ),
        ),
        "stored in chunks of shape",
    ),
    "never written": (replace_by(KERNEL, lambda g, k: g.create_dataset(k, SHAPE, "f4")), "has no numbers"),
    "an empty array": (replace_by(KERNEL, lambda g, k: g.create_dataset(k, data=h5py.Empty("f4"))), "is no array"),
    "a group for an array": (replace_by(KERNEL, lambda g, k: g.create_group(k)), "missing block1_conv1;"),
    "no array": (replace_by(KERNEL, lambda g, k: None), "missing block1_conv1; unexpected nothing"),
    "an array for a layer": (link("block1_conv1", np.zeros(3)), "block1_conv1 is no group"),
    "no layer": (lambda file: file.pop("block1_conv1"), "missing block1_conv1; unexpected nothing"),
    "a layer within itself": (lambda file: link("block1_conv1/x", file["block1_conv1"])(file), "in the file twice"),
    "a layer twice": (lambda file: link("conv2d_9", file["conv2d_1"])(file), "stands in the file twice"),
    "a name twice": (
        lambda file: [file.copy("conv2d_1", "model/conv2d_1"), file.copy("conv2d_1", "model/x/conv2d_1")],
        "has 3 layers called conv2d_1",
    ),
    "one layer more": (lambda file: file.copy("conv2d_1", "conv2d_9"), "missing nothing; unexpected conv2d_9"),
    "a name like a command": (link("\x1b[2J/kernel", np.zeros(3)), r"unexpected \?\[2J$"),
    "arrays without a meaning": (
        lambda file: file["block1_conv1_bn/block1_conv1_bn"].move("beta:0", "alpha:0"),
        "missing block1_conv1_bn; unexpected block1_conv1_bn",
    ),
    "a batch norm without offset": (
        lambda file: file.pop("block1_conv1_bn/block1_conv1_bn/beta:0"),
        "missing block1_conv1_bn; unexpected block1_conv1_bn",
    ),
    "a bias that should not be": (link("conv2d_1/conv2d_1/bias:0", np.zeros(8)), "holds 2 arrays, expected 1"),
    "written by Theano": (lambda file: file.attrs.update(backend=b"theano"), "Theano, whose kernels are flipped"),
    "no Keras file": (lambda file: file.attrs.pop("layer_names"), "none that Keras wrote"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_legacy_files(case, narrow, tmp_path):
    edit, words = HOSTILE[case]
    path = tmp_path / "weights.h5"
    path.write_bytes(written(legacy))
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(WeightsError, match=words) as caught:
        read_keras(path, narrow)
    assert str(caught.value).startswith(f"{path}: ")


def test_attributes_are_not_read(narrow, tmp_path):
    """HDF5 can hang on the text of a damaged attribute."""
    arrays = legacy(tmp_path / "weights.h5", "xception", narrow)
    with h5py.File(tmp_path / "weights.h5", "r+") as file:
        file.attrs["layer_names"] = np.arange(4)
        file["block1_conv1"].attrs["weight_names"] = [b"../elsewhere"]
    assert_same(read_keras(tmp_path / "weights.h5", narrow), arrays)


ELSEWHERE, TWICE = h5py.ExternalLink("other.h5", "/"), "stands in the file twice"
HOSTILE_KERAS_3 = {
    "external link to all": (link("layers", ELSEWHERE), "is a link to elsewhere"),
    "external link to variables": (link("layers/conv2d/vars", ELSEWHERE), "is a link to elsewhere"),
    "external link to an array": (link("layers/conv2d/vars/0", ELSEWHERE), "is a link to elsewhere"),
    "a layer within itself": (lambda file: link("layers/conv2d/layers", file["layers"])(file), TWICE),
    "all variables in one": (lambda file: link("layers/conv2d_1/vars", file["layers/conv2d/vars"])(file), TWICE),
    "arrays with a gap": (lambda file: file["layers/conv2d/vars"].move("0", "1"), "there is no '0'"),
}


@pytest.mark.parametrize("case", HOSTILE_KERAS_3)
def test_hostile_keras_3_files(case, narrow, tmp_path):
    edit, words = HOSTILE_KERAS_3[case]
    path = tmp_path / "weights.h5"
    path.write_bytes(written(keras3))
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(WeightsError, match=words):
        read_keras(path, narrow)
    write_zip(tmp_path / "model.keras", path.read_bytes())
    with pytest.raises(WeightsError, match=words):
        read_keras(tmp_path / "model.keras", narrow)


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_truncated_files(form, narrow, tmp_path):
    path = tmp_path / f"weights.{form}"
    content = written(keras3)
    if form == "keras":
        write_zip(path, content)
        content = path.read_bytes()
    for length in [0, 1, 7, 8, 50, 1000, *range(5000, len(content), len(content) // 10), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"empty file|not a Keras file|damaged or truncated"):
            read_keras(path, narrow)


def test_zip_files(narrow, tmp_path):
    path = tmp_path / "model.keras"
    arrays = keras3(tmp_path / "plain.h5", "xception", narrow)
    weights = (tmp_path / "plain.h5").read_bytes()

    # Nothing but the weights is looked at, so that a model's code cannot run.
    write_zip(path, weights, config='{"class_name": "Lambda", "config": {"function": "not even JSON')
    assert_same(read_keras(path, narrow), arrays)

    content = bytearray(path.read_bytes())
    content[content.index(weights[:64]) + len(weights) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged or truncated: Bad CRC-32"):
        read_keras(path, narrow)

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(200_000_000))
    with pytest.raises(WeightsError, match=r"takes 200,000,000 bytes, more than this network's could"):
        read_keras(path, narrow)

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(WeightsError, match=r"a zip without model\.weights\.h5"):
        read_keras(path, narrow)


def test_what_is_no_file(narrow, tmp_path):
    with pytest.raises(WeightsError, match=r"none\.h5: no such file"):
        read_keras(tmp_path / "none.h5", narrow)
    with pytest.raises(WeightsError, match="not a regular file"):
        read_keras(tmp_path, narrow)
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    with pytest.raises(WeightsError, match="not a Keras file: neither HDF5 nor a zip"):
        read_keras(tmp_path / "text.h5", narrow)


def test_without_h5py(narrow, tmp_path, monkeypatch):
    (tmp_path / "weights.h5").write_bytes(written(keras3))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match=r"needs h5py: pip install 'minception\[keras\]'"):
        read_keras(tmp_path / "weights.h5", narrow)
