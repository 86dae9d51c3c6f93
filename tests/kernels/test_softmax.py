"""Softmax and log-softmax: laws, and accuracy where the probability vanishes."""

import numpy as np

from minception.kernels.reference.softmax import log_softmax, softmax


def test_sums_to_one_and_ignores_a_shift(rng):
    x = rng.standard_normal((4, 1000)) * 10
    np.testing.assert_allclose(softmax(x, 1).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(x + 512.0, 1), softmax(x, 1), rtol=1e-11)
    np.testing.assert_allclose(np.exp(log_softmax(x, 1)), softmax(x, 1), rtol=1e-12)


def test_log_softmax_is_exact_where_the_probability_rounds_to_zero():
    np.testing.assert_array_equal(log_softmax(np.array([0.0, -1e4]), 0), [0, -1e4])
