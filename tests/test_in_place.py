"""In-place changes: refused where they would have to be recorded, noticed where backward needs the old values."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import functional as F


def leaf(data):
    return mc.Tensor(np.array(data, np.float64), requires_grad=True)


def add(t, v):
    t += v


def subtract(t, v):
    t -= v


def multiply(t, v):
    t *= v


def divide(t, v):
    t /= v


def assign(t, v):
    t[...] = v


CHANGES = {
    "+=": add,
    "-=": subtract,
    "*=": multiply,
    "/=": divide,
    "tensor[...] = value": assign,
    "copy_": lambda t, v: t.copy_(v),
    "fill_": lambda t, v: t.fill_(v),
    "zero_": lambda t, v: t.zero_(),
    "add_": lambda t, v: t.add_(v),
    "mul_": lambda t, v: t.mul_(v),
}
RESULTS = {"+=": 8, "-=": 4, "*=": 12, "/=": 3, "tensor[...] = value": 2, "copy_": 2, "fill_": 2, "zero_": 0}
RESULTS |= {"add_": 8, "mul_": 12}


# What they do


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("value", [2, 2.0, np.float64(2), mc.Tensor(2.0), np.array(2)])
def test_changes_happen_in_the_same_memory(name, value):
    array = np.full(3, 6, np.float32)
    t = mc.from_numpy(array)
    CHANGES[name](t, value)
    np.testing.assert_array_equal(array, np.full(3, RESULTS[name], np.float32), strict=True)
    assert t._version == 1


def test_methods_return_the_tensor():
    t = mc.Tensor([1.0])
    assert t.add_(1).mul_(2).copy_(t).fill_(3).zero_() is t
    assert t.add_(mc.Tensor([1.0]), alpha=0.5).add_([1.0], alpha=2).tolist() == [2.5]


def test_numbers_are_written_in_full_precision():
    t = mc.Tensor(np.zeros(4))
    t[0], t.data[1:2] = 0.1, [0.1]
    t[2:3].fill_(0.1)
    t[3:].add_(1, alpha=0.1)
    assert t.tolist() == [0.1] * 4


@pytest.mark.parametrize(
    "index", [0, (slice(None), 1), (..., None, 0), [1, 1], np.array([[True, False], [False, True]]), mc.Tensor([1])]
)
def test_assignment_by_index_is_that_of_numpy(index):
    expected, t = np.arange(4.0).reshape(2, 2), mc.Tensor(np.arange(4.0).reshape(2, 2))
    expected[np.asarray(index) if isinstance(index, mc.Tensor) else index] = 9
    t[index] = 9
    np.testing.assert_array_equal(t.numpy(), expected)
    t[index] = t[index] * 2
    assert t.numpy().max() == 18


def test_operands_may_share_memory():
    t = mc.Tensor([1.0, 2.0, 3.0])
    t[1:] = t[:-1]
    assert t.tolist() == [1, 1, 2]
    t += t
    assert t.tolist() == [2, 2, 4]


def test_a_result_of_a_higher_category_cannot_be_stored():
    for t, value in ((mc.Tensor([1]), 0.5), (mc.Tensor([True]), 2), (mc.Tensor([1]), mc.Tensor([0.5]))):
        with pytest.raises(RuntimeError, match=rf"\+=: a .* result cannot be stored in a {t.dtype} tensor"):
            t += value
    t = mc.Tensor([1])
    with pytest.raises(RuntimeError, match="/=: a float32 result cannot be stored in a int64 tensor"):
        t /= 2
    narrow = mc.Tensor([1.0])
    narrow += mc.Tensor(np.ones(1))
    assert narrow.dtype == np.float32


def test_shapes_that_do_not_fit():
    t = mc.Tensor([1.0, 2.0])
    for change in (add, assign):
        with pytest.raises(ValueError, match="broadcast"):
            change(t, np.ones((2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        mc.Tensor(1.0).expand(3).zero_()
    assert t.tolist() == [1, 2]


# Where they would have to be recorded


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("which", ["leaf", "intermediate", "value"])
def test_refused_where_recording(name, which):
    """On a leaf, on a tensor inside the graph, and with a value that is in the graph; nothing changes."""
    t = leaf([6.0, 6.0]) if which == "leaf" else leaf([2.0, 2.0]) * 3
    value = 2.0
    if which == "value":
        t, value = mc.Tensor([6.0, 6.0]), leaf(2.0)
        if name in ("zero_",):
            return
    with pytest.raises(RuntimeError, match="in-place changes are not recorded by autograd; write it out of place"):
        CHANGES[name](t, value)
    assert t.tolist() == [6, 6]
    assert t._version == 0
    with mc.no_grad():
        CHANGES[name](t, value)
    assert t.tolist() == [RESULTS[name]] * 2


def test_an_optimizer_step():
    """`with no_grad(): p -= ...` and `p.data -= ...` change a parameter, which stays a leaf."""
    p = leaf([1.0, 2.0])
    for _ in range(2):
        (p * p).sum().backward()
    with mc.no_grad():
        p -= 0.1 * p.grad
    p.data -= 0.1 * p.grad
    np.testing.assert_allclose(p.numpy(), [0.2, 0.4])
    assert p.is_leaf
    assert p.requires_grad


# Where backward needs the values

IMAGE = np.arange(1.0, 33.0).reshape(1, 2, 4, 4)
WEIGHT = np.ones((2, 2, 3, 3))
NEEDED = [
    ("Multiply", "input 0", lambda x: x * leaf([2.0, 3.0])),
    ("Multiply", "input 1", lambda x: 3 * (leaf([2.0, 3.0]) * x)),
    ("Divide", "input 1", lambda x: 1 / x),
    ("Power", "input 0", lambda x: x**2),
    ("MatMul", "input 0", lambda x: x @ leaf([1.0, 1.0])),
    ("Log", "input 0", lambda x: x.log()),
    ("Abs", "input 0", lambda x: abs(x)),
    ("Clip", "input 0", lambda x: x.clip(0, 1)),
    ("Extremum", "input 0", lambda x: F.maximum(x, 1.5)),
    ("Amax", "input 0", lambda x: x.amax(0)),
    ("ELU", "input 0", lambda x: F.elu(x)),
    ("Linear", "input 1", lambda x: F.linear(leaf([[1.0, 1.0]]), x.reshape(1, 2))),
]
NEEDED_OUTPUT = [
    ("Exp", lambda x: x.exp()),
    ("Sqrt", lambda x: x.sqrt()),
    ("Tanh", lambda x: x.tanh()),
    ("Sigmoid", lambda x: x.sigmoid()),
    ("ReLU", lambda x: x.relu()),
    ("Softmax", lambda x: F.softmax(x, 0)),
    ("LogSoftmax", lambda x: F.log_softmax(x, 0)),
    ("Power", lambda x: 2**x),
]
WAYS = {
    "no_grad": lambda t: subtract_quietly(t),
    "data": lambda t: subtract(t.data, 1.0),
    "detach": lambda t: t.detach().zero_(),
    "view": lambda t: t.detach()[:1].zero_(),
    "reshaped": lambda t: t.data.reshape(2, 1).T.mul_(2),
    "one element": lambda t: assign(t.detach()[1:], 5.0),
    "same values": lambda t: t.data.copy_(t.numpy().copy()),
    "engine": lambda t: (t._array.__isub__(1), t._bump_version()),
}


def subtract_quietly(t):
    with mc.no_grad():
        t -= 1.0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("operation", "which", "function"), NEEDED)
def test_a_changed_input_is_noticed(operation, which, function, way):
    x = leaf([1.0, 2.0])
    y = function(x)
    WAYS[way](x)
    with pytest.raises(RuntimeError, match=rf"backward: {operation} needs its {which} as it was .* modified in place"):
        y.sum().backward()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("operation", "function"), NEEDED_OUTPUT)
def test_a_changed_output_is_noticed(operation, function, way):
    y = function(leaf([1.0, 2.0]))
    loss = y.sum()
    WAYS[way](y)
    with pytest.raises(RuntimeError, match=f"backward: {operation} needs its output as it was"):
        loss.backward()


def test_changed_weights_and_images_are_noticed():
    for function in (
        lambda x, w: F.conv2d(x, w),
        lambda x, w: F.depthwise_conv2d(x, w[:, :1]),
        lambda x, w: F.batch_norm(x, None, None, w[0, 0, 0, :2], training=True),
        lambda x, w: F.local_response_norm(w, 3),
    ):
        x, w = leaf(IMAGE), leaf(WEIGHT)
        y = function(x, w)
        with mc.no_grad():
            w *= 2.0
        with pytest.raises(RuntimeError, match=r"needs its input \d as it was .*\(version 0, now 1\)"):
            y.sum().backward()


def test_a_change_of_the_base_is_noticed_through_its_view():
    base = mc.Tensor(np.arange(4.0))
    y = leaf([1.0, 1.0]) * base.reshape(2, 2).T[0]
    base.zero_()
    with pytest.raises(RuntimeError, match="Multiply needs its input 1"):
        y.sum().backward()


def test_changes_before_the_forward_pass_do_not_matter():
    x = leaf([1.0, 2.0])
    x.data -= 1.0
    (x * x).sum().backward()
    assert x.grad.tolist() == [0, 2]


def test_changes_of_what_backward_does_not_read_do_not_matter():
    """A sum reads nothing; a product with a constant reads the constant only."""
    x, constant = leaf([1.0, 2.0]), mc.Tensor([3.0, 4.0])
    y = (x + 1) - x * constant + x / 2 + x[0] + x.sum() + x.T + F.avg_pool2d(x.reshape(1, 1, 1, 2), 1).reshape(2)
    x.data.zero_()
    y.sum().backward()
    assert x.grad.tolist() == [4.5, 1.5]


def test_copies_are_independent():
    x = leaf([1.0, 2.0])
    y = x.exp()
    for copy in (x.clone(), y.clone(), y.double() * 1, mc.Tensor(y), y[[0, 1]]):
        with mc.no_grad():
            copy.zero_()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1.0, 2.0]))


@pytest.mark.parametrize("index", [(0, slice(None), [1, 2]), ([0, 1], slice(1, None), 3), (Ellipsis, 0, [0, 2])])
def test_assignment_beside_an_integer_broadcasts_as_in_torch(index):
    ours, theirs = mc.from_numpy(np.zeros((2, 3, 4))), torch.zeros((2, 3, 4), dtype=torch.float64)
    value = np.arange(theirs[index].numel(), dtype=float).reshape(theirs[index].shape)
    ours[index] = value
    theirs[index] = torch.tensor(value)
    np.testing.assert_array_equal(np.asarray(ours), theirs.numpy())
