"""The parameter class."""

import copy

import numpy as np
import pytest

import minception as mc
from minception import nn


def test_a_parameter_is_a_leaf_tensor_that_requires_grad_even_under_no_grad():
    with mc.no_grad():
        p = nn.Parameter(np.ones((2, 3)))
    assert isinstance(p, mc.Tensor) and p.requires_grad and p.is_leaf
    assert p.dtype == np.float64 and p.shape == (2, 3)
    assert nn.Parameter([1.0, 2.0]).dtype == np.float32
    assert not nn.Parameter(np.ones(2), requires_grad=False).requires_grad


def test_a_parameter_copies_its_data():
    array, tensor = np.ones(2), mc.Tensor(np.ones(2))
    parameters = nn.Parameter(array), nn.Parameter(tensor)
    array += 1
    tensor += 1
    for p in parameters:
        np.testing.assert_array_equal(np.asarray(p), 1)


def test_operations_on_parameters_give_plain_tensors():
    p = nn.Parameter(np.ones(2))
    for result in (p * 2, p.detach(), p.clone(), p[0], p.to(np.float32)):
        assert type(result) is mc.Tensor


def test_integers_are_refused():
    with pytest.raises(RuntimeError, match="only floating tensors have gradients"):
        nn.Parameter(np.arange(3))


def test_repr_and_copies_keep_the_class():
    p = nn.Parameter([1.0, 2.5])
    assert repr(p) == "Parameter containing:\ntensor([1. , 2.5], requires_grad=True)"
    twin = copy.deepcopy(p)
    assert type(twin) is nn.Parameter and twin.requires_grad
    with mc.no_grad():
        p.zero_()
    np.testing.assert_array_equal(np.asarray(twin), [1.0, 2.5])
