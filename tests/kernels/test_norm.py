"""The sum of squares in float64, and scaling: many arrays at once, of any size and form."""

import math

import numpy as np
import pytest

from minception import kernels
from minception.kernels import reference, threads
from minception.kernels.cpu.tables import SMALL


@pytest.mark.parametrize("count", [1, 2, 3])
def test_float32_squares_are_added_in_float64(rng, count):
    threads.set_num_threads(count)
    arrays = [rng.standard_normal(size).astype(np.float32) for size in (SMALL, 0, 33, 5000)]
    exact = math.fsum(float(x) ** 2 for a in arrays for x in a)
    for sum_of_squares in (kernels.sum_of_squares, reference.sum_of_squares):
        assert sum_of_squares(arrays) == pytest.approx(exact, rel=1e-13)
    assert kernels.sum_of_squares(arrays) == kernels.sum_of_squares(arrays)


def test_large_float32_squares_do_not_overflow():
    largest = np.finfo(np.float32).max
    assert kernels.sum_of_squares([np.full(1000, largest)]) == pytest.approx(1000 * float(largest) ** 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 31, 32, 4999])
def test_one_bad_element_is_seen(rng, bad, place):
    array = rng.standard_normal(5000).astype(np.float32)
    array[place] = bad
    assert not math.isfinite(kernels.sum_of_squares([np.ones(3, np.float32), array]))


def test_arrays_of_any_form(rng):
    arrays = [rng.standard_normal((4, 6)), rng.standard_normal((4, 6))[::2, ::-1], np.ones(3, np.float32), np.ones(())]
    expected = sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays)
    assert kernels.sum_of_squares(tuple(arrays)) == pytest.approx(expected, rel=1e-14)
    copies = [a.copy() for a in arrays]
    kernels.scale_all(arrays, 0.1)
    for a, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, copy * a.dtype.type(0.1))


def test_an_array_listed_twice_is_scaled_twice():
    for scale_all in (kernels.scale_all, reference.scale_all):
        a = np.ones(3)
        scale_all([a, a], 0.5)
        np.testing.assert_array_equal(a, 0.25)


def test_nothing_is_scaled_where_one_array_is_wrong():
    a, b = np.ones(3), np.ones(3)
    b.flags.writeable = False
    with pytest.raises(ValueError, match=r"scale_all: arrays\[1\] is written in place, but it is read-only"):
        kernels.scale_all([a, b], 0.5)
    np.testing.assert_array_equal(a, 1)
