"""The list of networks."""

import inspect

import pytest

from minception import models, nn

NAMES = models.names()


def test_names_are_sorted_and_public():
    assert sorted(NAMES) == NAMES
    assert set(NAMES) <= set(models.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_entry_is_complete(name):
    entry = models.entry(name)
    assert entry.name == name
    assert entry.constructor is getattr(models, name)
    assert entry.paper and inspect.getdoc(entry.constructor)
    assert entry.parameters > 0 and entry.multiply_accumulates > 0
    arguments = inspect.signature(entry.constructor).parameters
    assert list(arguments)[:2] == ["num_classes", "in_channels"]
    assert arguments["num_classes"].default == entry.num_classes
    assert arguments["in_channels"].default == entry.in_channels
    assert entry.small_images.keys() <= arguments.keys()
    if entry.preprocessing is not None:
        assert entry.preprocessing.crop == entry.input_size
        assert len(entry.preprocessing.mean) == len(entry.preprocessing.std) == entry.in_channels


@pytest.mark.parametrize("name", NAMES)
def test_registered_costs_are_those_of_the_network(name):
    entry = models.entry(name)
    with nn.init.skip_init():
        model = entry.constructor()
    assert models.count_parameters(model) == entry.parameters
    macs = models.count_multiply_accumulates(model, entry.input_size, entry.in_channels)
    assert macs == entry.multiply_accumulates
    assert model.training, "counting leaves the mode as it was"


def test_own_networks_can_be_added(monkeypatch):
    monkeypatch.setattr("minception.models.registry._ENTRIES", {})

    @models.register(paper="-", input_size=8, num_classes=2)
    def own_network(num_classes=2, in_channels=3):
        return ("built", num_classes, in_channels)

    assert models.names() == ["own_network"]
    assert models.create("own_network", num_classes=5) == ("built", 5, 3)
    assert models.entry("own_network") == models.Entry("own_network", own_network, "-", 8, num_classes=2)
