"""The loss of networks with auxiliary heads."""

import numpy as np
import pytest
import torch

import minception.functional as F
from minception import Tensor
from minception.models import GoogLeNetOutputs, InceptionOutputs, classification_loss
from minception.models.auxiliary import main_logits


def logits(count):
    rng = np.random.default_rng(0)
    return [Tensor(rng.standard_normal((4, 5)), requires_grad=True) for _ in range(count)]


LABELS = np.array([0, 3, 4, 1])


@pytest.mark.parametrize(("kind", "count", "weight"), [(GoogLeNetOutputs, 3, 0.3), (InceptionOutputs, 2, 0.4)])
def test_heads_count_with_their_weight(kind, count, weight):
    tensors = logits(count)
    theirs = [torch.tensor(np.asarray(tensor), requires_grad=True) for tensor in tensors]
    cross_entropy = torch.nn.functional.cross_entropy
    losses = [cross_entropy(tensor, torch.tensor(LABELS), label_smoothing=0.1) for tensor in theirs]
    expected = losses[0] + weight * sum(losses[1:])
    loss = classification_loss(kind(*tensors), LABELS, label_smoothing=0.1)
    np.testing.assert_allclose(float(loss), expected.item(), rtol=1e-14)
    loss.backward()
    expected.backward()
    for ours, their in zip(tensors, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(ours.grad), their.grad.numpy(), rtol=1e-13, atol=1e-17)
    assert main_logits(kind(*tensors)) is tensors[0]


def test_plain_logits():
    (tensor,) = logits(1)
    loss = classification_loss(tensor, LABELS, label_smoothing=0.1)
    assert float(loss) == float(F.cross_entropy(tensor, LABELS, label_smoothing=0.1))
    assert main_logits(tensor) is tensor
