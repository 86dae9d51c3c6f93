"""Flatten and Identity against torch's."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.nn.twins import assert_same


@pytest.mark.parametrize("args", [(), (0,), (2,), (1, 2), (0, -2), (-1, -1)])
def test_flatten_is_torchs(args, rng):
    x = rng.normal(size=(2, 3, 4, 5))
    assert_same(nn.Flatten(*args), torch.nn.Flatten(*args), x, rng, modes=[True])


def test_flatten_of_channels_last_memory_keeps_the_logical_order(rng):
    x = rng.normal(size=(2, 4, 5, 3)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(np.asarray(nn.Flatten()(mc.from_numpy(x))), x.reshape(2, -1))


def test_identity_returns_its_input_and_ignores_arguments():
    x = mc.Tensor(np.ones(3))
    assert nn.Identity(54, unused_argument=0.1)(x) is x
    assert repr(nn.Identity(1)) == repr(torch.nn.Identity(1)) == "Identity()"
