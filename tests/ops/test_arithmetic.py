"""Arithmetic against torch: broadcasting, reflected operands, powers at their corners, matrix products of all ranks."""

import operator

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.compare import assert_close
from tests.kernels.inputs import arrays, dtypes, seeds
from tests.ops.check import broadcastable, check

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("operation", BINARY)
@given(operands=broadcastable(), seed=seeds)
def test_binary_operators_broadcast(operation, operands, seed):
    a, b = operands
    if operation is operator.truediv:
        b = np.where(np.abs(b) < 0.1, b.dtype.type(0.5), b)
    check(operation, operation, a, b, seed=seed)


@given(operands=broadcastable(), seed=seeds)
def test_power_of_a_positive_base(operands, seed):
    a, b = operands
    check(operator.pow, operator.pow, np.abs(a) + a.dtype.type(0.1), b, seed=seed)


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


def test_division_by_zero_is_that_of_torch():
    a = np.array([1.0, -1.0, 0.0, 2.0, np.inf])
    b = np.array([0.0, 0.0, 0.0, np.inf, np.inf])
    check(operator.truediv, operator.truediv, a, b)


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


def test_negation_and_functions(rng):
    x, y = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    check(operator.neg, operator.neg, x)
    check(F.add, torch.add, x, y)
    check(lambda a, b: F.scaled_add(a, b, 0.17), lambda a, b: a + 0.17 * b, x, y)
    with pytest.raises(ValueError, match="scaled_add"):
        F.scaled_add(mc.Tensor(x), mc.Tensor(y[:1]), 0.17)


def test_one_tensor_as_both_operands(rng):
    x = rng.uniform(0.5, 2, (2, 3))
    for operation in (*BINARY, operator.pow):
        check(lambda t, f=operation: f(t, t), lambda t, f=operation: f(t, t), x, scale=4.0)
    square = rng.standard_normal((3, 3))
    check(lambda t: t @ t, lambda t: t @ t, square)


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        mc.Tensor([1.0, 2.0]) + mc.Tensor([1.0, 2.0, 3.0])


def test_unknown_operands_are_refused():
    for operand in ("a", None, object(), 1j):
        with pytest.raises(TypeError):
            mc.Tensor([1.0]) + operand


# Matrix products

MATMUL_SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((5, 1, 2, 3), (1, 4, 3, 2)),
    ((4, 2, 3), (5, 4, 3, 1)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((0, 2, 3), (3, 4)),
    ((0,), (0,)),
]


@pytest.mark.parametrize(("a_shape", "b_shape"), MATMUL_SHAPES)
@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_matmul_of_all_ranks(a_shape, b_shape, data, dtype, seed):
    a, b = data.draw(arrays(a_shape, dtype)), data.draw(arrays(b_shape, dtype))
    scale = max(1.0, np.abs(a).max(initial=0) * max(3.0, np.abs(b).max(initial=0)) * 3)
    check(operator.matmul, operator.matmul, a, b, seed=seed, scale=scale)


@given(data=st.data(), sizes=st.tuples(*[st.integers(1, 5)] * 3), seed=seeds)
def test_transposed_operands(data, sizes, seed):
    m, k, n = sizes
    a, b = data.draw(arrays((k, m), np.float64)), data.draw(arrays((n, k), np.float64))
    assume(np.any(a) and np.any(b))
    check(lambda a, b: a.T @ b.T, lambda a, b: a.T @ b.T, a, b, seed=seed, scale=100.0)


@pytest.mark.parametrize(
    ("a", "b", "error", "words"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), ValueError, r"matmul: inner sizes differ in shapes \(2, 3\) and \(2, 3\)"),
        (np.ones(3), np.ones(2), ValueError, "matmul: inner sizes"),
        (np.ones(()), np.ones(2), ValueError, "matmul: operands must have at least 1 dimension"),
        (np.ones((2, 2)), np.ones((2, 2), np.float32), RuntimeError, "matmul: both operands must have one dtype"),
        (np.ones((2, 1, 2)), np.ones((3, 2, 1)), ValueError, "broadcast"),
    ],
)
def test_matmul_errors(a, b, error, words):
    with pytest.raises(error, match=words):
        mc.Tensor(a) @ mc.Tensor(b)


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
