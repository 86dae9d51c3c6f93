"""Fixtures: the tiny network, and the command line in this process."""

import pytest

from minception.cli import main
from tests.train import tiny

QUICK = [
    *("--model", "tiny", "--data", "synthetic", "--limit-train", "90", "--limit-test", "40"),
    *("--batch-size", "16", "--threads", "1", "--kernels", "reference", "--no-progress"),
]  # 6 steps an epoch, the last of 10 images


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    """The network is known as "tiny" for the time of the test."""
    monkeypatch.setattr("minception.models.registry._ENTRIES", dict(tiny.models.registry._ENTRIES))
    tiny.register()


@pytest.fixture
def minception(tmp_path, monkeypatch):
    """Call the command from an empty folder: minception("train", ...) -> exit status."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture
def quick(minception, monkeypatch):
    """Train the tiny network, without drawing curves: quick("--output", path, ...) -> exit status."""
    monkeypatch.setattr("minception.train.plots.curves", lambda history: b"no picture")
    return lambda *arguments: minception("train", *QUICK, *arguments)
