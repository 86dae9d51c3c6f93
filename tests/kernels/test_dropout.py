"""Inverted dropout: its statistics and its repeatability."""

import numpy as np
import pytest

from minception.kernels.reference.dropout import dropout

from .inputs import LAYOUTS, in_layout

PROBABILITIES = [0.0, 0.1, 0.5, 0.9, 1.0]


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(400, 500), (20, 10, 20, 50)])
def test_drops_the_fraction_p_everywhere_and_keeps_the_mean(shape, p, dtype):
    output, mask = dropout(np.ones(shape, dtype), p, generator())
    np.testing.assert_array_equal(output, mask)
    deviation = np.sqrt(p * (1 - p))  # of one element's "kept or not"
    for axis in range(len(shape)):
        others = tuple(a for a in range(len(shape)) if a != axis)
        kept = (mask != 0).mean(axis=others)  # a share for each index along the axis
        assert np.abs(kept - (1 - p)).max() < 6 * deviation / np.sqrt(mask.size / shape[axis])
    assert abs(mask.mean(dtype=np.float64) - 1) < 6 * deviation / (1 - p) / np.sqrt(mask.size)


def test_extremes():
    x = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(dropout(x, 0, generator())[0], x)
    for result in dropout(x, 1, generator()):
        np.testing.assert_array_equal(result, np.zeros(3))


@pytest.mark.parametrize("shape", [(6,), (4, 6), (3, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_seed_and_the_shape_alone_decide_the_mask(rng, shape, layout):
    x = rng.standard_normal(shape)
    _, expected = dropout(x, 0.5, generator(7))
    _, mask = dropout(in_layout(x, layout), 0.5, generator(7))
    np.testing.assert_array_equal(mask, expected)


def test_the_generator_moves_on_alike_for_every_p():
    x = np.zeros((5, 7))
    states = set()
    for p in PROBABILITIES:
        used = generator()
        _, first = dropout(x, p, used)
        _, second = dropout(x, p, used)
        assert p in (0, 1) or (first != second).any()
        states.add(used.bit_generator.state["state"]["state"])
    assert len(states) == 1
