"""Every network of the registry on a device: a training step's forward and backward pass, and evaluation.

In float64, where what differs is rounding: the emulated kernels and the reference add up in other orders. Networks of a
few channels, so that emulating every thread of a GPU takes no longer than it must.
"""

import inspect

import numpy as np
import pytest

import minception as mc
from minception import models
from minception.models.auxiliary import classification_loss, main_logits
from tests.table.homes import HOMES

DEVICE = "cuda:0" if "cuda" in HOMES else "cuda:1"  # of a real GPU there may be only one
TOLERANCE = 1e-8  # of the largest magnitude: rounding errors of 2**-53, that batch norm over few pixels multiplies
SMALL = {"num_classes": 3, "in_channels": 3, "width": 0.04, "aux_logits": True, "dropout": 0.0, "dropout_aux": 0.0}

pytestmark = pytest.mark.usefixtures("cupy")


def build(name):
    mc.manual_seed(1)
    entry = models.entry(name)
    accepted = inspect.signature(entry.constructor).parameters
    options = {option: value for option, value in SMALL.items() if option in accepted}
    return models.create(name, **(entry.small_images | options)).double()


def run(name, device, kernels):
    """{what: array} of a training step and of evaluation after it."""
    model = build(name).to(device)
    size = 32 if name in ("lenet5", "vgg16", "vgg16_bn") else 12
    images = np.random.default_rng(0).standard_normal((3, 3, size, size))
    x = mc.Tensor(images, requires_grad=True, device=device)
    with mc.use_kernels(kernels):
        loss = classification_loss(model(x), mc.Tensor(np.array([2, 0, 1]), device=device), 0.1)
        loss.backward()
        with mc.no_grad():
            logits = main_logits(model.eval()(x))
    found = {"loss": loss, "logits": logits, "gradient of images": x.grad}
    found |= {f"gradient of {name}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert {t.device for t in found.values()} == {device} and len(found) > 8
    return {what: np.asarray(t.detach().cpu()) for what, t in found.items()} | model.state_dict()


@pytest.mark.parametrize("kernels", ["cuda", "reference"])
@pytest.mark.parametrize("name", models.names())
def test_equals_that_on_the_cpu(name, kernels):
    """With the kernels for a GPU, and with the reference's alone, whose NumPy functions are the device's there."""
    expected = run(name, "cpu", "reference")
    magnitude = {what: np.abs(array).max() for what, array in expected.items()}
    # Of a bias before batch norm the gradient is 0: what its terms cancel to is rounding of the size of the others.
    gradients = max(size for what, size in magnitude.items() if what.startswith("gradient of "))
    for what, array in run(name, DEVICE, kernels).items():
        size = gradients if what.startswith("gradient of ") else magnitude[what]
        if what.endswith("running_mean"):  # may be 0 too; what it is the mean of has this deviation
            size = max(size, magnitude[what.replace("mean", "var")] ** 0.5)
        assert np.abs(array - expected[what]).max() <= TOLERANCE * size, what
