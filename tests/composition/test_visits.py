"""The walk itself: every node once and after its consumers, in drawn networks, in deep ones and in wide ones."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minception as mc
import minception.functional as F
from minception.autograd import Function
from tests.composition.graph import nodes_behind, recorded_visits
from tests.composition.in_minception import Built
from tests.composition.networks import networks
from tests.composition.numbers import cotangent_array

# An example of thousands of nodes takes as long as dozens of small ones.
FEW = settings(max_examples=max(1, settings().max_examples // 8))


@given(network=networks())
def test_every_node_runs_once_and_after_all_its_consumers(network):
    output = Built(network).run()
    nodes = nodes_behind(output)
    edges = [
        (node, edge.origin)
        for node in nodes
        for edge in node.edges
        if edge is not None and isinstance(edge.origin, Function)
    ]
    with recorded_visits() as visited:
        if output.requires_grad:
            output.backward(cotangent_array(network))
    assert len(visited) == len(nodes)
    turn = {node: position for position, node in enumerate(visited)}
    assert turn.keys() == set(nodes)
    for consumer, origin in edges:
        assert turn[consumer] < turn[origin]


# Links of a chain over vectors of two: (on a tensor, on the array, its derivative, whether the two elements swap).
# All derivatives are near 1, so that after thousands of links the gradient is still a number that can be wrong.
LINKS = {
    "negate": (lambda y: -y, lambda a: -a, lambda a: -np.ones_like(a), False),
    "tanh": (
        lambda y: F.scaled_add(y, y.tanh(), -1e-3),
        lambda a: a - 1e-3 * np.tanh(a),
        lambda a: 1 - 1e-3 / np.cosh(a) ** 2,
        False,
    ),
    "diamond": (lambda y: y * 0.25 + y * 0.75, lambda a: a, np.ones_like, False),
    "product": (
        lambda y: y - (y * 1e-3) / (y * y + 1),
        lambda a: a - 1e-3 * a / (a * a + 1),
        lambda a: 1 - 1e-3 * (1 - a * a) / (a * a + 1) ** 2,
        False,
    ),
    "swap": (lambda y: F.cat([y[1:], y[:1]]), lambda a: a[::-1], np.ones_like, True),
}


@FEW
@example(links=["diamond"])  # two ways through each link
@given(links=st.lists(st.sampled_from(list(LINKS)), min_size=1, max_size=8))
def test_a_chain_of_thousands_of_nodes_is_walked_once_per_node(links):
    """Its gradient is the product of derivatives that forward-mode differentiation accumulates link by link.

    A walk along paths instead of nodes would not return: 1,600 diamonds have 2**1600.
    """
    x = y = mc.Tensor([0.5, -0.3], dtype=np.float64, requires_grad=True)
    value, slope, place = np.array(x), np.ones(2), np.arange(2)
    made = 0
    while made < 5000:
        for link in links:
            on_tensor, on_array, derivative, swaps = LINKS[link]
            y = on_tensor(y)
            slope, value = slope * derivative(value), on_array(value)
            if swaps:
                slope, place = slope[::-1], place[::-1]
            made += 1 if link == "negate" else 2
    nodes = nodes_behind(y)
    cotangent = np.array([2.0, -3.0])
    with recorded_visits() as visited:
        y.backward(cotangent)
    assert len(visited) == len(nodes) >= 5000
    expected = np.zeros(2)
    expected[place] = cotangent * slope
    np.testing.assert_allclose(y, value, rtol=1e-9)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-9)


@pytest.mark.parametrize("join", ["concatenate", "sum"])
@FEW
@given(uses=st.lists(st.integers(0, 3), min_size=1, max_size=9), seed=st.integers(0, 2**32 - 1))
def test_a_thousand_uses_of_a_few_leaves(join, uses, seed):
    """1,000 branches from four leaves meet in one node of 1,000 inputs, or in a chain of 999 sums."""
    rng = np.random.default_rng(seed)
    leaves = [mc.Tensor(rng.standard_normal(1), requires_grad=True) for _ in range(4)]
    which = np.resize(uses, 1000)
    factors, cotangent = rng.standard_normal((2, 1000))
    branches = [leaves[leaf] * float(factor) for leaf, factor in zip(which, factors, strict=True)]
    with recorded_visits() as visited:
        if join == "concatenate":
            F.cat(branches).backward(cotangent)
        else:
            cotangent = np.resize(cotangent[:1], 1000)
            sum(branches[1:], branches[0]).backward(cotangent[:1])
    assert len(visited) == (1001 if join == "concatenate" else 1999)
    expected = np.bincount(which, factors * cotangent, minlength=4)
    for leaf, gradient, used in zip(leaves, expected, np.isin(range(4), which), strict=True):
        assert (leaf.grad is not None) == used
        if used:
            np.testing.assert_allclose(leaf.grad, [gradient], rtol=1e-12, atol=1e-12)
