"""`minception summary` on the command line."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from minception import checkpoint, models
from minception.cli import main
from minception.study import summarize


def run(capsys, *arguments):
    """(exit status, lines on stdout, lines on stderr)"""
    status = main(["summary", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err.splitlines()


def test_table(capsys):
    status, out, err = run(capsys, "mini_inception", "--batch-size", 4)
    assert status == 0 and not err
    assert out[0] == f"mini_inception ({models.entry('mini_inception').paper}), images of 3 x 32 x 32"
    assert out[2:] == str(summarize(models.mini_inception(), 32, batch_size=4)).splitlines()
    assert max(map(len, out)) <= 120


def test_files(capsys, tmp_path):
    svg, numbers = tmp_path / "picture.svg", tmp_path / "table.json"
    options = ["--input-size", "16x24", "--depth", 1, "--svg", svg, "--json", numbers]
    status, out, _ = run(capsys, "mini_xception", *options)
    assert status == 0
    assert out[-2:] == [f"Picture in {svg}", f"Table in {numbers}"]
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    saved = json.loads(numbers.read_text())
    expected = summarize(models.mini_xception(), (16, 24), depth=1).to_dict()
    assert saved == {"name": "mini_xception", "options": {}, **json.loads(json.dumps(expected))}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.svg", "table.json"]


def test_files_are_replaced_at_once(capsys, tmp_path, monkeypatch):
    """Who reads while the file is being replaced sees the old one."""
    svg = tmp_path / "picture.svg"
    svg.write_text("old")

    def replace(source, target):
        assert svg.read_text() == "old"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "replace", replace)
    status, _, err = run(capsys, "mini_inception", "--svg", svg)
    assert status == 1
    assert err == [f"minception summary: error: cannot write {svg}: No space left on device"]
    assert [path.name for path in tmp_path.iterdir()] == ["picture.svg"] and svg.read_text() == "old"


def test_options_of_the_constructor(capsys, tmp_path):
    numbers = tmp_path / "table.json"
    options = ["--stem", "cifar", "--width", 0.125, "--num-classes", 7, "--in-channels", 2]
    status, out, _ = run(capsys, "xception", *options, "--json", numbers)
    assert status == 0 and out[0].endswith("images of 2 x 32 x 32")
    saved = json.loads(numbers.read_text())
    assert saved["options"] == {"num_classes": 7, "in_channels": 2, "stem": "cifar", "width": 0.125}
    model = models.xception(num_classes=7, in_channels=2, stem="cifar", width=0.125)
    assert saved["parameters"] == models.count_parameters(model)
    assert saved["rows"][-1]["output_shape"] == [7]


def test_size_of_the_network_itself(capsys):
    _, out, _ = run(capsys, "lenet5")
    assert out[0].endswith("images of 1 x 32 x 32")
    _, out, _ = run(capsys, "nin", "--width", 0.125)
    assert out[0].endswith(f"images of 3 x {models.entry('nin').input_size} x {models.entry('nin').input_size}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unknown_net"], f"unknown model unknown_net; choose one of {', '.join(models.names())}"),
        (["mini_inception", "--input-size", "0"], "--input-size must be N or HxW, both at least 1, got 0"),
        (["mini_inception", "--input-size", "8x"], "--input-size must be N or HxW, both at least 1, got 8x"),
        (["mini_inception", "--input-size", "-8"], "--input-size must be N or HxW, both at least 1, got -8"),
        (["mini_inception", "--num-classes", "0"], "--num-classes must be at least 1, got 0"),
        (["mini_inception", "--batch-size", "-1"], "--batch-size must be at least 1, got -1"),
        (["mini_inception", "--depth", "0"], "--depth must be at least 1, got 0"),
        (["mini_inception", "--stem", "cifar"], "--stem: mini_inception does not have it"),
        (["mini_inception", "--no-aux-logits"], "--aux-logits: mini_inception does not have it"),
        (["xception", "--stem", "tiny"], "xception: stem must be one of 'imagenet', 'cifar', got 'tiny'"),
        (["xception", "--width", "-1"], "width must be a positive number, got -1.0"),
    ],
)
def test_wrong_options(capsys, arguments, message):
    status, out, err = run(capsys, *arguments)
    assert status == 2 and not out
    assert err == [f"minception summary: error: {message}", "See minception summary --help."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input-size", "62"], "alexnet: images must have at least 63x63 pixels, got 62x62"),
        (["--input-size", "100000000"], "not enough memory for images of 100000000x100000000 pixels"),
        (["--svg", "missing/a.svg"], "cannot write missing/a.svg: No such file or directory"),
        (["--json", "."], "cannot write .: "),
    ],
)
def test_what_cannot_be_done(capsys, tmp_path, monkeypatch, arguments, message):
    """One line, and no traceback."""
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "alexnet", "--width", 0.125, *arguments)
    assert status == 1
    assert len(err) == 1 and err[0].startswith(f"minception summary: error: {message}")


def test_help(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["summary", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: minception summary")
    assert max(map(len, out.splitlines())) <= 120
