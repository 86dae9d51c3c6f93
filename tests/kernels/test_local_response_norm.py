"""Local response normalisation: its defaults, its window, and a scale that overflows."""

import numpy as np
import torch.nn.functional as F

from minception.kernels.reference.local_response_norm import local_response_norm, local_response_norm_backward
from tests.compare import assert_close, torch_grads


def test_defaults_are_those_of_torch(rng):
    x = 30 * rng.standard_normal((2, 6, 3, 3))
    output, _ = local_response_norm(x, 5)
    expected, _ = torch_grads(lambda t: F.local_response_norm(t, 5), np.ones(x.shape), x)
    assert_close(output, expected, terms=5)


def test_even_window_reaches_further_to_the_front():
    x = np.array([1.0, 2.0, 3.0, 5.0]).reshape(1, 4, 1, 1)
    _, scale = local_response_norm(x, size=4, alpha=4.0, k=0.0)
    # channels c - 2 ... c + 1
    np.testing.assert_array_equal(scale.ravel(), [1 + 4, 1 + 4 + 9, 1 + 4 + 9 + 25, 4 + 9 + 25])


def test_a_square_that_overflows_answers_as_in_torch():
    """In float32: 1e30 squared is infinite, and the number divided by a power of it zero."""
    x = np.array([0, np.inf, 1, 1e30], np.float32).reshape(1, 4, 1, 1)
    output, scale = local_response_norm(x, 2)
    grad_x = local_response_norm_backward(np.ones_like(x), x, scale, 2)
    expected, (expected_grad,) = torch_grads(lambda t: F.local_response_norm(t, 2), np.ones_like(x), x)
    assert_close(output, expected)
    assert_close(grad_x, expected_grad)
