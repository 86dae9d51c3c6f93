"""`minception profile` on the command line."""

import json
import subprocess
import sys

import pytest

import minception as mc
from minception import models
from minception.cli import main
from minception.study import Roof, profile_steps


@pytest.fixture(autouse=True)
def known_roof(monkeypatch):
    monkeypatch.setattr(profile_steps, "measure_roof", lambda device: Roof(1e11, 1e10, mc.get_num_threads()))


def run(capsys, *arguments):
    """(exit status, lines on stdout, lines on stderr)"""
    status = main(["profile", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err.splitlines()


QUICK = ["mini_inception", "--image-size", "16x24", "--batch-size", 2, "--repeat", 1, "--num-classes", 7]


def test_table_and_files(capsys, tmp_path):
    plot, numbers = tmp_path / "roof.png", tmp_path / "rows.json"
    before = mc.get_num_threads()
    options = ["--threads", 1, "--top", 3, "--plot", plot, "--json", numbers]
    status, out, err = run(capsys, *QUICK, *options)
    assert status == 0 and not err and mc.get_num_threads() == before
    assert out[0] == "mini_inception, 2 images of 3 x 16 x 24"
    assert out[2].split()[:3] == ["kind", "direction", "calls"]
    assert any(line.startswith("Roof, 1 thread: 100 GFLOP/s") for line in out)
    assert out[-2:] == [f"Plot in {plot}", f"Table in {numbers}"]
    assert max(map(len, out[:-2])) <= 140
    assert plot.read_bytes().startswith(b"\x89PNG")
    saved = json.loads(numbers.read_text())
    assert saved["name"] == "mini_inception" and saved["options"] == {"num_classes": 7}
    assert saved["input_size"] == [16, 24] and saved["training"] and len(saved["rows"]) > 100
    assert saved["seconds"] == pytest.approx(sum(row["seconds"] for row in saved["rows"]))


def test_evaluation(capsys):
    status, out, _ = run(capsys, *QUICK, "--eval", "--by", "layer", "--top", 0)
    assert status == 0
    assert out[2].split()[:2] == ["layer", "direction"]
    assert not any("backward " in line for line in out[3:-4]) and not any("slowest" in line for line in out)
    assert any(line.startswith("A forward pass in evaluation of 2 images") for line in out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unknown_net"], f"unknown model unknown_net; choose one of {', '.join(models.names())}"),
        (["lenet5", "--image-size", "0"], "--image-size must be N or HxW, both at least 1, got 0"),
        (["lenet5", "--batch-size", "0"], "--batch-size must be at least 1, got 0"),
        (["lenet5", "--threads", "0"], "--threads must be at least 1, got 0"),
        (["lenet5", "--repeat", "-1"], "--repeat must be at least 1, got -1"),
        (["lenet5", "--num-classes", "0"], "--num-classes must be at least 1, got 0"),
        (["lenet5", "--top", "-1"], "--top must be at least 0, got -1"),
        (["lenet5", "--by", "colour"], "--by must be kind, layer or kernel, got colour"),
        (["lenet5", "--plot", "roof.jpg"], "--plot must be a file that ends in .svg or .png, got roof.jpg"),
        (["mini_inception", "--stem", "cifar"], "--stem: mini_inception does not have it"),
    ],
)
def test_wrong_options(capsys, arguments, message):
    status, out, err = run(capsys, *arguments)
    assert status == 2 and not out
    assert err == [f"minception profile: error: {message}", "See minception profile --help."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-size", "62"], "alexnet: images must have at least 63x63 pixels, got 62x62"),
        (["--image-size", "100000000"], "not enough memory for 1 images of 100000000x100000000 pixels"),
        (["--image-size", "63", "--json", "missing/a.json"], "cannot write missing/a.json: No such file or directory"),
    ],
)
def test_what_cannot_be_done(capsys, tmp_path, monkeypatch, arguments, message):
    """One line, and no traceback."""
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "alexnet", "--width", 0.125, "--batch-size", 1, "--repeat", 1, *arguments)
    assert status == 1
    assert err == [f"minception profile: error: {message}"]


def test_as_a_module(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "minception", "profile", "lenet5", "--repeat", "1", "--eval"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("lenet5, 16 images of 1 x 32 x 32\n") and not ended.stderr
