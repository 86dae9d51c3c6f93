"""The dropout layer: which elements survive, by what they are scaled, and where the randomness comes from."""

import math

import numpy as np
import pytest

import minception as mc
from minception import nn


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_training_zeroes_a_share_p_and_scales_the_rest(p, dtype, rng):
    mc.manual_seed(1)
    values = rng.uniform(1, 2, size=(40, 5, 10, 10)).astype(dtype)
    x = mc.Tensor(values, requires_grad=True)
    y = nn.Dropout(p)(x)
    kept = np.asarray(y) != 0
    np.testing.assert_allclose(np.asarray(y)[kept], values[kept] / (1 - p), rtol=4 * np.finfo(dtype).eps)
    # The count of zeros is binomial: five standard deviations are exceeded with probability below 1e-6.
    assert abs((~kept).sum() - p * kept.size) < 5 * math.sqrt(kept.size * p * (1 - p))
    # No axis shares its draws: along each of them the share of zeros stays near p too.
    for axis in range(4):
        others = tuple(a for a in range(4) if a != axis)
        count = kept.size // kept.shape[axis]
        assert np.abs((~kept).mean(axis=others) - p).max() < 5 * math.sqrt(p * (1 - p) / count)
    cotangent = rng.normal(size=values.shape).astype(dtype)
    y.backward(cotangent)
    expected = np.where(kept, cotangent / dtype(1 - p), dtype(0))
    np.testing.assert_allclose(np.asarray(x.grad), expected, rtol=4 * np.finfo(dtype).eps)


def test_evaluation_and_p_zero_pass_the_input():
    x = mc.Tensor(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(np.asarray(nn.Dropout(0.7).eval()(x)), np.asarray(x))
    np.testing.assert_array_equal(np.asarray(nn.Dropout(0)(x)), np.asarray(x))


def test_the_default_generator_decides():
    x = mc.Tensor(np.ones((8, 8)))
    layer = nn.Dropout(0.5)
    mc.manual_seed(3)
    first, second = np.asarray(layer(x)), np.asarray(layer(x))
    mc.manual_seed(3)
    np.testing.assert_array_equal(np.asarray(layer(x)), first)
    assert (first != second).any()
