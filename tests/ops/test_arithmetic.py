"""Arithmetic: powers at their corners, overflow, numbers, arrays and lists as operands, one tensor as both."""

import operator

import numpy as np
import pytest
import torch

import minception as mc
from tests.compare import assert_close
from tests.ops.check import check

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("exponent", [-2, -1, -0.5, 0, 0.5, 1, 2, 3, 2.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power_corners_are_those_of_torch(exponent, dtype):
    """Zero, negative, infinite and NaN bases, with the exponent as a number and as a tensor.

    The exponent of the oracle is a tensor, because for the number 0.5 torch takes a square root, which differs at
    -0 and -inf. NumPy does so for tensors of one element, too: -inf is left out there.
    """
    infinities = [np.inf] if exponent == 0.5 else [np.inf, -np.inf]
    base = np.array([0.0, -0.0, 1.0, -1.0, -2.0, 0.5, np.nan, *infinities], dtype)
    check(lambda x: x**exponent, lambda x: x ** torch.tensor([exponent]).double(), base)
    check(operator.pow, operator.pow, base, np.full(1, exponent, dtype))


@pytest.mark.parametrize("base", [0, 0.0, 1, 2.5])
def test_number_to_the_power_of_a_tensor(base):
    exponent = np.array([0.0, 1.0, -1.0, 0.5, 3.0])
    check(lambda x: base**x, lambda x: base**x, exponent)


def test_overflow_is_infinite_without_a_warning():
    x = mc.Tensor(np.array([3e38, -3e38, 0.0], np.float32), requires_grad=True)
    for infinite in (x + x, x * 10, x / 0.01, x**2 * x, x - 2 * -x):
        np.testing.assert_array_equal(infinite.numpy(), np.array([np.inf, -np.inf, 0], np.float32))
    ((x * 1e10) * 1e38).backward(np.full(3, 1e10, np.float32))
    np.testing.assert_array_equal(x.grad.numpy(), np.full(3, np.inf, np.float32))


@pytest.mark.parametrize("operation", [*BINARY, operator.pow])
@pytest.mark.parametrize("number", [2, 0.1, True, np.float64(1.7), np.float32(1.7), np.int64(3)])
def test_numbers_on_either_side(operation, number, rng):
    """A Python or NumPy number keeps the tensor's dtype, and its own precision in float64."""
    value = float(number)
    for dtype in (np.float32, np.float64):
        x = rng.uniform(0.5, 2, (3, 2)).astype(dtype)
        check(lambda t: operation(t, number), lambda t: operation(t, value), x)
        check(lambda t: operation(number, t), lambda t: operation(value, t), x)


@pytest.mark.parametrize("operation", [*BINARY, operator.pow, operator.matmul])
def test_arrays_on_either_side(operation, rng):
    """array + tensor is a tensor, through which gradients flow."""
    x, array = rng.uniform(0.5, 2, (3, 3)), rng.uniform(0.5, 2, (3, 3))
    check(lambda t: operation(t, array), lambda t: operation(t, torch.tensor(array)), x)
    check(lambda t: operation(array, t), lambda t: operation(torch.tensor(array), t), x)
    assert type(operation(array, mc.Tensor(x))) is mc.Tensor


def test_lists_are_operands(rng):
    x = rng.standard_normal((2, 3))
    check(lambda t: [1, 0.1, 3] * t, lambda t: t * torch.tensor([1, 0.1, 3]).double(), x.astype(np.float32))


def test_one_tensor_as_both_operands(rng):
    x = rng.uniform(0.5, 2, (2, 3))
    for operation in (*BINARY, operator.pow):
        check(lambda t, f=operation: f(t, t), lambda t, f=operation: f(t, t), x, scale=4.0)
    square = rng.standard_normal((3, 3))
    check(lambda t: t @ t, lambda t: t @ t, square)


def test_unknown_operands_are_refused():
    for operand in ("a", None, object(), 1j):
        with pytest.raises(TypeError):
            mc.Tensor([1.0]) + operand


# Matrix products


def test_gradients_that_nobody_needs_are_not_computed(rng):
    """Only one operand is recorded; the other keeps no gradient, and the first's is right."""
    x, constant = rng.uniform(0.5, 2, (3, 3)), rng.uniform(0.5, 2, (3, 3))
    for operation in (*BINARY, operator.pow, operator.matmul):
        t, other = mc.Tensor(x, requires_grad=True), mc.Tensor(constant)
        (operation(t, other).sum() + operation(other, t).sum()).backward()
        reference = torch.tensor(x, requires_grad=True)
        fixed = torch.tensor(constant)
        (operation(reference, fixed).sum() + operation(fixed, reference).sum()).backward()
        assert_close(t.grad, reference.grad, terms=9)
        assert other.grad is None
