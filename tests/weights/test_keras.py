"""Keras's own networks and ours with the same random weights give the same logits."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import minception as mc
from minception import models
from minception.weights.keras import KERAS_OPTIONS, KERAS_PREPROCESSING, read_keras
from tests.weights.keras_models import NETWORKS, assert_same, model_head

OWN_NAME = {"inception_resnet_v2": "block17_20_conv", "inception_v3": "conv2d_93", "xception": "block13_sepconv1"}


def run_keras(network, folder, height, width, *forms):
    """Let Keras write files and logits into `folder` (see keras_reference.py); return the numbers by name."""
    arguments = [network, str(folder), str(height), str(width), *forms]
    subprocess.run(
        [sys.executable, "-m", "tests.weights.keras_reference", *arguments],
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_HOME": str(folder), "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"},
    )
    return dict(np.load(folder / "numbers.npz"))


def logits_of(model, images):
    with mc.no_grad():
        return np.asarray(model(mc.Tensor(images.transpose(0, 3, 1, 2))))


@pytest.fixture
def folder(tmp_path):
    """A folder whose large files do not outlive the test."""
    yield tmp_path
    for path in tmp_path.glob("weights.*"):
        path.unlink()


FORMS = {
    "inception_resnet_v2": ["h5", "keras"],
    "inception_v3": ["h5", "keras", "weights.h5"],
    "xception": ["h5", "keras", "weights.h5", "no_head.keras", "nested.h5", "nested.keras"],
}


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_are_those_of_keras(network, folder):
    numbers = run_keras(network, folder, 107, 96, *FORMS[network])  # an odd and an even side
    model = models.create(network, num_classes=10, **KERAS_OPTIONS[network]).eval()
    first = read_keras(folder / "weights.h5", model)
    for form in FORMS[network][1:]:
        other = read_keras(folder / f"weights.{form}", model)
        missing = {f"{model_head(network)}.{name}" for name in ("weight", "bias")} if "no_head" in form else set()
        assert_same(other, {name: array for name, array in first.items() if name not in missing})
    with h5py.File(folder / "weights.h5") as file:
        assert "conv2d" not in file["model_weights"]  # the numbers do not start at the first

    model.load_state_dict(first)
    scale = np.abs(numbers["logits"]).max()
    assert scale > 0.1
    # In float32 the two agree as well as Keras with itself in float64; measured 3e-6 to 6e-6 of the largest.
    assert np.abs(logits_of(model, numbers["images"]) - numbers["single_logits"]).max() < 1e-4 * scale
    # In float64 about 200 layers of rounding; measured 1e-14.
    assert np.abs(logits_of(model.double(), numbers["images"].astype(float)) - numbers["logits"]).max() < 1e-11 * scale


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_logits_at_native_size_are_those_of_keras(network, folder):
    numbers = run_keras(network, folder, 299, 299, "h5")
    model = models.create(network, num_classes=10, **KERAS_OPTIONS[network]).eval().double()
    model.load_state_dict(read_keras(folder / "weights.h5", model))
    error = np.abs(logits_of(model, numbers["images"].astype(float)) - numbers["logits"]).max()
    assert error < 1e-11 * np.abs(numbers["logits"]).max()


@pytest.mark.parametrize("network", NETWORKS)
def test_preprocessing_is_mode_tf(network):
    facts = KERAS_PREPROCESSING[network]
    values = np.arange(256.0)
    for mean, std in zip(facts.mean, facts.std, strict=True):
        np.testing.assert_allclose((values * facts.scale - mean) / std, values / 127.5 - 1, atol=1e-15)
    assert facts.crop == models.entry(network).input_size and facts.channels == "RGB"
