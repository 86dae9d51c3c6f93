"""Classification losses: one made of the other, and whose labels count."""

import numpy as np
import pytest

import minception as mc
from minception import functional as F


def test_cross_entropy_is_nll_of_log_softmax(rng):
    logits, labels = rng.standard_normal((4, 3)), [0, 2, 1, 1]
    fused = F.cross_entropy(mc.Tensor(logits), labels)
    apart = F.nll_loss(F.log_softmax(mc.Tensor(logits), 1), mc.Tensor(labels))
    np.testing.assert_allclose(float(fused), float(apart), rtol=1e-14)


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_labels_are_those_of_the_call(loss, rng):
    """A loader may reuse the buffer of the labels before backward. Tensors and lists are labels, too."""
    logits = rng.standard_normal((3, 4))
    expected = mc.Tensor(logits, requires_grad=True)
    loss(expected, [0, 3, 1]).backward()
    for labels in (np.array([0, 3, 1]), mc.Tensor([0, 3, 1])):
        t = mc.Tensor(logits, requires_grad=True)
        value = loss(t, labels)
        labels[...] = np.array([1, 1, 1])
        value.backward()
        assert t.grad.tolist() == expected.grad.tolist()
