"""What --resume finds, which options it lets change, and what it says when it cannot go on."""

import json
import os

import pytest

from minception import checkpoint
from minception.train import datasets


def checkpoint_of(run):
    return checkpoint.load(run / "checkpoint.safetensors")


def test_the_latest_run_is_taken_up(quick, minception, tmp_path, capsys):
    for name, schedule in (("a", "constant"), ("b", "constant")):
        quick("--output", f"runs/{name}", "--epochs", 1, "--schedule", schedule)
    os.utime(tmp_path / "runs" / "a" / "checkpoint.safetensors", (2e9, 2e9))
    assert minception("train", "--resume", "--epochs", 2) == 0
    assert "output in runs/a" in capsys.readouterr().err
    assert (checkpoint_of(tmp_path / "runs/a")["epoch"], checkpoint_of(tmp_path / "runs/b")["epoch"]) == (2, 1)


@pytest.mark.parametrize(
    "resume", [["--resume", "run"], ["--resume", "run/checkpoint.safetensors"], ["--resume", "--output", "run"]]
)
def test_ways_to_name_a_run(quick, minception, tmp_path, resume):
    quick("--output", "run", "--epochs", 1, "--schedule", "step")
    assert minception("train", *resume, "--epochs", 2) == 0
    assert checkpoint_of(tmp_path / "run")["epoch"] == 2


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential"])
def test_more_epochs_equal_a_longer_run_from_the_start(quick, minception, tmp_path, schedule):
    options = ["--schedule", schedule, "--warmup-epochs", 0.5, *(["--step-epochs", 1] if schedule == "step" else [])]
    quick("--output", "long", "--epochs", 2, *options)
    quick("--output", "grown", "--epochs", 1, *options)
    minception("train", "--resume", "grown", "--epochs", 2)
    long, grown = ((tmp_path / run / "weights.safetensors").read_bytes() for run in ("long", "grown"))
    assert long == grown
    assert json.loads((tmp_path / "grown" / "config.json").read_text())["config"]["epochs"] == 2


def test_options_that_repeat_the_run_are_welcome(quick, minception):
    quick("--output", "run", "--epochs", 1, "--schedule", "constant")
    assert quick("--resume", "run", "--epochs", 2, "--data", "auto", "--seed", 0, "--lr", 0.1) == 0


def test_contradicting_options_are_all_listed(quick, minception, capsys):
    quick("--output", "run", "--epochs", 1)
    options = ["--lr", 0.5, "--batch-size", 8, "--epochs", 2, "--data", "cifar10", "--no-nesterov"]
    assert minception("train", "--resume", "run", *options) == 2
    message = capsys.readouterr().err
    assert "contradict the checkpoint run/checkpoint.safetensors" in message
    for line in (
        "--lr 0.5: the run has 0.1",
        "--batch-size 8: the run has 16",
        "--epochs 2: the run has 1, which its onecycle schedule was planned for",
        "--data cifar10: the run has synthetic",
        "--nesterov False: the run has True",
    ):
        assert line in message
    assert "--seed" not in message


def test_threads_may_change_with_a_word_of_warning(quick, minception, tmp_path, capsys):
    quick("--output", "run", "--epochs", 1, "--schedule", "constant")
    assert minception("train", "--resume", "run", "--epochs", 2, "--threads", 2) == 0
    assert "With --threads changed" in capsys.readouterr().err
    assert checkpoint_of(tmp_path / "run")["run"]["config"]["threads"] == 2


def test_a_finished_run_has_nothing_to_do(quick, minception, tmp_path, capsys):
    quick("--output", "run", "--epochs", 1)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    assert minception("train", "--resume", "run") == 0
    assert "has finished its 1 epochs; nothing to do" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_fewer_epochs_than_done(quick, minception, capsys):
    quick("--output", "run", "--epochs", 2, "--schedule", "constant")
    assert minception("train", "--resume", "run", "--epochs", 1) == 1
    assert "--epochs 1: the run has done 2 epochs already" in capsys.readouterr().err


def test_output_elsewhere(quick, minception, capsys):
    quick("--output", "run", "--epochs", 1)
    assert minception("train", "--resume", "run", "--output", "other") == 2
    assert "--output other contradicts --resume run" in capsys.readouterr().err


def test_nothing_to_resume(minception, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        (["--resume"], "no run to continue under runs/"),
        (["--resume", "absent"], "absent does not exist"),
        (["--resume", "empty"], "empty holds no checkpoint.safetensors"),
        (["--resume", "--output", "empty"], "empty holds no checkpoint.safetensors"),
    ):
        assert minception("train", *arguments) == 1
        assert words in capsys.readouterr().err


def test_wrong_checkpoints(quick, minception, tmp_path, capsys):
    quick("--output", "run", "--epochs", 1)
    run = tmp_path / "run"
    data = (run / "checkpoint.safetensors").read_bytes()
    (run / "half.safetensors").write_bytes(data[: len(data) // 2])
    checkpoint.save(run / "other.safetensors", {"epoch": 3})
    for name, words in (
        ("half.safetensors", "run/half.safetensors: truncated"),
        ("weights.safetensors", "run/weights.safetensors: holds only weights"),
        ("other.safetensors", "run/other.safetensors: a checkpoint, but not one of a training run"),
        ("log.csv", "run/log.csv: not a safetensors file"),
    ):
        assert minception("train", "--resume", f"run/{name}") == 1
        assert words in capsys.readouterr().err


def test_a_model_that_does_not_fit_lists_its_keys(quick, minception, tmp_path, capsys):
    quick("--output", "run", "--epochs", 1, "--schedule", "constant")
    path = tmp_path / "run" / "checkpoint.safetensors"
    saved = checkpoint.load(path)
    saved["model"]["fc.scale"] = saved["model"].pop("fc.bias")
    checkpoint.save(path, saved)
    assert minception("train", "--resume", "run", "--epochs", 2) == 1
    message = capsys.readouterr().err
    assert "run/checkpoint.safetensors: the weights do not fit the model" in message
    assert "fc.bias" in message and "fc.scale" in message


def test_other_images_are_refused(quick, minception, monkeypatch, capsys):
    from minception import data

    quick("--output", "run", "--epochs", 1, "--schedule", "constant")
    original = data.synthetic_shapes
    monkeypatch.setattr(data, "synthetic_shapes", lambda train, test: original(train, test, seed=1))
    assert minception("train", "--resume", "run", "--epochs", 2) == 1
    assert "not those that the run began with" in capsys.readouterr().err


def test_a_data_folder_is_remembered_from_anywhere(quick, tmp_path, monkeypatch):
    """Written down with its whole path: the run may be resumed in another folder."""
    select = datasets.select
    monkeypatch.setattr(datasets, "select", lambda name, data_dir, *rest: select("synthetic", None, *rest))
    assert quick("--output", "run", "--epochs", 1, "--data", "auto", "--data-dir", "pictures") == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert str(tmp_path / "pictures") in json.dumps(config)
