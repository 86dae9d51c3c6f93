"""The linear layer against torch's."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.nn.twins import assert_same


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 4), (1, 4), (2, 3, 4), (2, 1, 3, 4), (4,)])
def test_linear_is_torchs(shape, bias, rng):
    x = rng.normal(size=shape)
    assert_same(nn.Linear(4, 5, bias), torch.nn.Linear(4, 5, bias), x, rng, modes=[True])


def test_transposed_input_gives_the_same(rng):
    layer = nn.Linear(4, 5).double()
    x = rng.normal(size=(4, 3))
    np.testing.assert_allclose(
        np.asarray(layer(mc.from_numpy(x.T))), np.asarray(layer(mc.Tensor(x.T.copy()))), rtol=1e-13
    )


def test_parameters_have_torchs_names_and_shapes():
    assert {n: p.shape for n, p in nn.Linear(4, 5).named_parameters()} == {"weight": (5, 4), "bias": (5,)}
    assert nn.Linear(4, 5, bias=False).bias is None


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((0, 3), ValueError, "in_features must be a positive integer"),
        ((3, -1), ValueError, "out_features must be a positive integer"),
        ((3.0, 1), TypeError, "in_features must be an integer"),
    ],
)
def test_wrong_arguments_fail_at_construction(args, error, words):
    with pytest.raises(error, match=words):
        nn.Linear(*args)


def test_wrong_input_fails_at_the_call():
    with pytest.raises(ValueError, match="linear"):
        nn.Linear(4, 5)(mc.Tensor(np.zeros((2, 3), np.float32)))
