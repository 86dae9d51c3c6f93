"""The commands on a device: training equals that on the CPU, goes on there, and says what is wrong."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

import minception as mc
from minception import checkpoint, nn
from minception.cli import main
from minception.train import datasets
from minception.train.build import build_state
from minception.train.config import TrainConfig
from minception.train.errors import NonFiniteError
from minception.train.loop import train_step
from tests.kept_settings import settings_kept
from tests.train import tiny

from . import stand_in

QUICK = [
    *("--model", "tiny", "--data", "synthetic", "--limit-train", "40", "--limit-test", "20", "--schedule", "constant"),
    *("--batch-size", "16", "--threads", "1", "--lr", "0.05", "--no-progress"),
]  # 3 steps an epoch, the last of 8 images

pytestmark = pytest.mark.usefixtures("cupy")


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr("minception.models.registry._ENTRIES", dict(tiny.models.registry._ENTRIES))
    tiny.register()
    monkeypatch.setattr("minception.train.plots.curves", lambda history: b"no picture")


@pytest.fixture
def minception(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("name", ["mini_inception", "mini_xception"])
def test_steps_equal_those_on_the_cpu(name, optimizer):
    """In float64, so that what a step rounds differently is still small after some of them."""
    images = np.random.default_rng(4).standard_normal((3, 4, 3, 12, 12))
    labels = np.random.default_rng(5).integers(0, 3, (3, 4))
    states = []
    for device in ("cpu", "cuda:1"):
        config = TrainConfig(
            model=name, optimizer=optimizer, schedule="constant", clip_grad_norm=0.5, device=device, lr=0.01,
            batch_size=4,
        ).resolve(available_threads=1)  # fmt: skip
        state = build_state(config, num_classes=3, steps_per_epoch=3)
        state.model.double()
        for group in state.optimizer.param_groups:
            if "eps" in group:  # Adam divides a gradient by its size, and would make much of one that is rounding
                group["eps"] = 0.01
        for module in state.model.modules():
            if hasattr(module, "p"):
                module.p = 0.0  # dropout, whose masks may be drawn on the device
        with mc.use_kernels("reference" if device == "cpu" else "cuda"):
            losses = [train_step(state, *batch, config, 3) for batch in zip(images, labels, strict=True)]
        states.append((losses, state.state_dict()))
    (losses, state), (expected_losses, expected) = states[1], states[0]
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9)
    for array, (what, theirs) in zip(arrays_of(state), arrays_of(expected, named=True), strict=True):
        assert np.abs(array - theirs).max() <= 1e-8 * max(np.abs(theirs).max(), 1e-6), what


def arrays_of(state, named=False):
    """The arrays of a TrainingState's model and optimizer."""
    found = list(state["model"].items())
    for index, values in state["optimizer"]["state"].items():
        found += [(f"{index}.{name}", value) for name, value in values.items()]
    return found if named else [array for _, array in found]


@pytest.mark.parametrize("first, second", [("cuda", "cpu"), ("cpu", "cuda:1"), ("cuda:1", "auto")])
def test_a_run_goes_on_on_another_device(minception, tmp_path, capsys, monkeypatch, first, second):
    """A run that changes its device ends where one ends that stays on the CPU, to rounding.

    Rounding is 6e-8 of each number, and grows over six steps; a step that is missing or taken without momentum moves
    the weights by percents.
    """
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: x)  # masks may be drawn on the device
    assert minception("train", *QUICK, "--output", "run", "--epochs", 1, "--device", first) == 0
    began = json.loads((tmp_path / "run" / "config.json").read_text())
    assert minception("train", "--resume", "run", "--epochs", 2, "--device", second, "--no-progress") == 0
    ended = json.loads((tmp_path / "run" / "config.json").read_text())
    names = {"cuda": "cuda:0", "auto": "cuda:0"}
    for record, device in ((began, names.get(first, first)), (ended, names.get(second, second))):
        assert (record["config"]["device"], record["config"]["kernels"]) == (device, device.partition(":")[0])
        assert record["versions"].get("gpu") == (None if device == "cpu" else f"{device} (Stand-in {device[-1]})")
    err = capsys.readouterr().err
    assert err.count("With --device changed, the weights will differ in the last bits") == 1
    assert f"{names.get(first, first)}" in err
    assert minception("train", *QUICK, "--output", "other", "--epochs", 2, "--device", "cpu") == 0
    ours, theirs = (checkpoint.load_weights(tmp_path / name / "weights.safetensors") for name in ("run", "other"))
    for name, array in ours.items():
        np.testing.assert_allclose(array, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_evaluate_and_predict(minception, tmp_path, capsys):
    assert minception("train", *QUICK, "--output", "run", "--epochs", 1, "--device", "cpu") == 0
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / name)
    numbers, printed = {}, {}
    for device in ("cpu", "cuda:0", "cuda:1"):
        assert minception("evaluate", "run", "--limit-test", 20, "--device", device, "--output", device) == 0
        assert f"computed on {device}" in capsys.readouterr().out
        numbers[device] = json.loads((tmp_path / device / "evaluation.json").read_text())
        assert minception("predict", "a.png", "b.png", "--weights", "run", "--device", device, "--json") == 0
        printed[device] = json.loads(capsys.readouterr().out)
    for device in ("cuda:0", "cuda:1"):
        assert numbers[device]["confusion_matrix"] == numbers["cpu"]["confusion_matrix"]
        assert numbers[device]["loss"] == pytest.approx(numbers["cpu"]["loss"], rel=1e-5)
        for ours, theirs in zip(printed[device], printed["cpu"], strict=True):
            assert [c["name"] for c in ours["classes"]] == [c["name"] for c in theirs["classes"]]


def test_the_reference_kernels_run_on_the_device(minception, tmp_path):
    options = ["--epochs", 1, "--device", "cuda:1", "--kernels", "reference"]
    assert minception("train", *QUICK, "--output", "run", *options) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["kernels"] == "reference"


def test_kernels_of_another_device(minception, tmp_path, capsys):
    assert minception("train", *QUICK, "--output", "run", "--device", "cuda", "--kernels", "cpu") == 2
    assert "--kernels cpu: does not compute on --device cuda:0" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_resuming_where_the_gpu_is_gone(minception, monkeypatch, capsys):
    assert minception("train", *QUICK, "--output", "run", "--epochs", 1, "--device", "cuda:1") == 0
    monkeypatch.setitem(sys.modules, "cupy", stand_in.make_module(devices=1))
    assert minception("train", "--resume", "run", "--epochs", 2) == 2
    message = capsys.readouterr().err
    assert '--device cuda:1: there is only "cuda:0"; --device cpu computes without' in message
    assert minception("train", "--resume", "run", "--epochs", 2, "--device", "cpu", "--no-progress") == 0


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_out_of_memory_names_the_allocation_the_batch_and_what_to_try(minception, tmp_path, capsys, command):
    assert minception("train", *QUICK, "--output", "run", "--epochs", 1, "--device", "cuda") == 0
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "a.png")
    capsys.readouterr()
    stand_in.limit_memory(5000)  # the weights fit, the images do not
    arguments = {
        "train": ["--resume", "run", "--epochs", 2, "--no-progress"],
        "evaluate": ["run", "--batch-size", 16, "--limit-test", 20, "--device", "cuda"],
        "predict": ["a.png", "--weights", "run", "--batch-size", 16],
    }
    assert minception(command, *arguments[command]) == 1
    message = capsys.readouterr().err
    assert f"minception {command}: error: out of memory on cuda:0 with --batch-size 16: Out of memory allo" in message
    assert " bytes (allocated so far: " in message
    assert "What may help: --batch-size 8, or " in message and ", or --device cpu." in message
    if command == "train":
        assert "The last good checkpoint is kept in run/checkpoint.safetensors." in message


def test_a_loss_that_is_not_finite_is_traced_on_the_device(minception, capsys):
    assert minception("train", *QUICK, "--output", "run", "--epochs", 3, "--device", "cuda:1", "--lr", 1e25) == 1
    message = capsys.readouterr().err
    assert "at step" in message and ("is that of module" in message or "the gradient of" in message)


def test_the_data_stays_on_the_cpu():
    """Images are made and standardised in NumPy; a batch goes to the device when it is trained on."""
    data = datasets.select("synthetic", limit_train=4, limit_test=2)
    images, labels = next(iter(data.test_loader(2).epoch(0)))
    assert isinstance(images, np.ndarray) and isinstance(labels, np.ndarray)


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_precision(minception, tmp_path, capsys, precision):
    """A run in another precision learns as in float32; it goes on where it was stopped, with the scale of float16."""
    for name, options in (("full", ["float32"]), ("run", [precision])):
        arguments = ["--output", name, "--epochs", 1, "--device", "cuda", "--precision", *options]
        assert minception("train", *QUICK, *arguments) == 0
    full, other = (checkpoint.load(tmp_path / name / "checkpoint.safetensors") for name in ("full", "run"))
    assert full["scaler"] == {}
    assert (other["scaler"].get("_growth_tracker"), other["run"]["config"]["precision"]) == (
        3 if precision == "float16" else None, precision,
    )  # fmt: skip
    difference = abs(full["history"][0]["train_loss"] - other["history"][0]["train_loss"])
    assert 0 < difference < 0.01
    capsys.readouterr()
    assert minception("train", "--resume", "run", "--device", "cpu", "--no-progress") != 0
    assert f"--precision {precision} is for the tensor cores of a GPU" in capsys.readouterr().err
    assert minception("train", "--resume", "run", "--epochs", 2, "--no-progress") == 0
    ended = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert ended["scaler"].get("_growth_tracker") == (6 if precision == "float16" else None)
    assert mc.get_precision() == "float32"


LARGEST = float(np.finfo(np.float32).max)


def in_float16(scale):
    """(state, function that takes a step) of the tiny network, with the loss scaled so."""
    config = TrainConfig(model="tiny", schedule="constant", precision="float16", device="cuda:0", batch_size=4, lr=0.1)
    config = config.resolve(available_threads=1)
    state = build_state(config, num_classes=3, steps_per_epoch=9)
    state.scaler.update(new_scale=scale)
    images = np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32)

    def step():
        with mc.use_kernels("cuda"), settings_kept():
            mc.set_precision("float16")
            train_step(state, images, np.arange(4) % 3, config, 9)

    return state, step


def test_steps_with_too_large_gradients_are_left_out():
    state, step = in_float16(LARGEST)
    before = state.model.fc.weight.tolist()
    step()
    assert state.scaler.get_scale() == LARGEST / 2
    assert state.model.fc.weight.tolist() == before
    while state.model.fc.weight.tolist() == before:
        step()
    assert 2.0**8 < state.scaler.get_scale() < LARGEST / 2


def test_infinite_gradients_without_a_scale_are_an_error():
    state, step = in_float16(2.0)
    state.model.fc.weight.register_hook(lambda grad: grad * np.inf)
    step()
    assert state.scaler.get_scale() == 1.0
    with pytest.raises(NonFiniteError, match="gradients became NaN or infinite"):
        step()
