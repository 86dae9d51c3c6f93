"""Operations that move elements, against torch and NumPy: views, indexing, joining; and their errors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import minception as mc
from minception import functional as F
from tests.kernels.inputs import arrays, dtypes, seeds, shapes
from tests.ops.check import assert_same, broadcastable, check

UNARY = [
    ("reshape", lambda t: t.reshape(6, 4)),
    ("reshape with -1", lambda t: t.reshape(2, -1, 3)),
    ("reshape from a tuple", lambda t: t.reshape((-1,))),
    ("view", lambda t: t.view(24)),
    ("flatten", lambda t: t.flatten()),
    ("flatten from", lambda t: t.flatten(1)),
    ("flatten between", lambda t: t.flatten(-3, 1)),
    ("unsqueeze", lambda t: t.unsqueeze(0).unsqueeze(-1).unsqueeze(2)),
    ("squeeze all", lambda t: t.unsqueeze(0).unsqueeze(2).squeeze()),
    ("squeeze one", lambda t: t.unsqueeze(0).unsqueeze(2).squeeze(0)),
    ("squeeze two", lambda t: t.unsqueeze(0).unsqueeze(2).squeeze((0, -3))),
    ("squeeze nothing", lambda t: t.squeeze(1)),
    ("permute", lambda t: t.permute(2, 0, 1)),
    ("permute from a tuple", lambda t: t.permute((-1, 0, 1))),
    ("transpose", lambda t: t.transpose(0, -1)),
    ("reshape a transposed tensor", lambda t: t.transpose(0, 1).reshape(8, 3)),
    ("expand", lambda t: t.expand(5, 2, 4, 3)),
    ("expand a size-1 axis", lambda t: t.unsqueeze(1).expand(-1, 7, 4, -1)),
    ("expand one element", lambda t: t[1, -1, 0].expand(2, 3)),
    ("clone", lambda t: t.clone()),
]


@pytest.mark.parametrize("function", [function for _, function in UNARY], ids=[name for name, _ in UNARY])
@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_moves(function, data, dtype, seed):
    check(function, function, data.draw(arrays((2, 4, 3), dtype)), seed=seed)


@given(data=st.data(), shape=shapes, seed=seeds)
def test_flatten_any_shape(data, shape, seed):
    check(lambda t: t.flatten(), lambda t: t.flatten(), data.draw(arrays(shape, np.float64)), seed=seed)


@given(data=st.data(), shape=shapes, seed=seeds)
def test_permute_any_shape(data, shape, seed):
    dims = data.draw(st.permutations(range(len(shape))))
    check(lambda t: t.permute(dims), lambda t: t.permute(dims), data.draw(arrays(shape, np.float64)), seed=seed)


@given(pair=broadcastable(2), seed=seeds)
def test_expand_any_shape(pair, seed):
    x, other = pair
    shape = np.broadcast_shapes(x.shape, other.shape)
    check(lambda t: t.expand(shape), lambda t: t.expand(shape), x, seed=seed)


def test_scalars_take_the_axes_0_and_minus_1():
    x = np.array(2.0)
    for f in (lambda t: t.squeeze(0), lambda t: t.transpose(0, -1), lambda t: t.T, lambda t: t.permute()):
        check(f, lambda t: t * 1, x)
    for f in (lambda t: t.flatten(0, -1), lambda t: t.unsqueeze(-1), lambda t: t.reshape(1), lambda t: t.expand(1)):
        check(f, lambda t: t.reshape(1), x)


def test_transposed_matrix(rng):
    check(lambda t: t.T, lambda t: t.T, rng.standard_normal((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t: t.reshape(5), ValueError, r"reshape: 6 elements of shape \(2, 3\) do not fit shape \(5,\)"),
        (lambda t: t.reshape(-1, 4), ValueError, "do not fit"),
        (lambda t: t.reshape(-1, -1), ValueError, "do not fit"),
        (lambda t: t.reshape(-2, -3), ValueError, "do not fit"),
        (lambda t: t[:0].reshape(-1, 0), ValueError, "do not fit"),
        (lambda t: t.flatten(1, 0), ValueError, "flatten: start_dim 1 comes after end_dim 0"),
        (lambda t: t.flatten(2), IndexError, "flatten: dim 2 is out of range for 2 dimensions"),
        (lambda t: t.squeeze(2), IndexError, "squeeze: dim 2"),
        (lambda t: t.unsqueeze(3), IndexError, "unsqueeze: dim 3"),
        (lambda t: t.transpose(0, 2), IndexError, "dim 2"),
        (lambda t: t.permute(0, 0), ValueError, r"permute: dims \(0, 0\) must name each of the 2 axes once"),
        (lambda t: t.permute(0), ValueError, "permute"),
        (lambda t: t.permute(0, 2), IndexError, "permute: dim 2"),
        (lambda t: t.expand(3), ValueError, r"expand: shape \(2, 3\) does not expand to \(3,\)"),
        (lambda t: t.expand(4, 3), ValueError, "does not expand"),
        (lambda t: t.expand(-1, 2, 3), ValueError, "does not expand"),
        (lambda t: F.pad(t, (1,)), ValueError, "pad: padding must be non-negative pairs"),
        (lambda t: F.pad(t, (1, 1) * 3), ValueError, "pad: padding"),
        (lambda t: F.pad(t, (-1, 1)), ValueError, "pad: padding"),
        (lambda t: t[2], IndexError, "out of bounds"),
        (lambda t: t[0, 0, 0], IndexError, "too many indices"),
        (lambda t: t[mc.Tensor([0.5])], IndexError, "integer"),
        (lambda t: t[np.array([True, False, True])], IndexError, "boolean index"),
        (lambda t: mc.cat([]), ValueError, "cat: expected at least one tensor"),
        (lambda t: mc.cat([t, t[0]]), ValueError, r"tensors\[1\]"),
        (lambda t: mc.cat([t, t[:, :2]]), ValueError, r"tensors\[1\] must have the shape \(2, 3\)"),
        (lambda t: mc.cat([t, t], 2), IndexError, "cat: dim 2"),
        (lambda t: mc.cat([t[0, 0], t[0, 0]]), ValueError, "cat: 0-d tensors"),
        (lambda t: mc.stack([t, t[:1]]), ValueError, r"tensors\[1\]"),
        (lambda t: mc.stack([t, t], 3), IndexError, "dim 3"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(mc.Tensor(np.ones((2, 3))))


# Indexing

INDICES = [
    (0,),
    (-1, 2),
    (slice(1, None), slice(None, -1)),
    (slice(None), slice(None, None, 2), 1),
    (Ellipsis, 0),
    (None, 1, ..., None),
    (1, slice(3, 1)),
    ([0, 1, 0],),
    (np.array([[0, 1], [1, 1]]),),
    (slice(None), np.array([3, 0, 3, 3])),
    ([0, 1, 1], [2, 0, 0]),
    (np.array([0, 1, 1]), slice(None), np.array([2, 0, 0])),
    (slice(None), [-1, 0], None),
    (0, np.array([1, 1])),
    (np.array([True, False]),),
    (slice(None), np.array([True, False, True, True])),
    (np.arange(24).reshape(2, 4, 3) % 3 == 0,),
    (np.zeros((2, 4), bool),),
    (np.array([], np.int64),),
    (np.int64(1),),
    (np.array(1),),
]


def as_torch(index):
    return tuple(torch.tensor(part) if isinstance(part, (np.ndarray, np.generic)) else part for part in index)


@pytest.mark.parametrize("index", INDICES, ids=lambda index: repr(index).replace("array", ""))
def test_indexing_is_that_of_torch(index, rng):
    """Integers, slices, None, Ellipsis, index arrays that repeat, masks: values and gradients."""
    x, theirs = rng.standard_normal((2, 4, 3)), as_torch(index)
    check(lambda t: t[index], lambda t: t[theirs], x)
    if len(index) == 1:
        check(lambda t: t[index[0]], lambda t: t[theirs[0]], x)
    tensors = tuple(mc.Tensor(part) if isinstance(part, np.ndarray) else part for part in index)
    check(lambda t: t[tensors], lambda t: t[theirs], x.astype(np.float32))


@given(data=st.data(), shape=shapes, seed=seeds)
def test_basic_indexing_is_that_of_numpy(data, shape, seed):
    """Negative steps, too, which torch refuses. The gradient goes back to where the element came from."""
    x = data.draw(arrays(shape, np.float64))
    index = data.draw(basic_indices(shape, allow_newaxis=True))
    t = mc.from_numpy(x).requires_grad_()
    y = t[index]
    np.testing.assert_array_equal(np.asarray(y), x[index])
    cotangent = np.random.default_rng(seed).standard_normal(y.shape)
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


# Joining and padding


@pytest.mark.parametrize("name", ["cat", "stack"])
@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_joining(name, data, dtype, seed):
    shape = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    axes = len(shape) + (name == "stack")
    dim = data.draw(st.integers(-axes, axes - 1))
    parts = []
    for _ in range(data.draw(st.integers(1, 4))):
        if name == "cat":
            shape[dim] = data.draw(st.integers(0, 3))
        parts.append(data.draw(arrays(tuple(shape), dtype)))
    check(lambda *t: getattr(mc, name)(t, dim), lambda *t: getattr(torch, name)(t, dim), *parts, seed=seed)


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


@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_pad(data, dtype, seed):
    x = data.draw(arrays((2, 3, 2), dtype))
    padding = data.draw(st.sampled_from([0, 1, 2, 3]).flatmap(lambda n: st.tuples(*[st.integers(0, 2)] * (2 * n))))
    value = data.draw(st.sampled_from([0.0, -1.5, float("-inf")]))
    check(
        lambda t: F.pad(t, padding, value=value),
        lambda t: torch.nn.functional.pad(t, padding, value=value),
        x,
        seed=seed,
    )
