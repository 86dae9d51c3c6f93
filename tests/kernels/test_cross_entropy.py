"""Fused softmax and cross-entropy: by hand, and at huge logits."""

import numpy as np
import pytest

from minception.kernels.reference.cross_entropy import softmax_cross_entropy, softmax_cross_entropy_backward


def test_by_hand():
    # probabilities 1/4 and 3/4; the target of smoothing 0.2 is (0.1, 0.9)
    logits = np.log(np.array([[1.0, 3.0]]))
    loss, log_probabilities = softmax_cross_entropy(logits, np.array([1]), label_smoothing=0.2)
    np.testing.assert_allclose(loss, -0.1 * np.log(0.25) - 0.9 * np.log(0.75), rtol=1e-15)
    grad = softmax_cross_entropy_backward(np.array(2.0), log_probabilities, np.array([1]), label_smoothing=0.2)
    np.testing.assert_allclose(grad, [[2 * (0.25 - 0.1), 2 * (0.75 - 0.9)]], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits(dtype):
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], dtype)
    labels = np.array([0, 1])
    loss, log_probabilities = softmax_cross_entropy(logits, labels, reduction="none")
    np.testing.assert_array_equal(loss, np.array([0, 2e4], dtype), strict=True)
    grad = softmax_cross_entropy_backward(np.ones(2, dtype), log_probabilities, labels, reduction="none")
    np.testing.assert_array_equal(grad, [[0, 0], [1, -1]])
