"""The backward pass: what it needs, what it adds to leaves, each node once, any depth; random graphs against torch."""

import operator

import numpy as np
import pytest
import torch
from hypothesis import given

import minception as mc
from minception import functional as F
from minception.autograd import Function
from tests.compare import assert_close
from tests.table.numbers import seeds


def leaf(data):
    return mc.Tensor(np.array(data, np.float64), requires_grad=True)


@pytest.fixture
def backward_calls(monkeypatch):
    """Names of the nodes whose backward ran, in order."""
    calls = []
    run_backward = Function.run_backward

    def counting(node, grad_output):
        calls.append(node.name)
        return run_backward(node, grad_output)

    monkeypatch.setattr(Function, "run_backward", counting)
    return calls


# Random graphs


def random_program(rng, steps):
    """A list of (operation, operand numbers): a directed acyclic graph over three leaves."""
    unary = [
        lambda t: t * 0.5 - 1,
        lambda t: (t * t + 1).sqrt(),
        lambda t: t.tanh(),
        lambda t: t.sum(0, keepdim=True).expand(3, 3) / 3,
        lambda t: t.transpose(0, 1),
        lambda t: t.reshape(9)[1:].sum() + t,
        lambda t: t[1:2] + t[:, 0:1],
        lambda t: t.relu() - t.mean(),
        lambda t: t.amax(1, keepdim=True) + t,
    ]
    binary = [operator.add, operator.sub, operator.mul, operator.matmul, lambda a, b: a / (b * b + 1)]
    program = []
    for step in range(steps):
        if rng.random() < 0.5:
            program.append((unary[rng.integers(len(unary))], [rng.integers(step + 3)]))
        else:
            program.append((binary[rng.integers(len(binary))], rng.integers(step + 3, size=2)))
    return program


def run_program(program, leaves):
    values = list(leaves)
    for operation, operands in program:
        y = operation(*(values[i] for i in operands))
        values.append(y if len(values) % 3 else y.tanh())  # keep the numbers moderate
    return values[-1].tanh() + values[-2].tanh() + values[3].tanh()


@given(seed=seeds)
def test_random_graphs(seed):
    """Gradients of all leaves agree with torch, however the graph branches and joins."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, 12)
    arrays = 0.5 * rng.standard_normal((3, 3, 3))
    ours = [leaf(a) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    cotangent = rng.standard_normal((3, 3))
    y, y_twin = run_program(program, ours), run_program(program, theirs)
    assert_close(y, y_twin, terms=1000)
    grads = torch.autograd.grad(y_twin, theirs, torch.tensor(cotangent), allow_unused=True)
    y.backward(cotangent)
    for t, grad in zip(ours, grads, strict=True):
        assert (t.grad is None) == (grad is None)
        if grad is not None:
            assert_close(t.grad, grad, terms=10_000, scale=1 + grad.abs().max().item())


# What backward takes


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_the_gradient_of_one_element_is_one(shape):
    x = leaf(np.full(shape, 3.0))
    (x * x).backward()
    assert x.grad.shape == shape
    assert x.grad.item() == 6


@pytest.mark.parametrize("gradient", [[1, 10], (1.0, 10.0), np.array([1, 10]), mc.Tensor([1, 10])])
def test_gradient_may_be_anything_that_makes_an_array(gradient):
    x = leaf([1.0, 2.0])
    (x * 2).backward(gradient)
    assert x.grad.tolist() == [2, 20]


def test_a_number_as_gradient_is_not_rounded_to_float32():
    x = leaf(1.0)
    (x * 1).backward(0.1)
    assert x.grad.item() == 0.1


def test_wrong_calls():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"gradient can be left out only for one element, .* shape \(2,\)"):
        x.backward()
    with pytest.raises(RuntimeError, match=r"gradient must have the tensor's shape \(2,\), got \(1,\)"):
        x.backward([1.0])
    with pytest.raises(RuntimeError, match="does not require a gradient, nothing was recorded"):
        x.detach().backward([1.0, 1.0])
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        (x > 1).sum().backward()
    assert x.grad is None


def test_backward_on_a_leaf_is_its_gradient():
    x = leaf([1.0, 2.0])
    x.backward([3.0, 4.0])
    x.backward([1.0, 1.0])
    assert x.grad.tolist() == [4, 5]


# What leaves receive


def test_gradients_accumulate():
    x = leaf([1.0, 2.0])
    (x * 3).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert x.grad.tolist() == [5, 7]
    x.grad = None
    (x * 3).sum().backward()
    assert (x.grad.tolist(), first.tolist()) == ([3, 3], [5, 7])


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y,
        lambda x, y: x.reshape(4).reshape(2, 2) + y.T,
        lambda x, y: mc.cat([x, y])[:2] + y,
        lambda x, y: F.add(x, y).expand(1, 2, 2).squeeze(0),
        lambda x, y: F.scaled_add(x, y, 1.0),
    ],
)
def test_gradients_of_leaves_have_memory_of_their_own(function):
    """Not that of each other, of the argument of backward, or of the values."""
    x, y = leaf(np.ones((2, 2))), leaf(np.ones((2, 2)))
    cotangent = np.ones((2, 2))
    output = function(x, y)
    seen = []
    output.register_hook(lambda grad: seen.append(grad.numpy()))
    output.backward(cotangent)
    owners = [x.grad.numpy(), y.grad.numpy(), cotangent, x.numpy(), y.numpy(), *seen]
    for i, a in enumerate(owners):
        for b in owners[max(i + 1, 2) if i < 2 else len(owners) :]:
            assert not np.shares_memory(a, b)
    assert not np.shares_memory(owners[0], owners[1])
    before = y.grad.tolist()
    with mc.no_grad():
        x.grad.fill_(7)
    assert y.grad.tolist() == before
    assert cotangent.tolist() == [[1, 1], [1, 1]]


def test_gradients_lie_in_memory_as_their_leaf_does():
    array = np.ones((2, 3, 4, 5)).transpose(0, 3, 1, 2)
    x = mc.from_numpy(array).requires_grad_()
    (x * 2).backward(np.ones(x.shape))
    assert x.grad.numpy().strides == array.strides
    spread = mc.from_numpy(np.broadcast_to(np.ones(3), (2, 3))).requires_grad_()
    (spread * 2).sum().backward()
    assert spread.grad.tolist() == [[2, 2, 2], [2, 2, 2]]


def test_detached_branches_receive_nothing():
    x = leaf([1.0, 2.0])
    y = x * 2
    (y.detach() * x).sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_only_leaves_keep_gradients_unless_asked():
    x = leaf([1.0, 2.0])
    y = x * 2
    z = y * 3
    z.retain_grad()
    z.sum().backward()
    assert y.grad is None
    assert z.grad.tolist() == [1, 1]
    x.retain_grad()
    assert x.grad.tolist() == [6, 6]
    with pytest.raises(RuntimeError, match="retain_grad: this tensor does not require a gradient"):
        x.detach().retain_grad()


# Twice


def test_backward_twice_needs_retain_graph():
    x = leaf([1.0, 2.0])
    y = (x * x).exp().sum()
    y.backward(retain_graph=True)
    first = x.grad.tolist()
    y.backward()
    assert x.grad.tolist() == [2 * g for g in first]
    with pytest.raises(RuntimeError, match=r"through Sum was already walked .*retain_graph=True"):
        y.backward()


def test_a_shared_trunk_is_walked_once():
    x = leaf([1.0, 2.0])
    trunk = x.exp()
    a, b = (trunk * 2).sum(), (trunk * 3).sum()
    a.backward()
    with pytest.raises(RuntimeError, match="through Exp was already walked"):
        b.backward()


# Each node once, at any depth


def test_diamonds_are_walked_once_per_node(backward_calls):
    """40 diamonds have 2**40 paths."""
    x = y = leaf(1.0)
    for _ in range(40):
        y = y * 0.5 + y
    y.backward()
    assert sorted(backward_calls) == ["Add"] * 40 + ["Multiply"] * 40
    np.testing.assert_allclose(x.grad.item(), 1.5**40, rtol=1e-13)


def test_a_node_runs_after_all_its_consumers(backward_calls):
    """One long and one short way to the same node: its gradient is the sum of both, and it runs last."""
    x = leaf(2.0)
    trunk = x.exp()
    y = trunk
    for _ in range(5):
        y = y * 2
    (trunk + y).backward()
    assert backward_calls == ["Add", *["Multiply"] * 5, "Exp"]
    np.testing.assert_allclose(x.grad.item(), 33 * np.exp(2.0), rtol=1e-14)


def test_long_chains():
    x = leaf(np.ones(3))
    y = x
    for _ in range(20_000):
        y = y + 1e-6
    y.backward(np.ones(3))
    assert x.grad.tolist() == [1, 1, 1]


def test_a_long_chain_that_nobody_walks_is_dropped():
    """Freeing it must not recurse once per node."""
    y = leaf(1.0)
    for _ in range(100_000):
        y = Identity.apply(y)
    del y


class Identity(Function):
    def forward(self, x):
        return x.copy()

    def backward(self, grad_output):
        return grad_output
