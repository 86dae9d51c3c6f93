"""Every network, built as `minception train` builds it, takes a step on images of 32x32 pixels and classifies them."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from minception import Tensor, models, nn, optim
from minception.models.auxiliary import classification_loss, main_logits
from minception.train.build import build_model
from minception.train.config import TrainConfig

NARROW = 0.125


def settings():
    """What --model, --width and --aux-logits can ask for, narrow where that can be."""
    for name in models.names():
        options = inspect.signature(models.entry(name).constructor).parameters
        width = NARROW if "width" in options else None
        yield TrainConfig(model=name, width=width)
        if "aux_logits" in options:
            yield TrainConfig(model=name, width=width, aux_logits=True)


def name(config):
    return config.model + "-heads" * bool(config.aux_logits)


@pytest.mark.parametrize("config", list(settings()), ids=name)
def test_a_step_on_cifar(config):
    model = build_model(config, num_classes=10)
    rng = np.random.default_rng(0)
    images = Tensor(rng.standard_normal((4, 3, 32, 32)).astype(np.float32))
    labels = np.array([3, 0, 9, 3])
    outputs = model(images)
    assert isinstance(outputs, Tensor) != bool(config.aux_logits)
    first, second, *_ = main_logits(outputs).numpy()
    assert not np.array_equal(first, second), "the answer depends on the image"
    classification_loss(outputs, labels, label_smoothing=0.1).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not np.isfinite(p.grad.numpy()).all()]
    assert without == [], "every parameter takes part"
    optim.SGD(model.parameters(), lr=0.01).step()
    logits = model.eval()(images).numpy()
    assert logits.shape == (4, 10) and logits.dtype == np.float32 and np.isfinite(logits).all()


@pytest.mark.parametrize("config", [c for c in settings() if c.width and not c.aux_logits], ids=name)
def test_width_scales_the_cost(config):
    """Convolutions have width^2 as many weights, but for those at the images and the classifier."""
    with nn.init.skip_init():
        narrow = models.count_parameters(build_model(config, num_classes=10))
        full = models.count_parameters(build_model(replace(config, width=1.0), num_classes=10))
    assert narrow < 0.25 * full
