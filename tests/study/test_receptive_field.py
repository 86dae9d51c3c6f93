"""Receptive fields: by hand, as published, and against which pixels a gradient reaches."""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minception as mc
import minception.functional as F
from minception import models, nn
from minception.study import summarize
from minception.study.receptive_field import field_size, receptive_fields
from minception.study.trace import trace

WHOLE = "whole image"


def field(model, size=40, channels=1):
    """(height, width) that the output of a model depends on."""
    recorded = trace(model, size, channels)
    return field_size(receptive_fields(recorded)[recorded.outputs[0]])


def conv(kernel_size, **options):
    return nn.Conv2d(1, 1, kernel_size, **options)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([conv(1)], (1, 1)),
        ([conv(3), conv(3)], (5, 5)),
        ([conv(3, padding=1), nn.ReLU(), nn.BatchNorm2d(1), conv(3, padding=1), conv(3)], (7, 7)),
        ([nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2)], (7, 7)),
        ([nn.MaxPool2d(2), conv(3)], (6, 6)),
        ([conv(7, stride=2, padding=3), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)], (11, 11)),
        ([conv(3, padding=1), conv(3), nn.MaxPool2d(2)] * 2, (16, 16)),  # VGG-16 up to its second pool
        ([conv((1, 7)), conv((7, 1))], (7, 7)),
        ([conv((1, 7)), nn.AvgPool2d((2, 1))], (2, 7)),
        ([conv(3, dilation=2), conv(3, dilation=4)], (13, 13)),
        ([nn.AvgPool2d(2), nn.DepthwiseConv2d(1, 3)], (6, 6)),
        ([conv(5, padding="same"), nn.LocalResponseNorm(3)], (5, 5)),
        ([conv(1, stride=2), conv(3)], (5, 5)),
        ([nn.AdaptiveAvgPool2d(20)], (2, 2)),
        ([nn.AdaptiveAvgPool2d((40, 5)), conv(2)], (2, 16)),
        ([nn.AdaptiveAvgPool2d(12)], (4, 4)),  # 40 pixels in 12 windows: the first has pixels 0 to 3, the second 3 to 6
        ([nn.AdaptiveAvgPool2d(80)], (1, 1)),
        ([conv(3), nn.GlobalAvgPool2d()], WHOLE),
        ([conv(3), nn.AdaptiveAvgPool2d(1), conv(1)], WHOLE),
        ([conv(3), nn.Flatten(), nn.Linear(38 * 38, 2)], WHOLE),
        ([conv(31, stride=3), conv(4), nn.Flatten(), nn.Linear(1, 2), nn.Softmax(1)], (40, 40)),  # one pixel is left
    ],
)
def test_chains(layers, expected):
    assert field(nn.Sequential(*layers)) == expected


class Joined(nn.Module):
    """Branches whose outputs are added or, by `how`, joined in another way."""

    def __init__(self, *branches, how=lambda a, b: a + b):
        super().__init__()
        self.branches, self.how = nn.ModuleList(branches), how

    def forward(self, x):
        first, *others = (branch(x) for branch in self.branches)
        for other in others:
            first = self.how(first, other)
        return first


@pytest.mark.parametrize("how", [lambda a, b: a + b, lambda a, b: F.cat([a, b], dim=1), lambda a, b: F.maximum(a, b)])
def test_branches_see_their_union(how):
    branches = conv(1), nn.Sequential(conv(3, padding=1), conv(3, padding=1)), nn.MaxPool2d(3, 1, padding=1)
    assert field(Joined(*branches, how=how)) == (5, 5)
    assert field(nn.Sequential(Joined(*branches, how=how), nn.AvgPool2d(2))) == (6, 6)


def test_branches_that_are_shifted_see_more_than_each():
    """Two windows of 2 reach from the pixel itself to two further on, one of 3 from one before to one after."""
    ahead = nn.Sequential(conv(2, padding="same"), conv(2, padding="same"))
    assert field(ahead) == field(conv(3, padding=1)) == (3, 3)
    assert field(Joined(ahead, conv(3, padding=1))) == (4, 4)


def test_a_gate_sees_the_whole_image():
    def gate(a, b):
        return a * F.global_avg_pool2d(b)

    assert field(Joined(conv(1), conv(1), how=gate)) == WHOLE


# RECEPTIVE_FIELD_TABLE.md of https://github.com/google-research/receptive_field, which belongs to Araujo, Norris and
# Sim (2019); the fields of modules there are those of layers here.
PUBLISHED = {
    "alexnet": {"features.0": 11, "features.2": 19, "features.3": 51, "features.6": 99, "features.12": 195},
    "vgg16": {"features.4": 6, "features.9": 16, "features.16": 44, "features.23": 100, "features.30": 212},
    "inception_v2": {
        "conv1_7x7_s2": 7,
        "inception_3a": 59,
        "inception_3b": 91,
        "inception_3c": 123,
        "inception_4a": 187,
        "inception_4d": 379,
        "inception_4e": 443,
        "inception_5a": 571,
        "inception_5b": 699,
    },
    "inception_v3": {"Mixed_7c": 1311},
    "inception_v4": {"features.21": 2071},
    "inception_resnet_v2": {"conv2d_7b": 3039},
}


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name in models.names()])
def test_as_published(name):
    options = {"num_classes": 2, "width": 0.1, "aux_logits": False}
    accepted = inspect.signature(models.entry(name).constructor).parameters
    model = models.create(name, **{option: value for option, value in options.items() if option in accepted})
    summary = summarize(model, models.entry(name).input_size)
    seen = {row.name: row.receptive_field for row in summary.rows}
    assert {layer: seen[layer] for layer in PUBLISHED[name]} == {k: (v, v) for k, v in PUBLISHED[name].items()}
    assert summary.receptive_field[0] == max(PUBLISHED[name].values())


def positive(module):
    """The module with weights that are all positive, so that no two paths can cancel."""
    for parameter in module.parameters():
        parameter.data = np.full(parameter.shape, 0.5)
    return module


@st.composite
def windows(draw, stride):
    """A convolution or an average pool that keeps the size of its input but for the stride, an odd window."""
    height, width = (draw(st.sampled_from([1, 3, 5])) for _ in range(2))
    if draw(st.booleans()):
        dilation = draw(st.integers(1, 2))
        padding = ((height - 1) * dilation // 2, (width - 1) * dilation // 2)
        return nn.Conv2d(1, 1, (height, width), stride, padding, dilation, bias=False)
    return nn.AvgPool2d((height, width), stride, (height // 2, width // 2))


@st.composite
def parts(draw):
    """A few layers in a chain, or two or three chains side by side."""
    stride = draw(st.sampled_from([1, 1, 2, 3]))

    def chain():
        return nn.Sequential(draw(windows(stride)), *(draw(windows(1)) for _ in range(draw(st.integers(0, 2)))))

    chains = [chain() for _ in range(draw(st.integers(1, 3)))]
    if len(chains) == 1:
        return chains[0]
    if draw(st.booleans()):
        # An even window sees further to one side: this branch is shifted against the others.
        chains[0].insert(0, nn.Conv2d(1, 1, draw(st.sampled_from([2, (2, 4), (4, 1)])), padding="same", bias=False))
    return Joined(*chains)


@given(st.lists(parts(), min_size=1, max_size=3), st.integers(0, 3))
def test_is_the_extent_of_the_gradient(chain, offset):
    """The pixels that change one output in the middle span that field, if no weight is 0 or negative."""
    model, size = positive(nn.Sequential(*chain).double()), 120 + offset
    images = mc.Tensor(np.ones((1, 1, size, size)), requires_grad=True)
    output = model(images)
    middle = output.shape[2] // 2
    output[0, 0, middle, middle].backward()
    recorded = trace(model, size, 1)
    for axis, extent in zip((1, 0), receptive_fields(recorded)[recorded.outputs[0]], strict=True):
        first, last = extent.first + middle * extent.jump, extent.last + middle * extent.jump
        assume(first >= 0 and last < size)  # else the border cuts it off
        reached = np.flatnonzero(np.asarray(images.grad)[0, 0].any(axis=axis))
        assert (reached[0], reached[-1]) == (first, last)
        assert extent.size == last - first + 1
