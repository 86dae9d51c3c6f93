"""Classification losses against torch: reductions, smoothing, class weights, ignored labels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.kernels.inputs import arrays, dtypes, seeds
from tests.ops.check import check

REDUCTIONS = ["mean", "sum", "none"]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(data=st.data(), dtype=dtypes, smoothing=st.sampled_from([0.0, 0.1, 1.0]), weighted=st.booleans(), seed=seeds)
def test_cross_entropy(reduction, data, dtype, smoothing, weighted, seed):
    n, c = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 5)))
    logits = data.draw(arrays((n, c), dtype))
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 0.2, -100, rng.integers(0, c, n))
    labels[0] = max(labels[0], 0)
    weight = rng.uniform(0.5, 2, c).astype(dtype) if weighted else None
    check(
        lambda t: F.cross_entropy(t, labels, weight, reduction=reduction, label_smoothing=smoothing),
        lambda t: torch.nn.functional.cross_entropy(
            t,
            torch.tensor(labels),
            None if weight is None else torch.tensor(weight).double(),
            reduction=reduction,
            label_smoothing=smoothing,
        ),
        logits,
        seed=seed,
        scale=30.0,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_nll_loss(reduction, data, dtype, seed):
    n, c = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 5)))
    labels = np.random.default_rng(seed).integers(0, c, n)
    check(
        lambda t: F.nll_loss(t, labels, reduction=reduction),
        lambda t: torch.nn.functional.nll_loss(t, torch.tensor(labels), reduction=reduction),
        data.draw(arrays((n, c), dtype)),
        seed=seed,
    )


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


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: F.cross_entropy(x, [0, 4]), ValueError, r"labels\[1\] is 4, expected 0 to 3"),
        (lambda x: F.cross_entropy(x, [0.0, 1.0]), TypeError, "labels must be an array of integers"),
        (lambda x: F.cross_entropy(x, [0]), ValueError, "labels must have shape"),
        (lambda x: F.cross_entropy(x, [0, 1], reduction="max"), ValueError, "reduction"),
        (lambda x: F.cross_entropy(x, [0, 1], label_smoothing=2), ValueError, "label_smoothing"),
        (lambda x: F.nll_loss(x, [0, 4]), ValueError, r"nll_loss: target must lie in \[0, 4\), got 0..4"),
        (lambda x: F.nll_loss(x, [0, -1]), ValueError, "nll_loss: target must lie in"),
        (lambda x: F.nll_loss(x, [0]), ValueError, "nll_loss: expected input"),
        (lambda x: F.nll_loss(x[0], [0]), ValueError, "nll_loss: expected input"),
        (lambda x: F.nll_loss(x, [0, 1], reduction="max"), ValueError, "nll_loss: reduction"),
        (lambda x: F.nll_loss(x, [0.0, 1.0]), TypeError, "nll_loss: target must hold integers"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(mc.Tensor(np.zeros((2, 4))))
