"""Activation layers against torch's."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.nn.twins import assert_same

LAYERS = {
    "ReLU": (nn.ReLU(), torch.nn.ReLU()),
    "ELU": (nn.ELU(), torch.nn.ELU()),
    "ELU, alpha": (nn.ELU(0.3), torch.nn.ELU(0.3)),
    "Softmax": (nn.Softmax(1), torch.nn.Softmax(1)),
    "Softmax, last": (nn.Softmax(dim=-1), torch.nn.Softmax(dim=-1)),
    "LogSoftmax": (nn.LogSoftmax(0), torch.nn.LogSoftmax(0)),
}


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 1, 5)])
@pytest.mark.parametrize("name", LAYERS)
def test_activation_is_torchs(name, shape, rng):
    assert_same(*LAYERS[name], rng.normal(size=shape), rng, modes=[True])


@pytest.mark.parametrize("name", ["ReLU", "ELU"])
def test_activation_at_zero_is_torchs(name, rng):
    assert_same(*LAYERS[name], rng.integers(-1, 2, size=(4, 5)).astype(float), rng, modes=[True])


def test_extreme_logits_stay_finite():
    y = nn.LogSoftmax(1)(mc.Tensor(np.array([[1e4, -1e4]])))
    np.testing.assert_array_equal(np.asarray(y), [[0.0, -2e4]])


@pytest.mark.parametrize("layer", [nn.Softmax, nn.LogSoftmax])
def test_the_axis_must_be_given(layer):
    with pytest.raises(TypeError, match="dim"):
        layer()
