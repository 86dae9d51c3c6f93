"""Hooks on the gradients of leaves and intermediate tensors."""

import numpy as np
import pytest

import minception as mc


def tensors():
    """A leaf, an intermediate tensor used twice, and a scalar of gradient 5 by the latter and 10 by the leaf."""
    x = mc.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    return x, y, (y * 3 + y + y).sum()


@pytest.mark.parametrize(("which", "expected"), [(0, 10), (1, 5)])
def test_a_hook_sees_the_whole_gradient_once(which, expected):
    *hooked, loss = tensors()
    seen = []
    hooked[which].register_hook(lambda grad: seen.append((type(grad), grad.tolist())))
    loss.backward()
    assert seen == [(mc.Tensor, [expected, expected])]
    assert hooked[0].grad.tolist() == [10, 10]


@pytest.mark.parametrize(("which", "expected"), [(0, [7, 8]), (1, [14, 16])])
def test_a_hook_may_replace_the_gradient(which, expected):
    *hooked, loss = tensors()
    hooked[which].register_hook(lambda grad: np.array([7.0, 8.0]))
    loss.backward()
    assert hooked[0].grad.tolist() == expected
    assert hooked[0].grad.dtype == np.float32


def test_hooks_run_in_order_on_each_other_s_results():
    x, y, loss = tensors()
    order = []
    y.register_hook(lambda grad: order.append("a") or grad * 2)
    y.register_hook(lambda grad: order.append("b") or grad + 1)
    y.register_hook(lambda grad: order.append("c"))
    loss.backward()
    assert order == ["a", "b", "c"]
    assert x.grad.tolist() == [22, 22]


def test_removed_hooks_do_not_run():
    x, y, loss = tensors()
    kept, removed = [], []
    handles = [t.register_hook(removed.append) for t in (x, y)]
    y.register_hook(lambda grad: kept.append(1))
    for handle in handles:
        handle.remove()
        handle.remove()
    loss.backward()
    assert (kept, removed) == ([1], [])


def test_a_hook_may_remove_itself():
    x = mc.Tensor([1.0], requires_grad=True)
    calls = []
    handle = x.register_hook(lambda grad: calls.append(1) or handle.remove())
    for _ in range(2):
        (x * 2).sum().backward()
    assert (calls, x.grad.tolist()) == ([1], [4])


def test_leaf_hooks_run_in_every_backward_before_accumulation():
    x = mc.Tensor([1.0], requires_grad=True)
    seen = []
    x.register_hook(lambda grad: seen.append(grad.item()))
    for _ in range(3):
        (x * 2).sum().backward()
    assert seen == [2, 2, 2]
    assert x.grad.item() == 6


def test_the_root_and_a_retained_gradient_are_hooked_too():
    x, y, loss = tensors()
    loss.register_hook(lambda grad: grad * 10)
    y.retain_grad()
    y.register_hook(lambda grad: grad + 1)
    loss.backward()
    assert y.grad.tolist() == [51, 51]
    assert x.grad.tolist() == [102, 102]


def test_a_hook_cannot_change_the_gradient_in_place():
    """The array may belong to another branch of the graph as well."""
    x, y = (mc.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    x.register_hook(lambda grad: grad.zero_())
    with pytest.raises(ValueError, match="read-only"):
        (x + y).backward(np.ones(2, np.float32))


def test_nothing_is_recorded_inside_a_hook():
    x, y, loss = tensors()
    modes = []
    y.register_hook(lambda grad: modes.append((mc.is_grad_enabled(), (x * grad).requires_grad)))
    loss.backward()
    assert modes == [(False, False)]


def test_a_gradient_kept_by_a_hook_stays_as_it_was():
    x, y, loss = tensors()
    kept = []
    for t in (x, y, loss):
        t.register_hook(lambda grad: kept.append((grad, grad.tolist())) and None)
    loss.backward(retain_graph=True)
    loss.backward()
    assert len(kept) == 6
    assert all(grad.tolist() == values for grad, values in kept)


def test_errors():
    x, y, loss = tensors()
    with pytest.raises(RuntimeError, match="register_hook: this tensor does not require a gradient"):
        x.detach().register_hook(print)
    y.register_hook(lambda grad: grad.sum())
    with pytest.raises(RuntimeError, match=r"gradient hook: the replacement must have shape \(2,\), got \(\)"):
        loss.backward()
