"""What the graph keeps alive, and for how long: measured with weak references and by counting allocated bytes."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import minception as mc
from minception import functional as F
from minception.kernels.workspace import nothing_kept

MEBIBYTE = 2**20


@pytest.fixture
def allocated():
    """A function that returns the bytes allocated since the start, in mebibytes."""
    with nothing_kept():
        gc.collect()
        tracemalloc.start()
        start = tracemalloc.get_traced_memory()[0]
        yield lambda: (tracemalloc.get_traced_memory()[0] - start) / MEBIBYTE
        tracemalloc.stop()


def one_mebibyte():
    return mc.Tensor(np.full(MEBIBYTE // 8, 0.5), requires_grad=True)


def watch(t):
    return weakref.ref(t._array)


def test_intermediates_that_backward_does_not_need_die_in_the_forward_pass():
    x = mc.Tensor(np.ones((2, 3, 4, 4)), requires_grad=True)
    for forget in (
        lambda t: t + 1,
        lambda t: t * 2,
        lambda t: t - x,
        lambda t: t.exp(),
        lambda t: t.relu(),
        lambda t: t.sum(0),
        lambda t: t[[0, 1, 0]],
        lambda t: mc.cat([t, t]),
        lambda t: F.max_pool2d(t, 2),
        lambda t: F.softmax(t, 1),
        lambda t: F.dropout(t),
        lambda t: t @ mc.Tensor(np.ones((4, 4))),
        lambda t: F.conv2d(t, mc.Tensor(np.ones((1, 3, 1, 1)))),
    ):
        middle = x * 3
        middle_array = watch(middle)
        y = forget(middle)
        del middle
        assert middle_array() is None
        y.sum().backward()


def test_intermediates_that_backward_needs_live_until_it_ran():
    x = mc.Tensor(np.ones(4), requires_grad=True)
    y = x * 3
    array = watch(y)
    loss = (y * y).sum()
    del y
    assert array() is not None
    loss.backward()
    assert array() is None
    assert loss.item() == 36


def test_saved_arrays_are_freed_as_backward_goes():
    """When the gradient reaches an early node, the arrays of later nodes are gone, though `loss` still lives."""
    x = mc.Tensor(np.ones(4), requires_grad=True)
    arrays, alive = [], []
    y = x
    for step in range(5):
        y = y.tanh()
        arrays.append(watch(y))
        y.register_hook(lambda grad, step=step: alive.append((step, [a() is not None for a in arrays])))
    loss = y.sum()
    del y
    loss.backward()
    for step, living in alive:
        assert living == [i <= step for i in range(5)]
    assert [step for step, _ in alive] == [4, 3, 2, 1, 0]


def test_retain_graph_keeps_saved_arrays():
    x = mc.Tensor(np.ones(4), requires_grad=True)
    loss = x.exp().sum()
    saved = weakref.ref(loss.grad_fn.edges[0].origin.saved.y)
    loss.backward(retain_graph=True)
    assert saved() is not None
    loss.backward()
    assert saved() is None


def test_a_training_step_returns_its_memory(allocated):
    """Without the help of the garbage collector: the graph has no cycles."""
    gc.disable()
    try:
        x = one_mebibyte()
        for _ in range(3):
            loss = ((x * 2).tanh() * x.exp()).sum()
            assert allocated() > 2.9  # x, tanh and exp
            loss.backward()
            assert allocated() < 2.1  # x and its gradient; `loss` keeps the nodes, but no arrays
    finally:
        gc.enable()


def test_a_graph_that_is_dropped_returns_its_memory(allocated):
    gc.disable()
    try:
        x = one_mebibyte()
        y = x
        for _ in range(10):
            y = y.tanh()
        assert allocated() > 10
        del y
        assert allocated() < 1.1
    finally:
        gc.enable()


def test_backward_needs_little_more_than_the_saved_arrays(allocated):
    """A gradient is dropped as soon as its node used it."""
    x = one_mebibyte()
    y = x
    for _ in range(10):
        y = y.tanh()
    before = allocated()
    loss = y.sum()
    del y
    tracemalloc.reset_peak()
    loss.backward()
    assert tracemalloc.get_traced_memory()[1] / MEBIBYTE < before + 4


def test_gradients_of_parameters_are_copied_once(allocated):
    """The array that a node returned is dropped once its parameter has it: at most one is alive besides the copies."""
    wide, narrow = np.ones((32_768, 4)), np.ones((4, 32_768))
    weights = [mc.Tensor(w, requires_grad=True) for w in (wide, narrow) * 3]  # 1 MiB each
    y = mc.Tensor(np.ones((1, 4)))
    for weight in weights:
        y = F.linear(y, weight)
    loss = y.sum()
    del y
    tracemalloc.reset_peak()
    loss.backward()
    assert tracemalloc.get_traced_memory()[1] / MEBIBYTE < allocated() + 1.6


def test_no_grad_keeps_nothing(allocated):
    x = one_mebibyte()
    with mc.no_grad():
        y = x
        for _ in range(10):
            y = y.tanh() * x
    assert allocated() < 2.1
    assert y.grad_fn is None


def test_only_the_needed_operand_of_a_product_is_saved(allocated):
    """Frozen weights: the activations that only their gradient would need are not kept."""
    x, frozen = one_mebibyte(), mc.Tensor(np.ones(MEBIBYTE // 8))
    y = x
    for _ in range(10):
        y = y * frozen
    assert allocated() < 3.1  # x, frozen, y


def test_hooks_and_retained_gradients_do_not_keep_tensors_alive():
    x = mc.Tensor(np.ones(4), requires_grad=True)
    y = x * 2
    y.retain_grad()
    z = y.sum()
    tensor = weakref.ref(y)
    del y
    assert tensor() is None
    z.backward()
    assert x.grad.tolist() == [2] * 4
