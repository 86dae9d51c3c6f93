"""A run that is killed or interrupted anywhere, then resumed, ends with the bits of one that never was."""

import csv
import json

import numpy as np
import pytest

from minception import checkpoint
from tests.train.conftest import QUICK
from tests.train.runner import SIGINT, SIGKILL, process

JOB = ["train", *QUICK, "--epochs", "3"]
TIMES = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    finished = process(folder, *JOB, "--output", "run")
    assert finished.status == 0, finished.err
    return folder / "run"


def without_times(tree):
    """A checkpoint's tree, or any part of one, without what a clock measured."""
    if isinstance(tree, dict):
        return {key: without_times(value) for key, value in tree.items() if key not in TIMES}
    if isinstance(tree, (list, tuple)):
        return [without_times(value) for value in tree]
    return (tree.dtype, tree.shape, tree.tobytes()) if isinstance(tree, np.ndarray) else tree


def assert_same_run(run, expected):
    """Equal weights, best weights, optimizer, schedule, generator and history, to the bit."""
    for name in ("weights.safetensors", "best.safetensors"):
        assert (run / name).read_bytes() == (expected / name).read_bytes(), name
    ended, should = (without_times(checkpoint.load(r / "checkpoint.safetensors")) for r in (run, expected))
    assert ended == should
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert without_times(rows) == should["history"]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    with open(run / "log.csv", newline="") as file:
        assert [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)] == rows


def resume(folder):
    resumed = process(folder, "train", "--resume", "run", "--no-progress")
    assert resumed.status == 0, resumed.err
    assert not list((folder / "run").glob(".*"))
    return resumed


@pytest.mark.parametrize(
    "moment, count",
    [
        ("step", 1),
        ("step", 4),  # before the first epoch ended
        ("step", 10),  # in the middle of the second
        ("evaluation", 2),
        ("replace", 8),  # among the files of the first epoch
        ("replace", 10),  # the checkpoint of the first epoch is written but not in place
    ],
)
def test_killed(tmp_path, uninterrupted, moment, count):
    killed = process(tmp_path, *JOB, "--output", "run", moment=moment, count=count, signals=[SIGKILL])
    assert killed.status == -SIGKILL
    resume(tmp_path)
    assert_same_run(tmp_path / "run", uninterrupted)


@pytest.mark.parametrize(
    "moment, count, epoch, batch",
    [("step", 1, 0, 1), ("step", 4, 0, 4), ("step", 10, 1, 4), ("step", 12, 1, 6), ("evaluation", 2, 1, 6)],
)
def test_interrupted(tmp_path, uninterrupted, moment, count, epoch, batch):
    """The step in which Ctrl-C is pressed is finished and saved."""
    stopped = process(tmp_path, *JOB, "--output", "run", moment=moment, count=count, signals=[SIGINT])
    assert stopped.status == 130
    assert "finishing the current step" in stopped.err
    assert "minception train --resume run" in stopped.err
    saved = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert (saved["epoch"], saved["batch"]) == (epoch, batch)
    assert saved["totals"]["images"] == min(16 * batch, 90)
    resume(tmp_path)
    assert_same_run(tmp_path / "run", uninterrupted)


def test_interrupted_twice_stops_at_once(tmp_path, uninterrupted):
    stopped = process(tmp_path, *JOB, "--output", "run", moment="step", count=10, signals=[SIGINT, SIGINT])
    assert stopped.status == 130
    assert "Stopped without saving" in stopped.err
    assert "minception train --resume run" in stopped.err
    saved = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert (saved["epoch"], saved["batch"]) == (1, 0)
    resume(tmp_path)
    assert_same_run(tmp_path / "run", uninterrupted)


def test_interrupted_again_and_again(tmp_path, uninterrupted):
    process(tmp_path, *JOB, "--output", "run", moment="step", count=2, signals=[SIGINT])
    for _ in range(2):
        again = process(tmp_path, "train", "--resume", "run", moment="step", count=3, signals=[SIGINT])
        assert again.status == 130, again.err
    resume(tmp_path)
    assert_same_run(tmp_path / "run", uninterrupted)


def test_another_seed_gives_other_weights(tmp_path, uninterrupted):
    """The comparison above can fail."""
    assert process(tmp_path, *JOB, "--seed", "1", "--output", "run").status == 0
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "run", uninterrupted)
