"""Identity is the very same tensor."""

import numpy as np
import torch

import minception as mc
from minception import nn


def test_identity_returns_its_input_and_ignores_arguments():
    x = mc.Tensor(np.ones(3))
    assert nn.Identity(54, unused_argument=0.1)(x) is x
    assert repr(nn.Identity(1)) == repr(torch.nn.Identity(1)) == "Identity()"
