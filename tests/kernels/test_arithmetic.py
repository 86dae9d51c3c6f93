"""Concatenation, sum and scaled sum against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from minception.kernels.reference.arithmetic import (
    add,
    add_backward,
    concatenate,
    concatenate_backward,
    scaled_add,
    scaled_add_backward,
)
from tests.compare import assert_close

from .inputs import arrays, dtypes, is_channels_last, largest, oracle, shapes, unmodified

KINDS = ("normal", "nonfinite")


class TestConcatenate:
    @given(
        st.data(),
        array_shapes(min_dims=1, max_dims=5, max_side=4),
        st.lists(st.integers(0, 3), min_size=1, max_size=4),
        dtypes,
    )
    def test_equals_torch(self, data, shape, sizes, dtype):
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        shape = list(shape)
        pieces = []
        for size in sizes:
            shape[axis] = size
            pieces.append(data.draw(arrays(tuple(shape), dtype, KINDS)))
        with unmodified(*pieces):
            output = concatenate(pieces, axis)
        grad_output = data.draw(arrays(output.shape, dtype, KINDS))
        grads = concatenate_backward(grad_output, sizes, axis)

        expected, expected_grads = oracle(lambda *tensors: torch.cat(tensors, axis), grad_output, *pieces)
        np.testing.assert_array_equal(output, expected, strict=True)
        assert isinstance(grads, tuple)
        for grad, wanted in zip(grads, expected_grads, strict=True):
            np.testing.assert_array_equal(grad, wanted, strict=True)
            assert grad.size == 0 or np.shares_memory(grad, grad_output)
        assert len(shape) != 4 or is_channels_last(output)

    def test_joins_channels_by_default(self, rng):
        branches = [rng.standard_normal((2, channels, 3, 4)) for channels in (1, 5, 2)]
        output = concatenate(iter(branches))
        assert output.shape == (2, 8, 3, 4) and is_channels_last(output)
        for grad, branch in zip(concatenate_backward(output, (1, 5, 2)), branches, strict=True):
            np.testing.assert_array_equal(grad, branch)

    def test_one_array_is_copied(self, rng):
        x = rng.standard_normal((2, 3))
        assert not np.shares_memory(concatenate([x]), x)


@given(st.data(), shapes, dtypes)
def test_add_equals_torch(data, shape, dtype):
    x, y, grad_output = (data.draw(arrays(shape, dtype, KINDS)) for _ in range(3))
    with unmodified(x, y):
        output = add(x, y)
    assert isinstance(output, np.ndarray) and not np.shares_memory(output, x)
    expected, expected_grads = oracle(torch.add, grad_output, x, y)
    assert_close(output, expected)
    for grad, wanted in zip(add_backward(grad_output), expected_grads, strict=True):
        np.testing.assert_array_equal(grad, wanted, strict=True)


@given(st.data(), shapes, st.sampled_from([1.0, 0.17, -2, 0, np.float64(0.3), np.float32(0.3)]), dtypes)
def test_scaled_add_equals_torch(data, shape, scale, dtype):
    x, y, grad_output = (data.draw(arrays(shape, dtype, KINDS)) for _ in range(3))
    with unmodified(x, y, grad_output):
        output = scaled_add(x, y, scale)
        grad_x, grad_y = scaled_add_backward(grad_output, scale)
    assert isinstance(output, np.ndarray) and isinstance(grad_y, np.ndarray)
    expected, (expected_x, expected_y) = oracle(lambda a, b: a + float(scale) * b, grad_output, x, y)
    assert_close(output, expected, scale=largest(x) + abs(scale) * largest(y))
    np.testing.assert_array_equal(grad_x, expected_x, strict=True)
    assert_close(grad_y, expected_y)


def test_a_scale_of_another_precision_leaves_the_dtype():
    x = np.ones(3, np.float32)
    assert scaled_add(x, x, np.float64(0.3)).dtype == np.float32
    assert scaled_add_backward(x, np.float64(0.3))[1].dtype == np.float32


IMAGE = np.zeros((2, 3, 4, 5))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: concatenate([]), ValueError, "^concatenate: arrays must hold at least one array"),
        (lambda: concatenate([IMAGE, IMAGE[:1]]), ValueError, r"arrays\[1\] must have shape \(2, 3, 4, 5\)"),
        (lambda: concatenate([IMAGE, IMAGE[0]]), ValueError, r"^concatenate: arrays\[1\] must have shape"),
        (lambda: concatenate([IMAGE], 4), ValueError, "axis 4 is out of range for an array"),
        (lambda: concatenate([IMAGE], 1.0), TypeError, "axis must be an integer"),
        (lambda: concatenate([np.zeros(())], 0), ValueError, "axis 0 is out of range"),
        (lambda: concatenate([IMAGE, IMAGE.astype("f4")]), TypeError, "all arrays must have one dtype"),
        (lambda: concatenate([IMAGE.astype(int)]), TypeError, r"arrays\[0\] must be float32 or float64"),
        (lambda: concatenate_backward(IMAGE, [1, 1]), ValueError, r"sizes must .* sum to 3 .* got \[1, 1\]"),
        (lambda: concatenate_backward(IMAGE, [4, -1]), ValueError, "sizes must be non-negative"),
        (lambda: concatenate_backward(IMAGE, []), ValueError, r"sizes must be .* got \[\]"),
        (lambda: concatenate_backward(IMAGE, [1.0, 2.0]), TypeError, "sizes must be an integer"),
        (lambda: concatenate_backward(IMAGE, [3], -5), ValueError, "axis -5 is out of range"),
        (lambda: add(IMAGE, IMAGE[0]), ValueError, r"^add: y must have shape \(2, 3, 4, 5\)"),
        (lambda: add(IMAGE, 1.0), TypeError, "^add: y must be an array, got float"),
        (lambda: add(IMAGE, IMAGE.astype("f4")), TypeError, "^add: all arrays must have one dtype"),
        (lambda: add_backward(IMAGE > 0), TypeError, "grad_output must be float32 or float64, got bool"),
        (lambda: scaled_add(IMAGE, IMAGE[:1], 0.1), ValueError, r"^scaled_add: y must have shape"),
        (lambda: scaled_add(IMAGE, IMAGE, "0.1"), TypeError, "^scaled_add: scale must be a real number"),
        (lambda: scaled_add(IMAGE, IMAGE, IMAGE), TypeError, "^scaled_add: scale must be a real number"),
        (lambda: scaled_add_backward(IMAGE, True), TypeError, "scale must be a real number, got True"),
    ],
)
def test_bad_calls(call, error, words):
    with pytest.raises(error, match=words):
        call()
