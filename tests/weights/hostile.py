"""What the tests of hostile and of damaged files share."""

import numpy as np
import pytest
import torch

from minception.weights import WeightsError, read_weights

SIX = np.arange(6, dtype=np.float32).tobytes()
HONEST = {"conv.weight": torch.arange(24.0).view(2, 3, 4), "bn.num_batches_tracked": torch.tensor(3)}


def refused(path, data, *words):
    path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and len(message) < 500
    for word in words:
        assert word in message
    return message
