"""Operations that move elements: numbers, forms of an index, joining of several dtypes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import minception as mc
from tests.ops.check import assert_same, check
from tests.table.numbers import seeds
from tests.table.rows.shape import shapes


def test_scalars_take_the_axes_0_and_minus_1():
    x = np.array(2.0)
    for f in (lambda t: t.squeeze(0), lambda t: t.transpose(0, -1), lambda t: t.T, lambda t: t.permute()):
        check(f, lambda t: t * 1, x)
    for f in (lambda t: t.flatten(0, -1), lambda t: t.unsqueeze(-1), lambda t: t.reshape(1), lambda t: t.expand(1)):
        check(f, lambda t: t.reshape(1), x)


# Indexing


@pytest.mark.parametrize("index", [[0, 1, 0], [[0, 1], [1, 1]], [True, False, True], [-1], 1, np.int64(1)])
def test_an_index_is_a_list_an_array_or_a_tensor(index, rng):
    x = mc.Tensor(rng.standard_normal((3, 4)))
    expected = x.numpy()[index]
    forms = [index, np.array(index), mc.Tensor(np.array(index))]
    for form in (*forms, *((form,) for form in forms), *((form, slice(None)) for form in forms)):
        np.testing.assert_array_equal(x[form].numpy(), expected)


def test_indices_of_a_transposed_tensor_name_its_own_axes(rng):
    x = mc.Tensor(rng.standard_normal((3, 4)))
    np.testing.assert_array_equal(x.T[[3, 0], 1].numpy(), x.numpy()[1, [3, 0]])


@given(data=st.data(), shape=shapes, seed=seeds)
def test_basic_indexing_is_that_of_numpy(data, shape, seed):
    """Negative steps, too, which torch refuses. The gradient goes back to where the element came from."""
    x = np.random.default_rng(seed).standard_normal(shape)
    index = data.draw(basic_indices(shape, allow_newaxis=True))
    t = mc.Tensor(x, requires_grad=True)
    y = t[index]
    np.testing.assert_array_equal(np.asarray(y), x[index])
    cotangent = np.random.default_rng([seed, 1]).standard_normal(y.shape)
    y.backward(cotangent)
    expected = np.zeros(shape)
    expected[index] = cotangent
    np.testing.assert_array_equal(np.asarray(t.grad), expected)


def test_index_arrays_are_those_of_the_call():
    """A caller may reuse the index array before backward."""
    x = mc.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for index in (np.array([0, 0]), mc.Tensor([0, 0]), np.array([True, False, False])):
        x.grad = None
        y = x[index]
        index[...] = np.array(1, index.dtype)
        y.sum().backward()
        assert x.grad.tolist() == [len(y), 0, 0]


# Joining


def test_joining_promotes(rng):
    parts = [np.ones((1, 2), np.float32), np.ones((1, 2)), np.array([[1, 2]])]
    for kinds in (parts, parts[::-1], parts[::2], [parts[2], parts[2] > 1], [parts[2], parts[2].astype(np.int8)]):
        assert_same(mc.cat([mc.Tensor(p) for p in kinds]), torch.cat([torch.tensor(p) for p in kinds]))
    check(lambda a, b: mc.cat([a, b, a]), lambda a, b: torch.cat([a, b, a]), *rng.standard_normal((2, 3, 1)))
    x = mc.Tensor(np.ones(2, np.float32), requires_grad=True)
    mc.cat([x, mc.Tensor([3, 4]), np.array([5.0, 6.0])]).backward(np.arange(6.0))
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [0, 1]


def test_joining_arrays_and_scalars():
    assert mc.stack([mc.Tensor(1.0), mc.Tensor(2.0)]).tolist() == [1, 2]
    assert mc.cat([np.ones(1), mc.Tensor([2.0])]).tolist() == [1, 2]
