"""The cross-entropy module: its weight is part of the state."""

import numpy as np
import torch

import minception as mc
from minception import nn

WEIGHT = np.array([0.5, 2.0, 1.0, 0.25])


def test_weight_is_a_buffer_as_in_torch():
    loss = nn.CrossEntropyLoss(mc.Tensor(WEIGHT))
    twin = torch.nn.CrossEntropyLoss(torch.tensor(WEIGHT))
    assert list(loss.state_dict()) == list(twin.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == list(torch.nn.CrossEntropyLoss().state_dict()) == []
