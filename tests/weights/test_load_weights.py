"""Loading files into models: what published files do differently, and errors that list everything."""

import re
import sys
import types
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

import minception as mc
from minception import checkpoint, models, nn
from minception.nn.state import IncompatibleKeys
from minception.weights import WeightsError, load_weights, save_weights

from .files import Small, saved


@pytest.fixture
def path(tmp_path):
    return tmp_path / "published.pth"


def filled(model, seed=0):
    """`model` with random values everywhere."""
    rng = np.random.default_rng(seed)
    values = {name: rng.random(array.shape).astype(array.dtype) for name, array in model.state_dict().items()}
    model.load_state_dict(values)
    return model


def as_torch(model_or_values):
    values = model_or_values.state_dict() if isinstance(model_or_values, nn.Module) else model_or_values
    return {name: torch.from_numpy(np.array(array)) for name, array in values.items()}


def assert_equal(model, values):
    state = model.state_dict()
    assert state.keys() == values.keys()
    for name in state:
        np.testing.assert_array_equal(state[name], np.asarray(values[name]), err_msg=name)


def problems(path, model, **options):
    """The message with which loading fails; the model is as before."""
    before = model.state_dict()
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path, **options)
    assert_equal(model, before)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


# ------------------------------------------------------------------------------------------------- formats

FORMATS = {
    "torch": lambda model, path: path.write_bytes(saved(as_torch(model))),
    "old torch": lambda model, path: path.write_bytes(saved({"state_dict": as_torch(model), "epoch": 1}, old=True)),
    "safetensors": lambda model, path: safetensors.torch.save_file(as_torch(model), path),
    "ours": save_weights,
    "checkpoint": lambda model, path: checkpoint.save(path, {"model": model.state_dict(), "epoch": 1}),
}


@pytest.mark.parametrize("network", [models.mini_inception, models.mini_xception])
@pytest.mark.parametrize("format_", FORMATS)
def test_every_format(path, network, format_):
    model, other = filled(network()), network()
    FORMATS[format_](model, path)
    assert load_weights(other, path) == IncompatibleKeys([], [])
    assert_equal(other, model.state_dict())
    path.unlink()  # nothing of the file is needed any more
    assert_equal(other, model.state_dict())


def test_other_dtypes_are_converted(path):
    model = filled(Small())
    path.write_bytes(saved({name: value.double() for name, value in as_torch(model).items()}))
    other = Small()
    load_weights(other, path)
    assert_equal(other, model.state_dict())
    assert other.fc.weight.dtype == np.float32
    half = {name: value.half() if value.is_floating_point() else value for name, value in as_torch(model).items()}
    path.write_bytes(saved(half))
    load_weights(other.double(), path)
    np.testing.assert_array_equal(other.state_dict()["conv.weight"], half["conv.weight"].double().numpy())
    assert other.fc.weight.dtype == np.float64


def test_the_package_exports_it():
    assert mc.load_weights is load_weights and mc.save_weights is save_weights


@pytest.mark.parametrize("head", [None, "new"])
def test_keras_files_are_left_to_their_reader(tmp_path, monkeypatch, head):
    model, calls = filled(Small()), []
    module = types.ModuleType("minception.weights.keras")
    module.read_keras = lambda *arguments: calls.append(arguments) or model.state_dict()
    monkeypatch.setitem(sys.modules, "minception.weights.keras", module)
    monkeypatch.setattr(sys.modules["minception.weights"], "keras", module, raising=False)
    (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        for member in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(member, "{}")
    for name in ("w.h5", "w.keras"):
        other = Small()
        load_weights(other, tmp_path / name, head=head)
        np.testing.assert_array_equal(other.conv.weight.numpy(), model.conv.weight.numpy())
        assert calls.pop() == (tmp_path / name, other, head is None)


# ---------------------------------------------------------------------------------- published variations


def test_without_num_batches_tracked(path):
    model, other = filled(Small()), Small()
    values = {name: value for name, value in as_torch(model).items() if "num_batches" not in name}
    path.write_bytes(saved(values))
    assert load_weights(other, path) == IncompatibleKeys([], [])
    assert_equal(other, model.state_dict() | {name: 0 for name in model.state_dict() if name not in values})


def test_num_batches_tracked_with_an_axis(path):
    model, other = Small(), Small()
    path.write_bytes(saved(as_torch(model) | {"bn.num_batches_tracked": torch.tensor([7])}))
    load_weights(other, path)
    assert int(other.bn.num_batches_tracked) == 7


@pytest.mark.parametrize("format_", ["torch", "safetensors"])
def test_names_of_data_parallel(path, format_):
    model, other = filled(Small()), Small()
    values = {f"module.{name}": value for name, value in as_torch(model).items()}
    path.write_bytes(saved(values) if format_ == "torch" else safetensors.torch.save(values))
    load_weights(other, path)
    assert_equal(other, model.state_dict())


def test_a_model_with_a_child_of_that_name(path):
    model = nn.Sequential()
    model.add_module("module", filled(Small()))
    path.write_bytes(saved(as_torch(model)))
    other = nn.Sequential()
    other.add_module("module", Small())
    load_weights(other, path)
    assert_equal(other, model.state_dict())


@pytest.mark.parametrize("head", ["fc", "last_linear", "classif", "logits", "classifier"])
@pytest.mark.parametrize("old", ["fc", "last_linear", "classif", "logits", "classifier", "head.fc"])
def test_other_names_of_the_last_layer(path, head, old):
    model, other = filled(Small(name=head)), Small(name=head)
    values = as_torch(model)
    for kind in ("weight", "bias"):
        values[f"{old}.{kind}"] = values.pop(f"{head}.{kind}")
    path.write_bytes(saved(values))
    load_weights(other, path)
    assert_equal(other, model.state_dict())


def test_a_layer_of_such_a_name_inside_the_model_is_not_taken(path):
    """Inception-ResNet v1 has a `last_linear` before its `logits`."""

    class Faces(Small):
        def __init__(self, classes=5):
            super().__init__(6, name="last_linear")
            self.logits = nn.Linear(6, classes)

    model = filled(Faces())
    values = as_torch(model)
    del values["logits.weight"], values["logits.bias"]
    path.write_bytes(saved(values))
    message = problems(path, Faces())
    assert "missing in the file (2):\n\t\tlogits.weight\n\t\tlogits.bias" in message and "unexpected" not in message
    assert 'the file has no last layer: load it with head="new", which leaves logits of the model as it is' in message
    other = Faces()
    assert load_weights(other, path, head="new").missing_keys == ["logits.weight", "logits.bias"]
    np.testing.assert_array_equal(other.last_linear.weight.numpy(), model.last_linear.weight.numpy())


def test_1001_classes(path):
    model = filled(Small(1001, heads=1))
    path.write_bytes(saved(as_torch(model)))
    other = Small(1000, heads=1)
    load_weights(other, path)
    expected = model.state_dict()
    for name in ("fc.weight", "fc.bias", "aux1.2.weight", "aux1.2.bias"):
        expected[name] = expected[name][1:]
    assert_equal(other, expected)
    whole = Small(1001, heads=1)
    load_weights(whole, path)
    assert_equal(whole, model.state_dict())
    assert "the file is for 1001 classes, the model for 999" in problems(path, Small(999, heads=1))


def test_batch_norm_with_two_axes(path):
    model, other = filled(Small()), Small()
    values = as_torch(model)
    for name, value in values.items():
        if "bn." in name and value.ndim:
            values[name] = value[None]
    path.write_bytes(saved(values))
    load_weights(other, path)
    assert_equal(other, model.state_dict())


def test_pointwise_and_linear_weights_in_each_others_shape(path):
    model, other = filled(Small()), Small()
    values = as_torch(model)
    values["pointwise.weight"] = values["pointwise.weight"][:, :, 0, 0]
    values["fc.weight"] = values["fc.weight"][:, :, None, None]
    path.write_bytes(saved(values))
    load_weights(other, path)
    assert_equal(other, model.state_dict())


def test_other_shapes_of_one_size_are_no_variation(path):
    """Neither transposed, nor with axes elsewhere."""
    model = Small(6)
    values = as_torch(model)
    values["bn.weight"] = values["bn.weight"][:, None]
    values["pointwise.bias"] = values["pointwise.bias"].view(2, 3)
    values["fc.bias"] = values["fc.bias"].view(1, 1, 6)
    values["conv.weight"] = values["conv.weight"].transpose(0, 1).contiguous()
    path.write_bytes(saved(values))
    message = problems(path, model)
    assert "of another shape (4)" in message
    for line in ("bn.weight is (8, 1), not (8,)", "conv.weight is (3, 8, 3, 3), not (8, 3, 3, 3)"):
        assert line in message


# --------------------------------------------------------------------------------------- auxiliary heads


def test_auxiliary_heads_that_the_model_was_built_without(path):
    model, other = filled(Small(heads=2)), Small()
    path.write_bytes(saved(as_torch(model)))
    ignored = load_weights(other, path).unexpected_keys
    assert ignored == [name for name in model.state_dict() if name.startswith("aux")]
    assert_equal(other, {name: value for name, value in model.state_dict().items() if name not in ignored})


def test_auxiliary_heads_that_the_file_lacks(path):
    path.write_bytes(saved(as_torch(Small())))
    message = problems(path, Small(heads=2))
    assert "missing in the file (8):\n\t\taux1.0.weight" in message
    assert "no auxiliary heads (aux1, aux2): build the model with aux_logits=False" in message
    assert "aux_logits=False" in problems(path, Small(heads=2), head="new")


def test_one_auxiliary_head_of_two(path):
    path.write_bytes(saved(as_torch(Small(heads=1))))
    message = problems(path, Small(heads=2))
    assert "missing in the file (4):\n\t\taux2.0.weight" in message and "aux_logits" not in message


# ------------------------------------------------------------------------------------------- a new head


@pytest.mark.parametrize("classes", [3, 5])
def test_a_new_head(path, classes):
    model, other = filled(Small(heads=1)), filled(Small(classes, heads=1), seed=1)
    fresh = other.state_dict()
    path.write_bytes(saved(as_torch(model)))
    heads = ["aux1.2.weight", "aux1.2.bias", "fc.weight", "fc.bias"]
    if classes != 5:
        message = problems(path, other)
        assert "the file is for 5 classes, the model for 3: build the model with num_classes=5, or" in message
        assert 'load with head="new", which leaves fc, aux1.2 of the model as it is' in message
        for line in ("fc.weight is (5, 6), not (3, 6)", "aux1.2.bias is (5,), not (3,)"):
            assert line in message
    assert load_weights(other, path, head="new") == IncompatibleKeys(heads, heads)
    assert_equal(other, {name: fresh[name] if name in heads else value for name, value in model.state_dict().items()})


def test_a_new_head_instead_of_one_of_another_name(path):
    model, other = filled(Small()), Small(3, name="last_linear")
    path.write_bytes(saved(as_torch(model)))
    load_weights(other, path, head="new")
    np.testing.assert_array_equal(other.last_bn.weight.numpy(), model.last_bn.weight.numpy())


# ------------------------------------------------------------------------------------------------ errors


def test_everything_that_is_wrong_is_listed(path):
    values = as_torch(Small())
    del values["bn.weight"], values["bn.num_batches_tracked"], values["conv.weight"]
    values |= {"stem.weight": torch.ones(1), "attention": torch.ones(2), "pointwise.bias": torch.ones(7)}
    path.write_bytes(saved(values))
    assert problems(path, Small()) == (
        f"{path}: does not fit the model Small:\n"
        "\tmissing in the file (2):\n\t\tconv.weight\n\t\tbn.weight\n"
        "\tunexpected in the file (2):\n\t\tattention\n\t\tstem.weight\n"
        "\tof another shape (1):\n\t\tpointwise.bias is (7,), not (6,)"
    )


def test_long_lists_are_shortened(path):
    save_weights(models.mini_inception(), path)
    message = problems(path, models.mini_xception())
    assert re.search(r"missing in the file \((\d+)\):(\n\t\t.*){20}\n\t\t\.\.\. and \d+ more\n", message)
    assert message.count("\n") < 60
    count = int(re.search(r"missing in the file \((\d+)\)", message)[1])
    assert f"... and {count - 20} more" in message


def test_a_model_without_a_classifier(path):
    model, other = filled(nn.Sequential(nn.Conv2d(3, 4, 3))), nn.Sequential(nn.Conv2d(3, 4, 3))
    path.write_bytes(saved(as_torch(model)))
    load_weights(other, path)
    assert_equal(other, model.state_dict())


def test_unreadable_files_leave_the_model_alone(path):
    path.write_bytes(saved(as_torch(Small()))[:-30])
    assert "damaged or truncated zip archive" in problems(path, Small())
    assert "no such file" in problems(path.with_name("absent"), Small())


def test_damaged_weights_leave_the_model_alone(path):
    data = bytearray(saved(as_torch(filled(Small()))))
    place = bytes(data).index(filled(Small()).state_dict()["fc.bias"].tobytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert "does not match its checksum" in problems(path, Small())


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: load_weights(3, "x"), TypeError, "load_weights: model must be a Module, got int"),
        (lambda: load_weights(Small(), 3), TypeError, "load_weights: path must be a str or Path, got int"),
        (lambda: load_weights(Small(), "x", head="old"), ValueError, 'load_weights: head must be None or "new", got'),
        (lambda: save_weights("x", Small()), TypeError, "save_weights: model must be a Module, got str"),
    ],
)
def test_wrong_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()


# ------------------------------------------------------------------------------------------------ saving


def test_torch_loads_what_is_saved(path):
    model = filled(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)))
    save_weights(model, path)
    twin = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    twin.load_state_dict(safetensors.torch.load_file(path))
    for name, value in twin.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), model.state_dict()[name])


def test_saving_replaces_the_file_in_one_step(path, monkeypatch):
    model = filled(Small())
    save_weights(model, path)
    before = path.read_bytes()
    monkeypatch.setattr(checkpoint.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        save_weights(filled(model, seed=1), path)
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]
