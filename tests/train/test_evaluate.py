"""`minception evaluate`: its numbers against a plain count, its inputs, its files."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import minception as mc
from minception import checkpoint, data, models, nn
from minception.train import datasets, plots
from minception.train.evaluation import Evaluation, evaluate


@pytest.fixture
def no_picture(monkeypatch):
    monkeypatch.setattr(plots, "confusion", lambda *arguments: b"no picture")


@pytest.fixture
def run(quick, tmp_path):
    """A run of two epochs, in the folder "run" of the current folder."""
    quick("--output", "run", "--epochs", 2, "--augment", "none", "--lr", 0.3)
    return tmp_path / "run"


def counted(run, limit=40):
    """Loss and confusion matrix of the run's last weights, image by image."""
    chosen = datasets.select("synthetic", limit_train=90, limit_test=limit)
    model = models.create("tiny", num_classes=10, in_channels=3)
    model.load_state_dict(checkpoint.load_weights(run / "weights.safetensors"))
    model.double().eval()
    mean, std = (np.reshape(values, (3, 1, 1)) for values in chosen.statistics)
    losses, matrix = [], [[0] * 10 for _ in range(10)]
    for image, label in zip(chosen.test.images, chosen.test.labels, strict=True):
        with mc.no_grad():
            logits = np.asarray(model(mc.Tensor((image[None] / 255 - mean) / std)))[0]
        losses.append(np.log(np.exp(logits).sum()) - logits[label])
        matrix[label][logits.argmax()] += 1
    return np.mean(losses), np.array(matrix)


@pytest.mark.usefixtures("no_picture")
def test_numbers(run, minception, capsys):
    assert minception("evaluate", "run", "--limit-test", 40, "--batch-size", 7) == 0
    loss, matrix = counted(run)
    numbers = json.loads((run / "evaluation.json").read_text())
    np.testing.assert_allclose(numbers["loss"], loss, rtol=1e-5)
    assert numbers["confusion_matrix"] == matrix.tolist()
    assert (numbers["images"], numbers["data"]) == (40, "synthetic")
    assert numbers["accuracy"] == np.trace(matrix) / 40
    for k, row in enumerate(numbers["classes"]):
        assert row["images"] == matrix[k].sum() and row["correct"] == matrix[k, k]
        assert row["accuracy"] == matrix[k, k] / matrix[k].sum()
    out = capsys.readouterr().out
    assert f"accuracy {np.trace(matrix) / 40:.2%}, loss {loss:.4f}" in out
    assert all(row["name"] in out for row in numbers["classes"])


@pytest.mark.usefixtures("no_picture")
def test_it_agrees_with_the_log(run, minception):
    """A run trained and tested on the same images as `evaluate` uses gives the log's last row."""
    minception("evaluate", "run", "--limit-test", 40, "--kernels", "reference")
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    numbers = json.loads((run / "evaluation.json").read_text())
    assert numbers["accuracy"] == last["test_accuracy"]
    np.testing.assert_allclose(numbers["loss"], last["test_loss"], rtol=1e-6)


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "weights.safetensors"])
@pytest.mark.usefixtures("no_picture")
def test_the_forms_of_a_checkpoint(run, minception, name):
    minception("evaluate", "run", "--limit-test", 40)
    from_folder = json.loads((run / "evaluation.json").read_text())
    assert minception("evaluate", f"run/{name}", "--limit-test", 40, "--output", "out") == 0
    from_file = json.loads((run.parent / "out" / "evaluation.json").read_text())
    assert from_file.pop("checkpoint") == f"run/{name}"
    from_folder.pop("checkpoint")
    assert from_file == from_folder


@pytest.mark.usefixtures("no_picture")
def test_a_run_that_was_interrupted_in_its_first_epoch(run, minception):
    (run / "weights.safetensors").unlink()
    assert minception("evaluate", "run", "--limit-test", 40) == 0
    assert json.loads((run / "evaluation.json").read_text())["checkpoint"] == "run/checkpoint.safetensors"


@pytest.mark.usefixtures("no_picture")
def test_training_statistics_are_kept(run, minception):
    """Standardising with other statistics would give another loss."""
    record = json.loads((run / "config.json").read_text())
    record["data"]["mean"] = [0.9, 0.9, 0.9]
    minception("evaluate", "run", "--limit-test", 40)
    right = json.loads((run / "evaluation.json").read_text())["loss"]
    (run / "config.json").write_text(json.dumps(record))
    minception("evaluate", "run", "--limit-test", 40)
    assert abs(json.loads((run / "evaluation.json").read_text())["loss"] - right) > 1e-3


def test_the_picture(run, minception):
    minception("evaluate", "run", "--limit-test", 40)
    pixels = np.asarray(Image.open(run / "confusion_matrix.png").convert("RGB")).astype(int)
    assert min(pixels.shape[:2]) > 600
    blue = (pixels[..., 2] > pixels[..., 0] + 40).mean()  # the filled cells, and the colour bar
    assert 0.02 < blue < 0.5


def test_a_hundred_classes_fit_into_a_picture():
    matrix = np.random.default_rng(0).integers(0, 5, (100, 100))
    names = [f"class number {k}" for k in range(100)]
    width, height = Image.open(io.BytesIO(plots.confusion(matrix, names, "title"))).size
    assert 1500 < width < 4000 and 1500 < height < 4000


def test_wrong_inputs(run, minception, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "alone").mkdir()
    shutil.copy(run / "weights.safetensors", tmp_path / "alone")
    (tmp_path / "alone" / "log.csv").write_text("epoch\n1\n")
    for path, words in (
        ("absent", "absent: no such file"),
        ("empty", "empty: holds neither weights.safetensors nor checkpoint.safetensors"),
        ("alone/weights.safetensors", "needs the run's config.json beside it"),
        ("alone/log.csv", "alone/log.csv: not a safetensors file"),
    ):
        assert minception("evaluate", path) == 1
        assert words in capsys.readouterr().err
    (tmp_path / "alone" / "config.json").write_text("{}")
    assert minception("evaluate", "alone") == 1
    assert "alone/config.json: damaged, or not the config.json of a training run" in capsys.readouterr().err


def test_weights_of_another_network(run, minception, capsys):
    weights = dict(checkpoint.load_weights(run / "weights.safetensors"))
    weights["head.weight"] = weights.pop("fc.weight")
    checkpoint.save_weights(run / "weights.safetensors", weights)
    assert minception("evaluate", "run", "--limit-test", 40) == 1
    message = capsys.readouterr().err
    assert "the weights do not fit the model" in message
    assert "fc.weight" in message and "head.weight" in message


def test_weights_that_are_not_finite(run, minception, capsys):
    weights = dict(checkpoint.load_weights(run / "weights.safetensors"))
    weights["fc.bias"] = np.full_like(weights["fc.bias"], np.nan)
    checkpoint.save_weights(run / "weights.safetensors", weights)
    assert minception("evaluate", "run", "--limit-test", 40) == 1
    assert "the network's loss is nan" in capsys.readouterr().err


def test_data_with_other_classes(run, minception, monkeypatch, capsys):
    names = tuple(f"class {k}" for k in range(100))
    images = np.zeros((5, 3, 32, 32), np.uint8)
    part = data.ImageDataset("a set", images, np.arange(5), names)
    monkeypatch.setitem(datasets.CIFAR, "cifar100", lambda root, **options: data.TrainTest(part, part))
    assert minception("evaluate", "run", "--data", "cifar100") == 2
    assert "--data cifar100 has 100 classes, the network was trained on synthetic with 10" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (["--data", "imagenet"], "--data imagenet: unknown"),
        (["--kernels", "gpu"], "--kernels gpu: unknown"),
        (["--device", "gpu"], "--device gpu: unknown; choose auto, cpu, cuda or cuda:N"),
        (["--kernels", "cuda", "--device", "cpu"], "--kernels cuda: does not compute on --device cpu; choose cpu or"),
        (["--limit-test", 0], "--limit-test must be at least 1, got 0"),
        (["--batch-size", -1], "--batch-size must be at least 1, got -1"),
        (["--threads", 0], "--threads must be at least 1, got 0"),
    ],
)
def test_wrong_options(minception, capsys, options, words):
    assert minception("evaluate", "run", *options) == 2
    assert words in capsys.readouterr().err


def test_an_unwritable_folder(run, minception, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert minception("evaluate", "run", "--limit-test", 20, "--output", "file/out") == 1
    assert "cannot write into file/out" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- evaluation


def test_confusion_matrix_counts_row_by_true_class():
    result = Evaluation(0.0, np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 2, 0]))
    np.testing.assert_array_equal(result.confusion_matrix(3), [[1, 1, 0], [0, 0, 0], [1, 0, 2]])
    assert result.accuracy == 0.6


def test_evaluating_leaves_the_model_as_it_was():
    """Training mode, running statistics and generator stay; dropout is off, so results repeat."""
    chosen = datasets.select("synthetic", limit_train=20, limit_test=30)
    model = models.create("tiny", num_classes=10, in_channels=3).train()
    before, generator = model.state_dict(), mc.default_generator().bit_generator.state
    losses = [evaluate(model, chosen.test_loader(size)).loss for size in (30, 7)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    assert model.training and model.dropout.training
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    assert mc.default_generator().bit_generator.state == generator
    assert all(parameter.grad is None for parameter in model.parameters())


def test_averaging_over_mirror_images():
    chosen = datasets.select("synthetic", limit_train=20, limit_test=30)
    model = models.create("tiny", num_classes=10, in_channels=3)
    found = evaluate(model, chosen.test_loader(7), mirrored=True)
    (images, labels), model = next(iter(chosen.test_loader(30).epoch(0))), model.double().eval()
    both = [np.asarray(model(mc.Tensor(x.astype(float)))) for x in (images, np.flip(images, axis=3))]
    mean = sum(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in both) / 2
    np.testing.assert_array_equal(found.predictions, mean.argmax(axis=1))
    np.testing.assert_allclose(found.loss, -np.log(mean[np.arange(30), labels]).mean(), rtol=1e-5)
    assert not np.array_equal(*(x.argmax(axis=1) for x in both)), "the test needs a network that sees a difference"


def test_evaluation_runs_a_fused_copy(monkeypatch):
    """With the same results up to rounding, and the model where it was if its layers are watched or cannot be fused."""
    chosen = datasets.select("synthetic", limit_train=20, limit_test=30)
    model = models.create("mini_inception", num_classes=10)
    calls = []
    original = nn.BatchNormReLU2d.forward
    monkeypatch.setattr(nn.BatchNormReLU2d, "forward", lambda self, x: calls.append(x.shape[0]) or original(self, x))
    found = evaluate(model, chosen.test_loader(30))
    assert calls and set(calls) == {1}  # to see what follows what; the test itself runs without
    calls.clear()
    hook = model.register_forward_hook(lambda *_: None)
    expected = evaluate(model, chosen.test_loader(30))
    assert set(calls) == {30}
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-6)
    np.testing.assert_array_equal(found.predictions, expected.predictions)
    hook.remove()
    monkeypatch.setattr(nn.Module, "fuse", lambda self, example: 1 / 0)
    assert evaluate(model, chosen.test_loader(30)).loss == expected.loss
    assert model.training
