"""Concatenation, sum and scaled sum: what is new memory, and which dtype results have."""

import numpy as np
import pytest

from minception import kernels
from minception.kernels.reference.arithmetic import (
    add,
    concatenate,
    concatenate_backward,
    scaled_add,
    scaled_add_backward,
)

from .inputs import is_channels_last


class TestConcatenate:
    def test_joins_channels_by_default(self, rng):
        branches = [rng.standard_normal((2, channels, 3, 4)) for channels in (1, 5, 2)]
        output = concatenate(iter(branches))
        assert output.shape == (2, 8, 3, 4) and is_channels_last(output)
        for grad, branch in zip(concatenate_backward(output, (1, 5, 2)), branches, strict=True):
            np.testing.assert_array_equal(grad, branch)

    def test_one_array_is_copied(self, rng):
        x = rng.standard_normal((2, 3))
        assert not np.shares_memory(concatenate([x]), x)

    def test_gradients_are_views_of_the_gradient_of_the_output(self, rng):
        grad_output = rng.standard_normal((2, 6, 3))
        grads = concatenate_backward(grad_output, [1, 3, 2])
        assert isinstance(grads, tuple)
        assert all(np.shares_memory(grad, grad_output) for grad in grads)


def test_a_sum_is_new_memory(rng):
    x, y = rng.standard_normal((2, 3, 4))
    output = add(x, y)
    assert not np.shares_memory(output, x) and not np.shares_memory(output, y)


@pytest.mark.parametrize(("scale", "dtype"), [(np.float64(0.3), np.float32), (np.float32(0.3), np.float64)])
def test_a_scale_of_another_precision_leaves_the_dtype(scale, dtype):
    x = np.ones(3, dtype)
    np.testing.assert_array_equal(scaled_add(x, x, scale), x + x * dtype(scale), strict=True)
    np.testing.assert_array_equal(scaled_add_backward(x, scale)[1], x * dtype(scale), strict=True)


def test_slices_of_channels_are_joined_where_they_lie():
    """With images of one order in memory and of the other, and one without channels, where no number was before."""
    images = np.random.default_rng(0).standard_normal((2, 40, 40, 20), np.float32)
    last, first = images.transpose(0, 3, 1, 2), images.transpose(0, 3, 2, 1).copy()
    arrays = [last[:, 3:8], last, last[:, :0], first[:, 2:6], last[::-1]]
    kernels.concatenate([np.full_like(array, np.nan) for array in arrays])  # its memory is used again
    joined = kernels.concatenate(arrays)
    np.testing.assert_array_equal(joined, np.concatenate(arrays, axis=1), strict=True)
    assert is_channels_last(joined)
