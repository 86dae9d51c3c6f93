"""Fixtures: the small network, and the command line in this process."""

import pytest

from minception import models
from minception.cli import main
from tests.predict import small
from tests.train import tiny


@pytest.fixture(autouse=True)
def networks(monkeypatch):
    """The small networks are known for the time of the test."""
    monkeypatch.setattr("minception.models.registry._ENTRIES", dict(models.registry._ENTRIES))
    small.register()
    tiny.register()


@pytest.fixture
def minception(tmp_path, monkeypatch):
    """Call the command from an empty folder: minception("predict", ...) -> exit status."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture
def run(minception, tmp_path, monkeypatch, capsys):
    """A run of two epochs of the network "tiny" on ten shapes, in the folder "run" of the current folder."""
    monkeypatch.setattr("minception.train.plots.curves", lambda history: b"no picture")
    options = "--model tiny --data synthetic --limit-train 60 --limit-test 40 --batch-size 16 --epochs 2 --lr 0.3"
    quiet = "--threads 1 --kernels reference --no-progress --output run"
    assert minception("train", *options.split(), *quiet.split()) == 0
    capsys.readouterr()
    return tmp_path / "run"
