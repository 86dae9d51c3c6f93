"""A run from the outside: its table, its folder, its defaults, and what it refuses before it starts."""

import csv
import json
import os
import re

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

import minception as mc
from minception import checkpoint, models
from minception.train import train_command
from tests.train.conftest import QUICK


def test_a_run_and_its_folder(quick, tmp_path, capsys):
    assert quick("--output", "run", "--epochs", 2) == 0
    out, err = capsys.readouterr()
    header, *rows = out.splitlines()
    assert header.split() == "epoch lr train loss train acc test loss test acc images/s seconds".split()
    assert len({len(line) for line in (header, *rows)}) == 1
    run = tmp_path / "run"
    names = "best.safetensors checkpoint.safetensors config.json curves.png log.csv log.jsonl weights.safetensors"
    assert sorted(path.name for path in run.iterdir()) == names.split()
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for row, printed in zip(log, rows, strict=True):
        cells = printed.split()
        assert int(cells[0]) == row["epoch"]
        assert float(cells[2]) == round(row["train_loss"], 4)
        assert cells[5] == f"{row['test_accuracy']:.2%}"
    with open(run / "log.csv", newline="") as file:
        assert [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)] == log
    best = max(log, key=lambda row: row["test_accuracy"])
    assert re.search(rf"test accuracy {log[-1]['test_accuracy']:.2%} \(.*\), best {best['test_accuracy']:.2%}", err)
    assert "tiny, " in err and "90 training and 40 test images" in err and "output in run" in err


def test_the_numbers_of_an_epoch(quick, tmp_path):
    """The log of one epoch without randomness in the forward pass, computed again from the data and the weights."""
    import minception as mc
    import minception.functional as F
    from minception.train import datasets

    quick("--output", "run", "--epochs", 1, "--augment", "none", "--label-smoothing", 0)
    (row,) = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")["history"]
    data = datasets.select("synthetic", limit_train=90, limit_test=40)
    model = models.create("tiny", num_classes=10, in_channels=3)
    model.load_state_dict(checkpoint.load_weights(tmp_path / "run" / "weights.safetensors"))
    model.eval()
    images = (data.test.images / 255 - data.statistics.mean[:, None, None]) / data.statistics.std[:, None, None]
    with mc.no_grad():
        logits = model(mc.Tensor(images.astype(np.float32)))
    np.testing.assert_allclose(row["test_loss"], float(F.cross_entropy(logits, data.test.labels)), rtol=1e-5)
    assert row["test_accuracy"] == np.mean(np.asarray(logits).argmax(1) == data.test.labels)
    assert 0 < row["train_loss"] < 10 and round(row["train_accuracy"] * 90) == row["train_accuracy"] * 90


def test_it_learns(quick, tmp_path):
    """Guessing is right once in ten, with a standard deviation of 2.1 % on 200 images."""
    options = ["--limit-train", 1000, "--limit-test", 200, "--augment", "none", "--label-smoothing", 0]
    assert quick("--output", "run", "--epochs", 6, *options) == 0
    history = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")["history"]
    assert history[-1]["test_accuracy"] > 0.3
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["test_loss"] < history[0]["test_loss"]


def test_best_weights_are_those_of_the_best_epoch(quick, tmp_path):
    quick("--output", "run", "--epochs", 4, "--schedule", "constant", "--lr", 0.5, "--limit-test", 20)
    history = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")["history"]
    best = 1 + int(np.argmax([row["test_accuracy"] for row in history]))
    assert best < 4, "the test needs a run whose last epoch is not the best"
    quick(
        *("--output", "short", "--epochs", best),
        *("--schedule", "constant", "--lr", 0.5, "--limit-test", 20),
    )
    files = tmp_path / "run" / "best.safetensors", tmp_path / "short" / "weights.safetensors"
    assert files[0].read_bytes() == files[1].read_bytes()


def test_weights_load_in_torch_under_the_names_of_the_model(quick, tmp_path):
    quick("--output", "run", "--epochs", 1)
    tensors = safetensors.torch.load_file(tmp_path / "run" / "weights.safetensors")
    model = models.create("tiny", num_classes=10, in_channels=3)
    assert {name: tuple(t.shape) for name, t in tensors.items()} == {
        name: array.shape for name, array in model.state_dict().items()
    }


def test_the_config_file_says_what_was_run(quick, tmp_path):
    quick("--output", "run", "--epochs", 1, "--lr", 0.05)
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["config"]["lr"] == 0.05
    assert record["config"]["weight_decay"] == 5e-4  # a default that depends on the optimizer
    assert record["data"]["name"] == "synthetic" and len(record["data"]["class_names"]) == 10
    assert set(record["versions"]) == {"minception", "numpy", "python"}


def test_curves_are_a_picture_with_lines(minception, tmp_path):
    minception("train", *QUICK, "--output", "run", "--epochs", 1)
    pixels = np.asarray(Image.open(tmp_path / "run" / "curves.png").convert("RGB"))
    assert pixels.shape[0] > 400 and pixels.shape[1] > 1000
    for colour in ([0x1F, 0x5F, 0xA8], [0xD9, 0x60, 0x1A]):
        assert (pixels == colour).all(axis=2).sum() > 50


@pytest.mark.parametrize(
    "options",
    [
        ["--optimizer", "adam", "--schedule", "cosine", "--warmup-epochs", 0.5],
        ["--optimizer", "adamw", "--schedule", "exponential"],
        ["--optimizer", "rmsprop", "--momentum", 0.5, "--schedule", "step", "--step-epochs", 1],
        ["--clip-grad-norm", 1, "--cutout", 8, "--schedule", "constant"],
        ["--augment", "standard", "--crop", 20, "--crop-epochs", 1, "--winograd", 0],
        ["--augment", "none", "--no-nesterov", "--label-smoothing", 0],
        ["--kernels", "cpu", "--device", "cpu"],
    ],
)
def test_options(quick, options):
    assert quick("--output", "run", "--epochs", 1, *options) == 0


def test_accuracy_over_mirror_images(quick, minception, tmp_path, capsys):
    """Said after a run that mirrored its training images; the same that `evaluate` says."""
    quick("--output", "run", "--epochs", 1)
    said = re.search(r"\((.*)% averaged over each image and its mirror image\)", capsys.readouterr().err)[1]
    minception("evaluate", "run", "--limit-test", 40, "--mirrored")
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["accuracy"] == float(said) / 100
    quick("--output", "other", "--epochs", 1, "--augment", "none")
    assert "mirror" not in capsys.readouterr().err


def test_winograd_is_as_before_after_a_run(quick, tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(train_command, "compile_ahead", lambda *_: used.append(mc.get_winograd()))
    before = mc.get_winograd()
    for options in ([], ["--winograd", 0], ["--kernels", "reference"]):
        quick("--output", f"run{len(used)}", "--epochs", 1, *options)
        assert mc.get_winograd() == before
    assert used == [4, 0, 4]


def test_clipping_limits_the_step(quick, tmp_path):
    """Plain gradient descent with one step moves the weights by lr times the clipped norm."""
    from minception.train.build import build_state
    from minception.train.config import TrainConfig

    options = ["--momentum", 0, "--weight-decay", 0, "--schedule", "constant", "--lr", 1, "--batch-size", 90]
    quick("--output", "run", "--epochs", 1, *options, "--clip-grad-norm", 0.01)
    config = TrainConfig(model="tiny").resolve(available_threads=1)
    before = build_state(config, 10, 1).model
    after = checkpoint.load_weights(tmp_path / "run" / "weights.safetensors")
    moved = sum(np.sum((np.asarray(p) - after[name]) ** 2) for name, p in before.named_parameters())
    np.testing.assert_allclose(np.sqrt(moved), 0.01, rtol=1e-3)


def test_default_folder(quick, tmp_path):
    quick("--epochs", 1)
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"tiny-\d{8}-\d{6}", folder.name)


def test_a_folder_with_a_run_is_not_overwritten(quick, tmp_path, capsys):
    quick("--output", "run", "--epochs", 1)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    assert quick("--output", "run", "--epochs", 1, "--seed", 5) == 1
    message = capsys.readouterr().err
    assert "run holds a run already" in message and "--resume" in message
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_an_unwritable_folder(quick, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert quick("--output", "file/run", "--epochs", 1) == 1
    assert "cannot write into file/run" in capsys.readouterr().err


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(quick, tmp_path, monkeypatch, capsys):
    fsync, calls = os.fsync, []

    def fill_up(descriptor):
        calls.append(descriptor)
        if len(calls) == 14:  # among the files of the first epoch
            raise OSError(28, "No space left on device")
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    assert quick("--output", "run", "--epochs", 1) == 1
    assert "cannot write into run: No space left on device" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")["epoch"] == 0


@pytest.mark.parametrize(
    "options, words",
    [
        (["--lr", "-1"], "--lr must be greater than 0, got -1.0"),
        (["--batch-size", "0"], "--batch-size must be at least 1, got 0"),
        (["--model", "vgg"], "--model vgg: unknown; choose one of alexnet, googlenet, "),
        (["--device", "gpu"], "--device gpu: unknown; choose auto, cpu, cuda or cuda:N"),
        (["--kernels", "cuda", "--device", "cpu"], "--kernels cuda: does not compute on --device cpu; choose cpu or"),
    ],
)
def test_wrong_options_stop_before_anything_is_written(minception, tmp_path, capsys, options, words):
    assert minception("train", *options) == 2
    message = capsys.readouterr().err
    assert message.startswith("minception train: error: ") and words in message
    assert not list(tmp_path.iterdir())


def test_two_runs_of_one_seed_are_equal(quick, tmp_path):
    for name in "ab":
        quick("--output", name, "--epochs", 1)
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "ab")
    assert one == other
