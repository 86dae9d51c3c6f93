"""The cross-entropy module against torch's."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.compare import assert_close

WEIGHT = np.array([0.5, 2.0, 1.0, 0.25])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_torchs(weighted, smoothing, reduction, dtype, rng):
    weight = WEIGHT if weighted else None
    options = {"ignore_index": 2, "reduction": reduction, "label_smoothing": smoothing}
    loss = nn.CrossEntropyLoss(None if weight is None else mc.Tensor(weight), **options).to(dtype)
    twin = torch.nn.CrossEntropyLoss(None if weight is None else torch.tensor(weight), **options)
    assert repr(loss) == repr(twin)
    logits = rng.normal(size=(7, 4)).astype(dtype)
    labels = np.array([0, 3, 2, 1, 1, 2, 0])
    x = mc.Tensor(logits, requires_grad=True)
    y = loss(x, labels)
    x_twin = torch.tensor(logits.astype(np.float64), requires_grad=True)
    y_twin = twin(x_twin, torch.tensor(labels))
    cotangent = rng.normal(size=tuple(y_twin.shape))
    y.backward(cotangent.astype(dtype))
    y_twin.backward(torch.tensor(cotangent.astype(dtype).astype(np.float64)))
    assert_close(y, y_twin.detach().numpy().astype(dtype), terms=28)
    assert_close(x.grad, x_twin.grad.numpy().astype(dtype), terms=28)


def test_labels_may_be_a_tensor(rng):
    logits = mc.Tensor(rng.normal(size=(3, 4)))
    loss = nn.CrossEntropyLoss()
    assert float(loss(logits, np.array([1, 0, 3]))) == float(loss(logits, mc.Tensor(np.array([1, 0, 3]))))


def test_weight_is_a_buffer_as_in_torch():
    loss = nn.CrossEntropyLoss(mc.Tensor(WEIGHT))
    twin = torch.nn.CrossEntropyLoss(torch.tensor(WEIGHT))
    assert list(loss.state_dict()) == list(twin.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == list(torch.nn.CrossEntropyLoss().state_dict()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reduction": "average"}, "reduction must be 'none', 'mean' or 'sum'"),
        ({"label_smoothing": 1.5}, "label_smoothing must be between 0.0 and 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing must be between 0.0 and 1.0"),
    ],
)
def test_wrong_arguments_fail_at_construction(options, words):
    with pytest.raises(ValueError, match=words):
        nn.CrossEntropyLoss(**options)


def test_label_out_of_range_fails():
    with pytest.raises(ValueError, match="4"):
        nn.CrossEntropyLoss()(mc.Tensor(np.zeros((2, 4))), np.array([0, 4]))
