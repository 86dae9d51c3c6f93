"""The PyTorch twins against published numbers: parameter names, shapes and counts, costs, batch-norm constants.

architectures/NAME.txt holds a line per entry of the published state_dict, after two comments with the numbers.
Networks are made on torch's meta device, where nothing is computed.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.models.twins import TWINS
from tests.models.twins.googlenet import GoogLeNet
from tests.models.twins.inception_v1_modules import Inception, InceptionNaive
from tests.models.twins.xception import SegmentedInception

LISTS = Path(__file__).parent / "architectures"
NAMES = sorted(path.stem for path in LISTS.glob("*.txt"))


@dataclass(frozen=True)
class Published:
    """What a list says. `entries` are pairs (name, shape)."""

    input_size: int
    parameters: int
    auxiliary: int
    multiply_accumulates: int
    eps: float
    momentum: float
    entries: tuple


def read(name):
    lines = (LISTS / f"{name}.txt").read_text().splitlines()
    header, body = lines[1], lines[2:]

    def number(pattern):
        found = re.search(pattern + r" ([\d,.e-]*\d)", header)
        return float(found[1].replace(",", "")) if found else 0

    entries = tuple((key, tuple(map(int, shape.split("x")))) for key, shape in map(str.split, body))
    return Published(
        int(number("input")),
        int(number("parameters")),
        int(number("of which auxiliary heads")),
        int(number("native size, eval:")),
        number("eps"),
        number("momentum"),
        entries,
    )


def make(name, **options):
    with torch.device("meta"):
        return TWINS[name](**options)


def count_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_accumulates(model, *shape):
    """Those of the convolutions and linear layers, for one image in evaluation."""
    total = 0

    def add(module, _, output):
        nonlocal total
        per_output = module.weight[0].numel()
        total += output.numel() * per_output

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(add)
    with torch.no_grad():
        model.eval()(torch.empty(1, *shape, device="meta"))
    return total


@pytest.mark.parametrize("name", NAMES)
def test_state_dict(name):
    state = make(name).state_dict()
    entries = [(key, tuple(value.shape)) for key, value in state.items() if not key.endswith("num_batches_tracked")]
    assert entries == list(read(name).entries)


@pytest.mark.parametrize("name", NAMES)
def test_costs_and_constants(name):
    published, model = read(name), make(name)
    assert count_parameters(model) == published.parameters
    if published.auxiliary:
        assert published.parameters - count_parameters(make(name, aux_logits=False)) == published.auxiliary
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(published.eps, published.momentum)}
    size = published.input_size
    assert count_multiply_accumulates(model, 3, size, size) == published.multiply_accumulates


def test_header_is_read():
    published = read("googlenet")
    assert (published.input_size, published.parameters, published.auxiliary) == (224, 13_004_888, 6_379_984)
    assert (published.multiply_accumulates, published.eps, published.momentum) == (1_498_376_192, 1e-3, 0.1)
    assert len(NAMES) == 10


def test_paper_googlenet():
    assert count_parameters(make("googlenet_paper")) == 13_378_280
    model = make("googlenet_paper", aux_logits=False)
    assert count_parameters(model) == 6_998_552
    assert count_multiply_accumulates(model, 3, 224, 224) == 1_582_671_872


def test_googlenet_with_true_5x5():
    """torchvision's, were its third branch not 3x3."""

    class WithKernel5(GoogLeNet):
        def add_body(self, *arguments, kernel, **options):
            super().add_body(*arguments, **options, kernel=5)

    with torch.device("meta"):
        assert count_parameters(WithKernel5(aux_logits=False)) == 7_005_832


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("alexnet", 61_100_840),
        ("lenet5", 61_706),
        ("resnet18", 11_689_512),
        ("vgg16", 138_357_544),
        ("vgg16_bn", 138_365_992),
    ],
)
def test_companions(name, parameters):
    assert count_parameters(make(name)) == parameters


@pytest.mark.parametrize("name", ["googlenet", "googlenet_paper", "inception_v3"])
@pytest.mark.parametrize("size", [139, 299])
def test_outputs_in_training_and_evaluation(name, size):
    model, images = make(name, num_classes=7), torch.empty(2, 3, size, size, device="meta")
    heads = 1 if name == "inception_v3" else 2
    assert [tuple(output.shape) for output in model(images)] == [(2, 7)] * (1 + heads)
    assert model.eval()(images).shape == (2, 7)
    assert make(name, num_classes=7, aux_logits=False)(images).shape == (2, 7)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "xception"])
def test_small_images(name):
    """32x32 images pass with the stem for them, and `width` scales channels but not inputs and classes."""
    options = {"stem": "cifar", "width": 0.25, "num_classes": 7}
    if name != "xception":
        options["aux_logits"] = False
    model = make(name, **options)
    assert model(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 7)
    assert count_parameters(model) < count_parameters(make(name)) / 9


def test_modules():
    x = torch.empty(2, 24, 9, 11, device="meta")
    with torch.device("meta"):
        assert InceptionNaive(24, 8, 16, 4)(x).shape == (2, 8 + 16 + 4 + 24, 9, 11)
        assert Inception(24, 8, 4, 16, 2, 4, 12, batch_norm=False, kernel=3)(x).shape == (2, 40, 9, 11)
        for segments in (1, 3, 12):
            module = SegmentedInception(24, 12, segments)
            assert module(x).shape == (2, 12, 9, 11)
            assert count_parameters(module) == 24 * 12 + 9 * 12 * 12 // segments
