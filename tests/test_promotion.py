"""Result dtypes against torch: every pair of dtypes, as tensors with dimensions, 0-d tensors and Python numbers."""

import itertools
import operator

import numpy as np
import pytest
import torch

import minception as mc
from minception.promotion import DTYPES, as_array, result_dtype
from tests.compare import assert_close
from tests.ops.check import assert_same

OPERATIONS = [operator.add, operator.mul, operator.truediv, operator.lt, operator.eq]
RANKS = [(2,), ()]
NUMBERS = [True, 2, -1, 2.5, 0.1]


def assert_promoted(actual, expected):
    """Equal dtype and shape; equal values, but for the last bit of floating ones."""
    if expected.is_floating_point():
        assert_close(actual, expected)
    else:
        assert_same(actual, expected)


def operand(dtype, shape, values=(1, 3)):
    return np.resize(np.array(values, dtype), shape)


def twins(array):
    return mc.Tensor(array), torch.tensor(array)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("a_dtype", DTYPES)
def test_two_tensors(operation, a_dtype):
    """All pairs of dtypes, with and without dimensions: dtype and values."""
    for b_dtype, a_shape, b_shape in itertools.product(DTYPES, RANKS, RANKS):
        a, a_twin = twins(operand(a_dtype, a_shape))
        b, b_twin = twins(operand(b_dtype, b_shape, (2, 3)))
        assert_promoted(operation(a, b), operation(a_twin, b_twin))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_and_a_python_number(operation, dtype):
    for number, shape in itertools.product(NUMBERS, RANKS):
        t, twin = twins(operand(dtype, shape))
        assert_promoted(operation(t, number), operation(twin, number))
        assert_promoted(operation(number, t), operation(number, twin))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != np.bool_])
def test_subtraction_and_power(dtype):
    for other, shape in itertools.product([d for d in DTYPES if d != np.bool_], RANKS):
        a, a_twin = twins(operand(dtype, (2,), (5, 3)))
        b, b_twin = twins(operand(other, shape, (2, 1)))
        assert_promoted(a - b, a_twin - b_twin)
        assert_promoted(a**b, a_twin**b_twin)


@pytest.mark.parametrize("scalar", [np.float64(0.1), np.float32(0.1), np.int8(3), np.bool_(True)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_scalars_promote_as_tensors_without_dimensions(scalar, dtype):
    """`np.float64(2) * tensor` keeps a float32 tensor float32."""
    t, twin = twins(operand(dtype, (2,)))
    assert_promoted(scalar * t, torch.tensor(np.asarray(scalar)) * twin)
    assert_promoted(t * scalar, twin * torch.tensor(np.asarray(scalar)))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("a_dtype", "b_dtype"), [("f4", "f8"), ("f8", "f4"), ("i8", "f4"), ("i4", "i8"), ("?", "f8")])
def test_arrays_promote_as_tensors(operation, a_dtype, b_dtype):
    a, b = operand(a_dtype, (2,)), operand(b_dtype, (2,), (2, 3))
    expected = operation(torch.tensor(a), torch.tensor(b))
    for ours in (operation(a, mc.Tensor(b)), operation(mc.Tensor(a), b), operation(mc.Tensor(a), mc.Tensor(b))):
        assert type(ours) is mc.Tensor
        assert_promoted(ours, expected)


def test_python_numbers_keep_their_precision_in_float64():
    x = mc.Tensor(np.ones(1))
    assert (x * 0.1).item() == 0.1
    assert (0.1 + x).item() == 1.1
    assert mc.where(np.array([True]), 0.1, x).item() == 0.1
    assert (x.sum() * 0.1).item() == 0.1


def test_python_numbers_alone_are_float32_and_int64():
    assert mc.where(True, 0.1, 2).dtype == np.float32
    assert mc.where(True, 1, 2).dtype == np.int64
    assert result_dtype(1, True) == np.int64


def test_gradients_return_in_the_dtype_of_their_operand():
    x = mc.Tensor(np.ones(3, np.float32), requires_grad=True)
    y = mc.Tensor(np.full(3, 2.0), requires_grad=True)
    (x * y).backward(np.array([1.0, 2.0, 3.0]))
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
    assert (x.grad.tolist(), y.grad.tolist()) == ([2, 4, 6], [1, 2, 3])


def test_gradients_of_intermediate_tensors_have_their_dtype():
    """A kernel that ran in float32 receives a float32 gradient, though what follows is float64."""
    x = mc.Tensor(np.ones(3, np.float32), requires_grad=True)
    middle = x.relu()
    dtypes = []
    middle.register_hook(lambda grad: dtypes.append(grad.dtype))
    (middle * np.full(3, 0.1)).sum().backward()
    assert dtypes == [np.float32]
    assert x.grad.dtype == np.float32


def test_comparisons_and_integers_are_not_recorded():
    x = mc.Tensor([1.0, 2.0], requires_grad=True)
    for result in (x > 1, x == x.double(), x.to(np.int64), x.max(0).indices, x.argmax()):
        assert not result.requires_grad
        assert result.grad_fn is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (1.5, np.float32),
        ([1, 2.5], np.float32),
        ([[1.5], [2]], np.float32),
        ([], np.float32),
        (3, np.int64),
        ([True, False], np.bool_),
        (np.float64(1.5), np.float64),
        ([1.5, np.float64(2)], np.float64),
        ([np.ones(2), np.zeros(2)], np.float64),
        (np.ones(2, np.float16), np.float16),
        ([mc.Tensor(1.5), mc.Tensor(2.5)], np.float32),
        (memoryview(np.ones(2)), np.float64),
        (torch.ones(2), np.float32),
    ],
)
def test_dtype_of_new_tensors(data, expected):
    assert as_array(data).dtype == expected
    assert mc.Tensor(data).dtype == expected
    assert mc.Tensor(data, dtype=np.float64).dtype == np.float64


@pytest.mark.parametrize("data", [1j, "a", None, object(), 2**63, np.ones(1, np.uint16), np.array(["a"]), {1: 2}])
def test_dtypes_that_tensors_cannot_have(data):
    with pytest.raises(TypeError, match="dtype"):
        mc.Tensor(data)
    with pytest.raises(TypeError, match="dtype"):
        mc.Tensor([1.0]) + data
    with pytest.raises(TypeError, match=r"to|dtype"):
        mc.Tensor([1.0]).to(np.complex64)
