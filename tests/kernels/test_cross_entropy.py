"""Fused softmax and cross-entropy against torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference.cross_entropy import (
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from tests.compare import assert_close, torch_grads

from .inputs import arrays, dtypes, fill, in_layout, largest, oracle, seeds, unmodified

INF, NAN = np.inf, np.nan
REDUCTIONS = ("none", "mean", "sum")
IGNORED = -100


def torch_cross_entropy(labels, label_smoothing=0.0, reduction="mean", weight=None, ignore_index=IGNORED):
    """torch's loss as a function of the logits; the weight takes their dtype."""
    labels = torch.tensor(np.array(labels, np.int64, order="C"))

    def loss(logits):
        tensor_weight = None if weight is None else logits.new_tensor(np.asarray(weight))
        return F.cross_entropy(
            logits,
            labels,
            tensor_weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )

    return loss


@st.composite
def batches(draw, dtype):
    """(logits, labels, options): any mixture of weights (some zero), ignored labels, smoothing and reduction."""
    n, classes = draw(st.integers(0, 6)), draw(st.integers(1, 6))
    logits = draw(arrays((n, classes), dtype)) * dtype(draw(st.sampled_from([1.0, 10.0, 1e4])))
    ignore_index = draw(st.sampled_from([IGNORED, -1, 0, classes - 1, classes + 3]))
    candidates = st.integers(0, classes - 1) | st.just(ignore_index)
    label_dtype = draw(st.sampled_from([np.int64, np.int32, np.int16]))
    labels = np.array(draw(st.lists(candidates, min_size=n, max_size=n)), label_dtype)
    labels = in_layout(labels, draw(st.sampled_from(["contiguous", "reversed"])))
    weight = None
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(seeds))
        weight = (rng.random(classes) * (rng.random(classes) < 0.8)).astype(dtype)
    return (
        logits,
        labels,
        {
            "label_smoothing": draw(st.sampled_from([0.0, 0.1, 1.0]) | st.floats(0, 1)),
            "reduction": draw(st.sampled_from(REDUCTIONS)),
            "weight": weight,
            "ignore_index": ignore_index,
        },
    )


@given(st.data(), dtypes)
def test_equals_torch(data, dtype):
    logits, labels, options = data.draw(batches(dtype))
    n, classes = logits.shape
    grad_output = data.draw(arrays((n,) if options["reduction"] == "none" else (), dtype, ["normal"]))
    weight = options["weight"]
    with unmodified(logits, labels, grad_output, *([] if weight is None else [weight])):
        loss, log_probabilities = softmax_cross_entropy(logits, labels, **options)
        grad = softmax_cross_entropy_backward(grad_output, log_probabilities, labels, **options)
    assert isinstance(loss, np.ndarray)

    expected, (expected_grad,) = oracle(torch_cross_entropy(labels, **options), grad_output, logits)
    assert_close(
        log_probabilities, torch.log_softmax(torch.tensor(logits), 1), terms=classes, scale=magnitude(logits)
    )
    assert_close(loss, expected, terms=n * classes, scale=max(largest(expected), magnitude(logits)))
    # the gradient is a difference of numbers up to |grad_output|, over the sum of weights if that is small;
    # an error of log-probabilities l of relative size u makes one of |l| * u in the probabilities
    scale = max(largest(grad_output), largest(expected_grad)) * min(magnitude(logits), 40)
    assert_close(grad, expected_grad, terms=classes, scale=scale)


def magnitude(logits):
    """Size of the numbers that log-probabilities are made of."""
    return max(1.0, 2 * largest(logits))


@pytest.mark.parametrize("weight", [None, [0.0, 1.0, 2.0]])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(seeds)
def test_infinities_and_nan_answer_as_torch(weight, label_smoothing, reduction, seed):
    rng = np.random.default_rng(seed)
    logits = fill("nonfinite", (3, 3), np.float64, rng)
    labels = np.array([rng.integers(3), rng.integers(3), IGNORED])
    kind = rng.choice(["normal", "nonfinite"])
    grad_output = fill(kind, (3,) if reduction == "none" else (), np.float64, rng)
    weight = None if weight is None else np.array(weight)
    options = {"label_smoothing": label_smoothing, "reduction": reduction, "weight": weight}
    loss, log_probabilities = softmax_cross_entropy(logits, labels, **options)
    grad = softmax_cross_entropy_backward(grad_output, log_probabilities, labels, **options)
    expected, (expected_grad,) = torch_grads(torch_cross_entropy(labels, **options), grad_output, logits)
    assert_close(loss, expected, terms=9, scale=10)
    assert_close(grad, expected_grad, terms=9, scale=10 * max(1.0, largest(grad_output)))


def test_by_hand():
    # probabilities 1/4 and 3/4; the target of smoothing 0.2 is (0.1, 0.9)
    logits = np.log(np.array([[1.0, 3.0]]))
    loss, log_probabilities = softmax_cross_entropy(logits, np.array([1]), label_smoothing=0.2)
    np.testing.assert_allclose(loss, -0.1 * np.log(0.25) - 0.9 * np.log(0.75), rtol=1e-15)
    grad = softmax_cross_entropy_backward(
        np.array(2.0), log_probabilities, np.array([1]), label_smoothing=0.2
    )
    np.testing.assert_allclose(grad, [[2 * (0.25 - 0.1), 2 * (0.75 - 0.9)]], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits(dtype):
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], dtype)
    labels = np.array([0, 1])
    loss, log_probabilities = softmax_cross_entropy(logits, labels, reduction="none")
    np.testing.assert_array_equal(loss, np.array([0, 2e4], dtype), strict=True)
    grad = softmax_cross_entropy_backward(np.ones(2, dtype), log_probabilities, labels, reduction="none")
    np.testing.assert_array_equal(grad, [[0, 0], [1, -1]])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("labels", [[], [IGNORED] * 3])
def test_nothing_to_count(labels, reduction):
    labels = np.array(labels, int)
    logits = np.ones((len(labels), 4))
    loss, log_probabilities = softmax_cross_entropy(logits, labels, reduction=reduction)
    expected = {"none": np.zeros(len(labels)), "mean": np.array(NAN), "sum": np.array(0.0)}[reduction]
    np.testing.assert_array_equal(loss, expected, strict=True)
    grad_output = np.ones(loss.shape)
    grad = softmax_cross_entropy_backward(grad_output, log_probabilities, labels, reduction=reduction)
    np.testing.assert_array_equal(grad, np.zeros_like(logits), strict=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int8])
def test_labels_of_any_integer_dtype(dtype):
    logits = np.array([[1.0, 2.0, 4.0]] * 3)
    expected, _ = softmax_cross_entropy(logits, np.array([2, 0, 1]), reduction="none")
    loss, _ = softmax_cross_entropy(logits, np.array([2, 0, 1], dtype), reduction="none")
    np.testing.assert_array_equal(loss, expected)


LOGITS, LABELS = np.zeros((4, 3)), np.array([0, 1, 2, 0])
BAD_CALLS = [
    ({"labels": np.array([0, 3, -1, 0])}, ValueError, r"labels\[1\] is 3, expected 0 to 2 \(3 classes\) or"),
    ({"labels": np.array([0, 1, -1, 9])}, ValueError, r"labels\[2\] is -1, expected 0 to 2"),
    ({"labels": np.array([0, -100, 0, 0]), "ignore_index": -1}, ValueError, r"labels\[1\] is -100, .* -1$"),
    ({"labels": np.array([0, 2**64 - 100, 0, 0], np.uint64)}, ValueError, r"labels\[1\] is 18446744"),
    ({"labels": LABELS.astype(float)}, TypeError, "labels must be an array of integers, got float64"),
    ({"labels": LABELS > 0}, TypeError, "labels must be an array of integers, got bool"),
    ({"labels": [0, 1, 2, 0]}, TypeError, "labels must be an array of integers, got list"),
    ({"labels": LABELS[:3]}, ValueError, r"labels must have shape \(4,\) .*, got \(3,\)"),
    ({"labels": LABELS[:, None]}, ValueError, r"labels must have shape \(4,\) .*, got \(4, 1\)"),
    ({"logits": LOGITS[0]}, ValueError, r"must have 2 dimensions \(N, C\), got shape \(3,\)"),
    ({"logits": LOGITS[:, :0]}, ValueError, r"must have at least one class, got shape \(4, 0\)"),
    ({"logits": LOGITS.astype(int)}, TypeError, "must be float32 or float64, got int64"),
    ({"weight": np.ones(4)}, ValueError, r"weight must have shape \(3,\)"),
    ({"weight": np.ones(3, np.float32)}, TypeError, "all arrays must have one dtype"),
    ({"weight": [1.0, 1.0, 1.0]}, TypeError, "weight must be an array, got list"),
    ({"label_smoothing": -0.1}, ValueError, r"label_smoothing must be between 0 and 1, got -0\.1"),
    ({"label_smoothing": 1.5}, ValueError, r"label_smoothing must be between 0 and 1, got 1\.5"),
    ({"label_smoothing": NAN}, ValueError, "label_smoothing must be between 0 and 1, got nan"),
    ({"label_smoothing": "0"}, TypeError, "label_smoothing must be a real number, got '0'"),
    ({"reduction": "average"}, ValueError, "reduction must be .*, got 'average'"),
    ({"reduction": None}, ValueError, "reduction must be .*, got None"),
    ({"ignore_index": 1.0}, TypeError, r"ignore_index must be an integer, got 1\.0"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD_CALLS)
def test_bad_calls(arguments, error, words):
    arguments = {"labels": LABELS, **arguments}
    logits = arguments.pop("logits", LOGITS)
    with pytest.raises(error, match=f"^softmax_cross_entropy: .*{words}"):
        softmax_cross_entropy(logits, **arguments)
    with pytest.raises(error, match=f"^softmax_cross_entropy_backward: .*{words}"):
        softmax_cross_entropy_backward(np.zeros(()), logits, **arguments)


def test_bad_gradients():
    with pytest.raises(
        ValueError, match=r'grad_output must have shape \(\) \(the loss with reduction "mean"\)'
    ):
        softmax_cross_entropy_backward(np.zeros(4), LOGITS, LABELS)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(4,\)"):
        softmax_cross_entropy_backward(np.zeros(()), LOGITS, LABELS, reduction="none")
    with pytest.raises(TypeError, match="all arrays must have one dtype"):
        softmax_cross_entropy_backward(np.zeros((), np.float32), LOGITS, LABELS)
