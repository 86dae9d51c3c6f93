"""Which layers give the logits: in every network of the registry, and where a model says so itself."""

import inspect

import pytest

from minception import models, nn
from minception.weights import head_names

from .files import Small

CLASSES = 17  # no other layer of a network has so many outputs


@pytest.mark.parametrize("name", models.names())
def test_the_heads_of_every_network(name):
    """All layers with as many outputs as there are classes, and no others; the network's own comes first."""
    options = {"width": 0.25} if "width" in inspect.signature(models.entry(name).constructor).parameters else {}
    model = models.create(name, num_classes=CLASSES, **options)
    layers = [(path, module) for path, module in model.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    expected = [path for path, module in layers if module.weight.shape[0] == CLASSES]
    heads = head_names(model)
    assert sorted(heads) == sorted(expected) and not heads[0].lower().startswith("aux")
    assert all(head.lower().startswith("aux") for head in heads[1:])


def test_auxiliary_heads():
    assert head_names(Small()) == ["fc"]
    assert head_names(Small(heads=2, name="logits")) == ["logits", "aux1.2", "aux2.2"]


def test_a_convolution_as_head():
    model = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 6, 3), nn.ReLU())
    assert head_names(model) == ["1"]


def test_a_model_that_says_so_itself():
    model = Small()
    model.head_names = ("pointwise",)
    assert head_names(model) == ["pointwise"]
    model.head_names = ("pointwise", "absent")
    with pytest.raises(ValueError, match="head_names: Small names 'absent', but has no such module"):
        head_names(model)


def test_models_without_a_head():
    with pytest.raises(ValueError, match="head_names: Sequential has no linear layer and no 1x1 convolution"):
        head_names(nn.Sequential(nn.ReLU()))
    with pytest.raises(TypeError, match="head_names: model must be a Module, got int"):
        head_names(3)
