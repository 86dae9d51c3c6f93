"""`minception predict`: what it prints, its exit statuses, and how its options go together."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from minception.predict import imagenet_class_names, load_classifier, predict
from minception.predict.averaging import Prediction, RankedClass
from minception.predict.images import PictureError
from minception.predict.predict_command import block, pairs

from .small import noise, twin

KERNELS = ("--kernels", "reference")


@pytest.fixture
def files(tmp_path):
    """In the current folder: two pictures, weights a.pth and b.pth of 1000 classes, seven.pth of seven."""
    noise(50, 40, 1).save(tmp_path / "one.png")
    noise(40, 60, 2).save(tmp_path / "two.png")
    for seed, name in enumerate("ab"):
        torch.save(twin(1000, seed).state_dict(), tmp_path / f"{name}.pth")
    torch.save(twin(7).state_dict(), tmp_path / "seven.pth")
    return tmp_path


def expected(*names, weights=("a.pth",), **options):
    return list(predict([load_classifier(path, "small") for path in weights], names, **options))


@pytest.mark.usefixtures("files")
def test_what_is_printed(minception, capsys):
    assert minception("predict", "one.png", "two.png", "--model", "small", "--weights", "a.pth", *KERNELS) == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, second = out.split("\n\n")
    for text, prediction in zip((first, second), expected("one.png", "two.png"), strict=True):
        title, *lines = text.rstrip("\n").split("\n")
        assert title == prediction.image
        assert len(lines) == 5
        for line, ranked in zip(lines, prediction.classes, strict=True):
            assert line.split("  ")[1].strip() == imagenet_class_names()[ranked.index]
            assert f" {ranked.probability:.2%}" in line
            assert line.count("#") == round(30 * ranked.probability)
        assert len({line.index("%") for line in lines}) == 1


def test_a_block():
    prediction = Prediction(
        "photos/a\n.jpg",
        (
            RankedClass(0, "cat", 0.75),
            RankedClass(5, "\x1b[31mhot dog", 0.2),
            RankedClass(2, "a name that has so many words that it would leave no place", 0.05),
            RankedClass(3, "", 0.0),
        ),
    )
    assert block(prediction) == (
        "photos/a\\n.jpg\n"
        "  cat                                                  75.00%  ######################\n"
        "  \\x1b[31mhot dog                                      20.00%  ######\n"
        "  a name that has so many words that it would lea...    5.00%  ##\n"
        "                                                        0.00%"
    )
    assert block(Prediction("x", (RankedClass(0, "cat", 1.0),))) == f"x\n  cat  100.00%  {'#' * 30}"


@pytest.mark.usefixtures("files")
def test_options_reach_the_computation(minception, capsys):
    options = ("--top", 2, "--crops", 10, "--batch-size", 3, "--threads", 1, "--json", *KERNELS)
    assert minception("predict", "one.png", "--weights", "a.pth", "--model", "small", *options) == 0
    (picture,) = json.loads(capsys.readouterr().out)
    (prediction,) = expected("one.png", top=2, crops=10)
    assert picture["image"] == "one.png" and picture.keys() == {"image", "classes"}
    assert [entry["index"] for entry in picture["classes"]] == [ranked.index for ranked in prediction.classes]
    for entry, ranked in zip(picture["classes"], prediction.classes, strict=True):
        assert entry.keys() == {"index", "name", "probability"} and entry["name"] == ranked.name
        np.testing.assert_allclose(entry["probability"], ranked.probability, rtol=1e-4)
    assert minception("predict", "one.png", "--weights", "seven.pth", "--model", "small", "--top", 99, *KERNELS) == 0
    assert len(capsys.readouterr().out.splitlines()) == 8


@pytest.mark.usefixtures("files")
def test_an_ensemble(minception, capsys):
    networks = ("--model", "small", "--weights", "a.pth", "--model", "small", "--weights", "b.pth")
    assert minception("predict", "one.png", *networks, "--json", *KERNELS) == 0
    (picture,) = json.loads(capsys.readouterr().out)
    (prediction,) = expected("one.png", weights=("a.pth", "b.pth"))
    assert [entry["name"] for entry in picture["classes"]] == [ranked.name for ranked in prediction.classes]
    found = [entry["probability"] for entry in picture["classes"]]
    np.testing.assert_allclose(found, [ranked.probability for ranked in prediction.classes], rtol=1e-4)
    networks = (*networks[:-1], "seven.pth")
    assert minception("predict", "one.png", *networks, *KERNELS) == 2
    assert "cannot be averaged: a.pth has 1000, seven.pth has 7" in capsys.readouterr().err


def test_pictures_that_cannot_be_used(files, minception, capsys):
    (files / "text.jpg").write_text("no picture")
    (files / "folder").mkdir()
    names = ("absent.jpg", "one.png", "text.jpg", "folder", "two.png")
    options = ("--model", "small", "--weights", "a.pth", *KERNELS)
    messages = [
        "absent.jpg: no such file",
        "text.jpg: not a picture in a known format",
        "folder: a folder; name the pictures in it",
    ]
    for json_option in ((), ("--json",)):
        assert minception("predict", *names, *options, *json_option) == 1
        out, err = capsys.readouterr()
        assert err.splitlines() == [f"minception predict: error: {message}" for message in messages]
        if json_option:
            found = json.loads(out)
            assert [entry["image"] for entry in found] == list(names)
            assert [entry["error"] for entry in found if "error" in entry] == messages
            assert all(("classes" in entry) != ("error" in entry) for entry in found)
        else:
            assert [text.split("\n")[0] for text in out.split("\n\n")] == ["one.png", "two.png"]
    assert minception("predict", "absent.jpg", *options, "--json") == 1
    assert [entry.keys() for entry in json.loads(capsys.readouterr().out)] == [{"image", "error"}]


def test_names_from_a_file(files, minception, capsys):
    (files / "names.txt").write_text("\n".join(f"thing {letter}" for letter in "ABCDEFG"))
    options = ("--model", "small", "--weights", "seven.pth", "--classes", "names.txt", *KERNELS)
    assert minception("predict", "one.png", *options) == 0
    assert capsys.readouterr().out.count("  thing ") == 5
    (files / "names.txt").write_text("A\nB\n")
    assert minception("predict", "one.png", *options) == 2
    assert "seven.pth: has 7 classes, but there are names for 2" in capsys.readouterr().err
    (files / "names.txt").unlink()
    assert minception("predict", "one.png", *options) == 1
    assert capsys.readouterr().err.endswith("error: names.txt: cannot be read: No such file or directory\n")


@pytest.mark.usefixtures("files")
def test_a_run(run, minception, capsys):
    names = json.loads((run / "config.json").read_text())["data"]["class_names"]
    assert minception("predict", "one.png", "--weights", "run", "--top", 10, *KERNELS) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert sorted(line[2:].split("  ")[0].strip() for line in lines) == sorted(names)
    assert minception("predict", "one.png", "--weights", "run", "--weights", "run/weights.safetensors", *KERNELS) == 0
    capsys.readouterr()
    assert minception("predict", "one.png", "--model", "small", "--weights", "seven.pth", "--weights", "run") == 2
    assert "cannot be averaged" in capsys.readouterr().err


def test_it_agrees_with_evaluate(run, minception, capsys, monkeypatch):
    """The pictures of the test set, saved as PNG, are classified as `minception evaluate` does."""
    from minception.train import datasets

    monkeypatch.setattr("minception.train.plots.confusion", lambda *arguments: b"no picture")
    assert minception("evaluate", "run/best.safetensors", "--limit-test", 40, "--output", "out", *KERNELS) == 0
    numbers = json.loads((run.parent / "out" / "evaluation.json").read_text())
    images = datasets.select("synthetic", limit_train=1, limit_test=40).test
    for index, image in enumerate(images.images):
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(f"{index}.png")
    capsys.readouterr()
    assert minception("predict", *(f"{k}.png" for k in range(40)), "--weights", "run", "--json", *KERNELS) == 0
    found = [entry["classes"][0]["index"] for entry in json.loads(capsys.readouterr().out)]
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (images.labels, found), 1)
    assert matrix.tolist() == numbers["confusion_matrix"]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "name a network: --model NAME, or --weights and the folder of a training run"),
        (["--model", "small"], "--model small: its weights cannot be fetched; give a file with --weights FILE"),
        (["--weights", "a.pth"], "a.pth: which network are these weights of?"),
        (["--model", "big", "--weights", "a.pth"], "--model big: unknown; choose one of alexnet, "),
        (["--model", "small", "--weights", "a.pth", "--top", 0], "--top must be at least 1, got 0"),
        (["--model", "small", "--weights", "a.pth", "--crops", 5], "--crops 5: unknown; choose one of 1, 10, 144"),
        (["--model", "small", "--weights", "a.pth", "--batch-size", 0], "--batch-size must be at least 1, got 0"),
        (["--model", "small", "--weights", "a.pth", "--threads", -1], "--threads must be at least 1, got -1"),
        (["--model", "small", "--weights", "a.pth", "--kernels", "gpu"], "--kernels gpu: unknown"),
    ],
)
def test_wrong_options(options, words, minception, capsys):
    assert minception("predict", "one.png", *options) == 2
    err = capsys.readouterr().err
    assert words in err and err.startswith("minception predict: error: ") and err.endswith("predict --help.\n")


@pytest.mark.usefixtures("files")
def test_weights_that_cannot_be_used(minception, capsys):
    for weights, words in (
        ("absent.pth", "absent.pth: no such file"),
        (".", ".: not the folder of a training run"),
        ("one.png", "one.png: not a file of weights in a known format"),
    ):
        assert minception("predict", "one.png", "--model", "small", "--weights", weights) == 1
        assert capsys.readouterr().err.startswith(f"minception predict: error: {words}")


def test_pairs():
    """Each --weights belongs to the --model right before it; a --model without any is to be fetched."""
    model, weights = "--model", "--weights"
    assert pairs([(model, "a"), (weights, "f")]) == pairs([(weights, "f"), (model, "a")]) == [("a", "f")]
    assert pairs([(weights, "run")]) == [(None, "run")]
    assert pairs([(weights, "run"), (model, "a"), (weights, "f")]) == [(None, "run"), ("a", "f")]
    assert pairs([(model, "a"), (weights, "f"), (weights, "run")]) == [("a", "f"), (None, "run")]
    assert pairs([(model, m) if even else (weights, m) for m in "ab" for even in (True, False)]) == [
        ("a", "a"),
        ("b", "b"),
    ]
    assert pairs([(model, "a")]) == [("a", None)]
    assert pairs([(model, "a"), (model, "b"), (weights, "f")]) == [("a", None), ("b", "f")]
    assert pairs([(model, "a"), (weights, "f"), (model, "b")]) == [("a", "f"), ("b", None)]
    assert pairs([]) == [(None, None)]


def test_file_names_that_are_no_text(files, minception, capsys):
    """Names of files are bytes, and need not be UTF-8."""
    name = b"\xff.png".decode(errors="surrogateescape")
    noise(40, 40).save(files / name)
    assert minception("predict", name, f"not-{name}", "--model", "small", "--weights", "seven.pth", *KERNELS) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == r"\udcff.png"
    assert err == "minception predict: error: not-\\udcff.png: no such file\n"
    assert isinstance(expected(f"not-{name}")[0].error, PictureError)
