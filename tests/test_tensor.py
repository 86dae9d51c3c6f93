"""Tensors as containers: construction, conversion, Python's protocols, views and in-place changes."""

import copy
import operator
import pickle

import numpy as np
import pytest

import minception as mc
from minception.nn import Parameter

# Construction


def test_tensor_copies_and_from_numpy_shares():
    array = np.arange(3.0)
    copied, shared = mc.Tensor(array), mc.from_numpy(array)
    array[0] = 7
    assert copied.tolist() == [0, 1, 2]
    assert shared.tolist() == [7, 1, 2]
    with mc.no_grad():
        shared[1] = 8
    assert array.tolist() == [7, 8, 2]
    assert mc.Tensor(shared).tolist() == [7, 8, 2]
    assert not np.shares_memory(mc.Tensor(shared).numpy(), array)


def test_from_numpy_takes_arrays_only():
    for data in ([1.0], 1.0, mc.Tensor([1.0])):
        with pytest.raises(TypeError, match="from_numpy: expected a NumPy array"):
            mc.from_numpy(data)
    with pytest.raises(TypeError, match="from_numpy: tensors cannot have dtype complex128"):
        mc.from_numpy(np.ones(1, complex))


def test_as_tensor_keeps_tensors():
    x = mc.Tensor([1.0])
    assert mc.as_tensor(x) is x
    assert mc.as_tensor(x, np.float32) is x
    assert mc.as_tensor(x, np.float64).dtype == np.float64
    assert mc.as_tensor([0.1], np.float64).item() == 0.1


def test_strides_of_the_data_do_not_matter(rng):
    base = rng.standard_normal((4, 6))
    for array in (base.T, base[::2, ::-1], np.asfortranarray(base), np.broadcast_to(base[0], (3, 6))):
        np.testing.assert_array_equal(mc.Tensor(array).numpy(), array)
        np.testing.assert_array_equal(mc.from_numpy(array).numpy(), array)


def test_only_floating_tensors_require_gradients():
    for make in (
        lambda: mc.Tensor([1, 2], requires_grad=True),
        lambda: mc.Tensor([True]).requires_grad_(),
        lambda: setattr(mc.Tensor([1]), "requires_grad", True),
    ):
        with pytest.raises(RuntimeError, match="only floating tensors have gradients"):
            make()
    x = mc.Tensor([1.0]).requires_grad_()
    assert x.requires_grad
    x.requires_grad = False
    assert not x.requires_grad
    y = mc.Tensor([1.0], requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="not a leaf"):
        y.requires_grad = False


# Conversion


def test_arrays_are_read_only_views():
    x = mc.Tensor([1.0, 2.0], requires_grad=True)
    for view in (np.asarray(x), x.numpy(), np.asarray(x, dtype=np.float32), np.array(x, copy=False)):
        assert np.shares_memory(view, x.numpy())
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5


def test_arrays_are_copied_on_request():
    x = mc.Tensor([1.0, 2.0])
    for array in (np.array(x), np.asarray(x, dtype=np.float64), np.array(x, dtype=np.int64), np.asarray(x, copy=True)):
        array[0] = 5
        assert array.dtype in (np.float32, np.float64, np.int64)
    assert x.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"a float32 tensor cannot become .*float64.* without a copy"):
        np.array(x, dtype=np.float64, copy=False)
    assert np.exp(x).dtype == np.float32


def test_sizes():
    x = mc.Tensor(np.ones((2, 3)))
    assert (x.shape, x.size(), x.size(-1), x.ndim, x.dim(), x.numel(), len(x)) == ((2, 3), (2, 3), 3, 2, 2, 6, 2)
    assert x.device == "cpu"
    assert x.is_floating_point()
    assert not (x > 0).is_floating_point()


def test_numbers():
    assert mc.Tensor([[2.5]]).item() == 2.5
    assert float(mc.Tensor(2.5)) == 2.5
    assert int(mc.Tensor([2.9])) == 2
    assert bool(mc.Tensor([0.0])) is False
    assert bool(mc.Tensor(True)) is True
    assert [10, 20, 30][mc.Tensor(1)] == 20
    assert type(mc.Tensor(3).item()) is int


@pytest.mark.parametrize("convert", [float, int, lambda t: t.item()])
@pytest.mark.parametrize("data", [[1.0, 2.0], []])
def test_only_one_element_is_a_number(convert, data):
    with pytest.raises(ValueError, match="item: only a tensor with one element is a number"):
        convert(mc.Tensor(data))


def test_refused_conversions():
    for data in ([1.0, 2.0], []):
        with pytest.raises(ValueError, match="ambiguous"):
            bool(mc.Tensor(data))
    with pytest.raises(TypeError, match="only integer tensors can be used as an index"):
        operator.index(mc.Tensor(1.0))
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(mc.Tensor(1.0))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(mc.Tensor(1.0))


def test_iteration_gives_recorded_rows():
    x = mc.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * 2 + second * 3).sum().backward()
    assert x.grad.tolist() == [[2, 2], [3, 3]]


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (mc.Tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (mc.Tensor(3), "tensor(3)"),
        (mc.Tensor([[True], [False]]), "tensor([[ True],\n        [False]])"),
        (mc.Tensor(np.ones(1)), "tensor([1.], dtype=float64)"),
        (mc.Tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (mc.Tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<Multiply>)"),
        (Parameter([1.0]), "Parameter containing:\ntensor([1.], requires_grad=True)"),
    ],
)
def test_repr(tensor, expected):
    assert repr(tensor) == expected


def test_repr_of_large_tensors_is_short():
    assert len(repr(mc.Tensor(np.zeros((1000, 1000))))) < 1000


# Comparison, hashing, copying


def test_comparisons():
    x = mc.Tensor([1.0, 2.0, 3.0])
    assert (x > 2).tolist() == (2 < x).tolist() == [False, False, True]
    assert (x >= 2).tolist() == [False, True, True]
    assert (x <= [3, 2, 1]).tolist() == [True, True, False]
    assert (x != mc.Tensor([1.0, 0.0, 3.0])).tolist() == [False, True, False]
    assert (np.array([1.0, 0.0, 3.0]) == x).tolist() == [True, False, True]
    assert (mc.Tensor([np.nan]) == mc.Tensor([np.nan])).tolist() == [False]
    assert (x > 2).dtype == np.bool_


def test_comparison_with_other_types():
    x = mc.Tensor([1.0])
    assert (x == None) is False  # noqa: E711 - what a careless caller writes
    assert x != "a"
    with pytest.raises(TypeError, match="not supported"):
        x < None  # noqa: B015


def test_tensors_are_keys_by_identity():
    x, y = mc.Tensor([1.0]), mc.Tensor([1.0])
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2


def test_deepcopy_of_a_leaf_copies_everything():
    x = Parameter([1.0, 2.0])
    (x * 3).sum().backward()
    twin = copy.deepcopy({"a": x, "b": x})
    assert twin["a"] is twin["b"]
    twin = twin["a"]
    assert type(twin) is Parameter
    assert (twin.requires_grad, twin.tolist(), twin.grad.tolist()) == (True, [1, 2], [3, 3])
    with mc.no_grad():
        twin.zero_()
        twin.grad.zero_()
    assert (x.tolist(), x.grad.tolist()) == ([1, 2], [3, 3])
    with pytest.raises(RuntimeError, match="deepcopy: only leaf tensors"):
        copy.deepcopy(x * 2)


def test_tensors_are_not_pickled():
    with pytest.raises(TypeError, match="tensors are not pickled"):
        pickle.dumps(mc.Tensor([1.0]))


def test_to():
    x = mc.Tensor([1.5, -2.5])
    assert x.to(np.float32) is x.to("cpu") is x.float() is x
    assert x.double().dtype == x.to("float64").dtype == np.float64
    assert x.astype(np.int64).tolist() == [1, -2]
    with pytest.raises(RuntimeError, match="to: device 'cuda:99' is not available"):
        x.to("cuda:99")


def test_detach_and_data_share_memory():
    x = mc.Tensor([1.0, 2.0], requires_grad=True)
    for alias in (x.detach(), x.data, (x * 1).detach()):
        assert not alias.requires_grad
        assert alias.is_leaf
    assert np.shares_memory(x.detach().numpy(), x.numpy())
    assert np.shares_memory(x[0].numpy(), x.numpy())
    assert not np.shares_memory(x.clone().numpy(), x.numpy())
    x.data = np.array([3, 4])
    x.data -= mc.Tensor([1.0, 1.0])
    assert x.tolist() == [2, 3]
    assert x.dtype == np.float32
    assert x.is_leaf and x.requires_grad
