"""From a file of weights, or the folder of a run, to a network with its preprocessing and class names."""

import hashlib
import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

import minception as mc
from minception import checkpoint, data, models
from minception.checkpoint import CheckpointError
from minception.models import Preprocessing
from minception.predict import imagenet_class_names, load_classifier, open_picture, prepare, probabilities
from minception.predict.images import PictureError
from minception.train import datasets
from minception.train.config import ConfigError
from minception.train.errors import RunError
from minception.weights.keras import KERAS_OPTIONS, KERAS_PREPROCESSING
from minception.weights.pretrained import PUBLISHED, Published
from tests.data.server import running_server
from tests.models.twins import TWINS
from tests.weights.keras_files import STYLES, named_layers, random_arrays, write_keras3, write_legacy, write_zip

from .small import PREPROCESSING, noise, twin


def same_weights(model, values):
    state = model.state_dict()
    assert state.keys() == values.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(array, np.asarray(values[name]), err_msg=name)


# -------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("classes", [1, 7, 1000, 1002])
def test_as_many_classes_as_the_file_has(classes, tmp_path):
    weights = twin(classes).state_dict()
    torch.save(weights, tmp_path / "small.pth")
    classifier = load_classifier(tmp_path / "small.pth", "small")
    same_weights(classifier.model, weights)
    assert not classifier.model.training
    assert classifier.name == str(tmp_path / "small.pth") and classifier.preprocessing == PREPROCESSING
    assert classifier.class_names == (
        imagenet_class_names() if classes == 1000 else tuple(f"class {k}" for k in range(classes))
    )


def test_what_published_files_do_differently(tmp_path):
    """1001 rows, another name of the last layer, torch.nn.DataParallel: all at once."""
    weights = twin(1001).state_dict()
    published = {f"module.{name.replace('fc.', 'last_linear.')}": value for name, value in weights.items()}
    torch.save({"state_dict": published, "epoch": 3}, tmp_path / "small.pth")
    classifier = load_classifier(str(tmp_path / "small.pth"), "small")
    same_weights(classifier.model, {n: v[1:] if n.startswith("fc.") else v for n, v in weights.items()})
    assert classifier.class_names == imagenet_class_names()
    published = {name: value[:7] if "last_linear" in name else value for name, value in published.items()}
    torch.save(published, tmp_path / "small.pth")
    assert len(load_classifier(tmp_path / "small.pth", "small").class_names) == 7


def test_given_names_preprocessing_and_options(tmp_path):
    torch.save(twin(3).state_dict(), tmp_path / "small.pth")
    other = Preprocessing(36, 36)
    classifier = load_classifier(
        tmp_path / "small.pth", "small", class_names=["x", "y", "z"], preprocessing=other, num_classes=3
    )
    assert classifier.class_names == ("x", "y", "z") and classifier.preprocessing is other
    assert load_classifier(tmp_path / "small.pth", "unprepared", preprocessing=other).preprocessing is other


@pytest.mark.parametrize("transformed", [True, False])
def test_torchvisions_googlenet(transformed, tmp_path):
    """As published: with auxiliary heads, for images of other units, which the network makes of the usual ones."""
    network = TWINS["googlenet"](num_classes=4, width=0.25, transform_input=transformed).eval()
    torch.save(network.state_dict(), tmp_path / "googlenet.pth")
    options = {} if transformed else {"transform_input": False}
    classifier = load_classifier(tmp_path / "googlenet.pth", "googlenet", width=0.25, **options)
    assert classifier.preprocessing == models.entry("googlenet").preprocessing
    assert not classifier.model.aux_logits and classifier.model.transform_input == transformed
    picture = noise(300, 260)
    images = torch.from_numpy(prepare(picture, classifier.preprocessing)[None])
    with torch.no_grad():
        expected = network(images).double().softmax(1)[0]
    with mc.use_kernels("reference"):
        (found,) = probabilities(classifier, [picture])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_own_preprocessing_leaves_the_input_alone(tmp_path):
    torch.save(TWINS["googlenet"](num_classes=4, width=0.25).state_dict(), tmp_path / "a.pth")
    given = {"preprocessing": Preprocessing(256, 224), "width": 0.25}
    assert not load_classifier(tmp_path / "a.pth", "googlenet", **given).model.transform_input


def keras_file(path, network, model):
    """Write random numbers as Keras does; return them by our names."""
    arrays = random_arrays(model)
    style = STYLES["keras 3" if path.suffix == ".keras" else "keras 2"]
    layers = named_layers(network, style, arrays)
    h5 = path.with_name("inner.h5")
    with h5py.File(h5, "w") as file:
        if path.suffix == ".keras":
            write_keras3(file, layers)
        else:
            write_legacy(file, style, layers)
    if path.suffix == ".keras":
        write_zip(path, h5.read_bytes())
    else:
        h5.rename(path)
    return arrays


@pytest.mark.parametrize("network", ["xception", "inception_v3"])
@pytest.mark.parametrize("name", ["a.h5", "a.keras", "a.pth"])
def test_keras_files_have_other_options(network, name, tmp_path):
    """They are found by content, whatever their name."""
    path = tmp_path / name
    options = {**KERAS_OPTIONS[network], "width": 0.125}
    model = models.create(network, num_classes=6, **options)
    written = path.with_suffix(".h5") if name == "a.pth" else path
    arrays = keras_file(written, network, model)
    written.rename(path)
    classifier = load_classifier(path, network, width=0.125)
    assert classifier.preprocessing == KERAS_PREPROCESSING[network]
    assert classifier.class_names == tuple(f"class {k}" for k in range(6))
    state = classifier.model.state_dict()
    for key, array in arrays.items():
        np.testing.assert_array_equal(state[key], array)
    if network == "inception_v3":
        assert not classifier.model.transform_input


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "small.pth"
    weights = twin(5).state_dict()
    for changed, message in (
        ({**weights, "fc.weight": torch.zeros(5, 9)}, "fc.weight is .*5, 9.*, not "),
        ({**weights, "fc.weight": torch.zeros(0, 6), "fc.bias": torch.zeros(0)}, "fc.weight is .*0, 6"),
        ({**weights, "fc.weight": torch.zeros(10**7, 0)}, "fc.weight is"),
        ({**weights, "fc.weight": torch.zeros(())}, "fc.weight is"),
        ({"conv.weight": weights["conv.weight"]}, "missing in the file"),
        ({"other": torch.zeros(3)}, "missing in the file"),
    ):
        torch.save(changed, path)
        with pytest.raises(CheckpointError, match=rf"(?s)small\.pth: does not fit the model Small.*{message}"):
            load_classifier(path, "small")
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(CheckpointError, match="damaged or truncated zip archive"):
        load_classifier(path, "small")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"nothing")
    with pytest.raises(CheckpointError, match=r"Keras has weights of .*, the model is Small"):
        load_classifier(path, "small")
    with pytest.raises(CheckpointError, match="absent: no such file"):
        load_classifier(tmp_path / "absent", "small")


def test_files_without_enough_said(tmp_path):
    torch.save(twin(5).state_dict(), tmp_path / "small.pth")
    path = tmp_path / "small.pth"
    with pytest.raises(ConfigError, match=r"small\.pth: which network are these weights of\? Give its name with --mod"):
        load_classifier(path)
    with pytest.raises(ConfigError, match="--model gogglenet: unknown; choose one of alexnet, "):
        load_classifier(path, "gogglenet")
    with pytest.raises(ConfigError, match="unprepared has no published weights; give the folder of a training run"):
        load_classifier(path, "unprepared")
    with pytest.raises(ConfigError, match=r"small\.pth: has 5 classes, but there are names for 3"):
        load_classifier(path, "small", class_names=["a", "b", "c"])


# ------------------------------------------------------------------------------------------------- fetched


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the weights of "small", and of another network with wrong checksums."""
    torch.save(twin(1000).state_dict(), tmp_path / "served.pth")
    content = (tmp_path / "served.pth").read_bytes()
    monkeypatch.setenv("MINCEPTION_DATA", str(tmp_path / "cache"))
    with running_server() as server:
        server.content = content
        digest = hashlib.sha256(content).hexdigest()[:8]
        monkeypatch.setitem(PUBLISHED, "small", Published(f"{server.url}small-{digest}.pth", sha256=digest))
        monkeypatch.setitem(PUBLISHED, "unprepared", Published(f"{server.url}a.pth", sha256="12345678"))
        yield server


def test_published_weights_are_fetched_once(server, tmp_path):
    for _ in range(2):
        classifier = load_classifier(model="small")
        same_weights(classifier.model, twin(1000).state_dict())
        assert classifier.name.startswith(str(tmp_path / "cache" / "weights" / "small-"))
    assert len(server.paths) == 1 and classifier.class_names == imagenet_class_names()


def test_published_weights_that_cannot_be_fetched(server):
    with pytest.raises(RunError, match=r"(?s)checksum .*\nFetch http://.*a\.pth on another machine and give the file"):
        load_classifier(model="unprepared")
    server.statuses = [404]
    with pytest.raises(RunError, match="the server answered 404"):
        load_classifier(model="small")
    with pytest.raises(ConfigError, match="--model tiny: its weights cannot be fetched; give a file with --weights"):
        load_classifier(model="tiny")
    with pytest.raises(ConfigError, match="--model big: unknown"):
        load_classifier(model="big")
    with pytest.raises(ConfigError, match="name a network: --model NAME, or --weights and the folder of a"):
        load_classifier()


# --------------------------------------------------------------------------------------------------- runs


def record(run):
    return json.loads((run / "config.json").read_text())


def test_a_run(run):
    classifier = load_classifier(run)
    saved = record(run)["data"]
    assert classifier.class_names == tuple(saved["class_names"]) and len(saved["class_names"]) == 10
    assert classifier.preprocessing == Preprocessing(32, 32, tuple(saved["mean"]), tuple(saved["std"]))
    assert not classifier.model.training
    same_weights(classifier.model, checkpoint.load_weights(run / "best.safetensors"))
    assert load_classifier(run, "tiny").class_names == classifier.class_names
    assert load_classifier(run, class_names="0123456789").class_names == tuple("0123456789")


def test_pictures_are_prepared_as_in_training(run):
    """What the network sees of a picture of 32x32 pixels is what evaluation shows it."""
    chosen = datasets.select("synthetic", limit_train=60, limit_test=3)
    saved = record(run)["data"]
    statistics = data.ChannelStatistics(np.array(saved["mean"]), np.array(saved["std"]))
    expected = data.evaluation_transform(statistics)(chosen.test.images)
    classifier = load_classifier(run)
    for image, array in zip(chosen.test.images, expected, strict=True):
        picture = np.ascontiguousarray(image.transpose(1, 2, 0))
        np.testing.assert_allclose(prepare(open_picture(picture), classifier.preprocessing), array, atol=1e-5)


def test_which_weights_of_a_run(run):
    """The best, else the last, else those of the checkpoint; or those that are named."""
    values = {name: checkpoint.load_weights(run / f"{name}.safetensors") for name in ("best", "weights")}
    values["weights"] = {name: np.array(array) for name, array in values["weights"].items()}
    values["weights"]["fc.bias"][0] += 1  # the last epoch may have been the best
    checkpoint.save_weights(run / "weights.safetensors", values["weights"])
    last = checkpoint.load(run / "checkpoint.safetensors")["model"]
    same_weights(load_classifier(run).model, values["best"])
    same_weights(load_classifier(run / "weights.safetensors").model, values["weights"])
    same_weights(load_classifier(run / "checkpoint.safetensors").model, last)
    assert load_classifier(run / "weights.safetensors", "tiny").class_names == tuple(record(run)["data"]["class_names"])
    (run / "best.safetensors").unlink()
    same_weights(load_classifier(run).model, values["weights"])
    (run / "weights.safetensors").unlink()
    same_weights(load_classifier(run).model, last)


def test_runs_with_auxiliary_heads_and_width(minception, tmp_path, monkeypatch):
    """The network of the run is built, without the heads."""
    monkeypatch.setattr("minception.train.plots.curves", lambda history: b"no picture")
    options = "--model googlenet --width 0.125 --aux-logits --data synthetic --limit-train 4 --limit-test 2"
    quick = "--batch-size 4 --epochs 1 --threads 1 --kernels reference --no-progress --output run"
    assert minception("train", *options.split(), *quick.split()) == 0
    classifier = load_classifier("run")
    assert not classifier.model.aux_logits and classifier.model.stem == "cifar"
    saved = checkpoint.load_weights("run/best.safetensors")
    assert any(name.startswith("aux1") for name in saved)
    same_weights(classifier.model, {name: value for name, value in saved.items() if not name.startswith("aux")})


def test_wrong_runs(run, tmp_path):
    with pytest.raises(ConfigError, match=r"--model small: .*run is a run of tiny"):
        load_classifier(run, "small")
    with pytest.raises(TypeError, match="a training run has its own options, got width"):
        load_classifier(run, width=0.5)
    with pytest.raises(ConfigError, match="run: has 10 classes, but there are names for 2"):
        load_classifier(run, class_names=["a", "b"])
    with pytest.raises(RunError, match=r": not the folder of a training run: it holds none of best\.safetensors, wei"):
        load_classifier(tmp_path)
    right = record(run)
    wrong = [
        {},
        {**right, "data": {**right["data"], "class_names": []}},
        {**right, "data": {**right["data"], "class_names": [1, 2]}},
        {**right, "data": {**right["data"], "mean": [0.5]}},
        {**right, "data": {**right["data"], "std": [0.5, 0.5, 0.0]}},
        {**right, "data": {**right["data"], "std": [0.5, 0.5, float("nan")]}},
        {**right, "data": {**right["data"], "mean": [0.5, 0.5, float("inf")]}},
        {**right, "config": 3},
        [],
    ]
    for content in wrong:
        (run / "config.json").write_text(json.dumps(content))
        with pytest.raises(RunError, match=r"config\.json: damaged, or not the config\.json of a training run"):
            load_classifier(run)
    (run / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match=r"config\.json: damaged"):
        load_classifier(run)
    (run / "config.json").write_text(json.dumps({**right, "config": {"model": "tiny"}}))
    with pytest.raises(ConfigError, match="settings saved by another version"):
        load_classifier(run)
    (run / "config.json").write_text(json.dumps({**right, "config": {**right["config"], "model": "gone"}}))
    with pytest.raises(ConfigError, match=r"run: its model is gone: unknown; choose one of"):
        load_classifier(run)
    (run / "config.json").unlink()
    with pytest.raises(RunError, match=r"not the folder of a training run: it holds no config\.json"):
        load_classifier(run)
    with pytest.raises(ConfigError, match="which network are these weights of"):
        load_classifier(run / "best.safetensors")


def test_the_errors_of_pictures_are_their_own():
    assert not issubclass(PictureError, (RunError, ConfigError, CheckpointError))
