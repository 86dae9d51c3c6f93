"""--width and --aux-logits: what they build, and networks that do not have them."""

import pytest

from minception import models
from minception.train.build import build_model
from minception.train.config import ConfigError, TrainConfig


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """A network that returns the options it was built with, which all have a default for 32x32 images but width."""

    def optional(num_classes, in_channels, stem="imagenet", width=1.0, aux_logits=True):
        return num_classes, in_channels, stem, width, aux_logits

    small = {"stem": "cifar", "aux_logits": False}
    entry = models.Entry("optional", optional, "-", 32, small_images=small)
    monkeypatch.setitem(models.registry._ENTRIES, "optional", entry)


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, (10, 3, "cifar", 1.0, False)),
        ({"width": 0.5}, (10, 3, "cifar", 0.5, False)),
        ({"aux_logits": True}, (10, 3, "cifar", 1.0, True)),
        ({"aux_logits": False}, (10, 3, "cifar", 1.0, False)),
    ],
)
def test_options(settings, options):
    assert build_model(TrainConfig(model="optional", **settings), 10) == options


@pytest.mark.parametrize("settings", [{"width": 0.5}, {"width": 1.0}, {"aux_logits": False}, {"aux_logits": True}])
def test_networks_without_the_option(settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')}: mini_inception does not have it"):
        build_model(TrainConfig(**settings), 10)


def test_the_run_is_not_begun(minception, tmp_path, capsys):
    assert minception("train", "--data", "synthetic", "--width", "0.5", "--output", "run", "--no-progress") == 2
    assert "--width: mini_inception does not have it" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
