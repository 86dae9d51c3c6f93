"""Laws that every gradient obeys, whatever the network: no other library is asked.

Where the same numbers are added in another order, results agree up to rounding; everywhere else they agree in every
bit, and the tests insist on it.
"""

import heapq

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

import minception as mc
from minception.autograd import Function
from tests.composition import found
from tests.composition.in_minception import Built, gradients_of
from tests.composition.networks import networks
from tests.composition.numbers import buffer_arrays, cotangent_array, leaf_arrays
from tests.composition.program import Dropout
from tests.composition.rewrites import cut, separated, with_constant
from tests.composition.shapes import shapes_of


@st.composite
def recorded_networks(draw):
    """A network whose output depends on a leaf that requires a gradient."""
    network = draw(networks())
    assume(Built(network).run().requires_grad)
    return network


def assert_same_bits(actual, expected):
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (actual[name] is None) == (gradient is None), f"{name}: one is None"
        if gradient is not None:
            np.testing.assert_array_equal(actual[name], gradient, name)


def assert_equal_up_to_rounding(actual, expected, *terms):
    """Relative to the largest number in `expected` or in any of `terms`: gradients may cancel where they are summed.

    Rounding is magnified by up to 1/sqrt(1e-5) = 316 in each batch norm; a wrong law is off by the numbers themselves.
    """
    assert actual.keys() == expected.keys()
    gradients = [g for group in (expected, *terms) for g in group.values() if g is not None]
    largest = max([1.0, *(np.abs(g).max(initial=0) for g in gradients)])
    for name, gradient in expected.items():
        assert (actual[name] is None) == (gradient is None), f"{name}: one is None"
        if gradient is not None:
            np.testing.assert_allclose(actual[name], gradient, rtol=0, atol=1e-9 * largest, err_msg=name)


def combined(*weighted):
    """Sum of (weight, gradients) pairs, name by name."""
    names = weighted[0][1]
    return {
        name: None if names[name] is None else sum(weight * gradients[name] for weight, gradients in weighted)
        for name in names
    }


# One graph, several cotangents


@given(network=recorded_networks(), a=st.sampled_from([3.0, -0.7]), b=st.sampled_from([1.0, 0.3]))
def test_gradients_are_linear_in_the_cotangent(network, a, b):
    u, v = cotangent_array(network, "u"), cotangent_array(network, "v")
    of_u, of_v = gradients_of(network, cotangent=u), gradients_of(network, cotangent=v)
    of_sum = gradients_of(network, cotangent=a * u + b * v)
    assert_equal_up_to_rounding(of_sum, combined((a, of_u), (b, of_v)), of_u, of_v)


@given(network=recorded_networks(), exponent=st.integers(-20, 20))
def test_a_cotangent_times_a_power_of_two_gives_the_same_digits(network, exponent):
    """Such a factor changes no rounding, wherever it enters."""
    cotangent = cotangent_array(network)
    expected = combined((2.0**exponent, gradients_of(network)))
    assert_same_bits(gradients_of(network, cotangent=2.0**exponent * cotangent), expected)


@given(network=recorded_networks())
def test_walking_a_retained_graph_twice_doubles_the_gradients(network):
    built, cotangent = Built(network), cotangent_array(network)
    output = built.run()
    output.backward(cotangent, retain_graph=True)
    once = built.gradients()
    output.backward(cotangent)
    assert_same_bits(built.gradients(), combined((2.0, once)))
    built.forget_gradients()
    built.run().backward(cotangent)
    assert_same_bits(built.gradients(), once)


@given(network=recorded_networks())
def test_backward_changes_no_value_and_not_its_argument(network):
    """Gradients that pass a sum unchanged are one array in several places: adding to it in place would be seen."""
    built, values = Built(network), {}
    output = built.run(each=lambda name, t: values.setdefault(name, t))
    passed_on = output + 0 * output  # hands on the cotangent itself, twice
    tensors = [*values.values(), *built.leaves.values(), *built.program.buffers()]
    before = [np.array(t) for t in tensors]
    cotangent = cotangent_array(network)
    passed_on.backward(cotangent)
    np.testing.assert_array_equal(cotangent, cotangent_array(network))
    for t, array in zip(tensors, before, strict=True):
        np.testing.assert_array_equal(t, array)


@given(network=recorded_networks())
def test_gradients_accumulate_over_backward_calls(network):
    built, first = Built(network), gradients_of(network, cotangent=cotangent_array(network, "u"))
    second = gradients_of(network, cotangent=cotangent_array(network, "v"))
    for name in ("u", "v"):
        built.run().backward(cotangent_array(network, name))
    assert_same_bits(built.gradients(), combined((1.0, first), (1.0, second)))


@given(network=recorded_networks(), data=st.data())
def test_backward_of_a_sum_of_losses_is_the_sum_of_their_backwards(network, data):
    """Two losses on two values of one network: separately, the second walk meets the trunk that the first retained."""
    built, values = Built(network), {}
    built.run(each=lambda name, t: values.setdefault(name, t))
    names = [name for name, t in values.items() if t.requires_grad]
    losses = []
    for name in (data.draw(st.sampled_from(names)), network.output):
        weights = mc.Tensor(np.random.default_rng(network.seed).standard_normal(values[name].shape))
        losses.append((values[name] * weights).sum())
    for loss in losses:
        loss.backward(retain_graph=True)
    separately = built.gradients()
    built.forget_gradients()
    (losses[0] + losses[1]).backward()
    assert_equal_up_to_rounding(built.gradients(), separately)


# One network, written in several ways


@example(network=found.HIDDEN_USE)
@given(network=networks())
def test_the_gradient_of_a_shared_leaf_is_the_sum_over_its_uses(network):
    """An input used in several places, a layer that runs twice, a tied weight: against a copy for each use."""
    apart, arrays, origin = separated(network)
    gradients = gradients_of(apart, arrays)
    # A dropout that does nothing hands on its input, which then has more uses than meet the eye, in some order.
    hidden_uses = any(isinstance(step.operation, Dropout) for step in network.steps)
    for name, shared in gradients_of(network).items():
        parts = [gradients[copy] for copy in gradients if origin[copy] == name and gradients[copy] is not None]
        assert (shared is None) == (not parts), f"{name}: {len(parts)} uses have a gradient"
        if 1 <= len(parts) <= 2 and not hidden_uses:
            np.testing.assert_array_equal(shared, sum(parts), name)
        elif parts:
            largest = max(np.abs(part).max(initial=0) for part in parts)
            np.testing.assert_allclose(shared, sum(parts), rtol=0, atol=1e-13 * largest, err_msg=name)


@st.composite
def reordered_networks(draw):
    """A network and an order of its steps in which they can run as well."""
    network = draw(networks())
    makers = {step.name: number for number, step in enumerate(network.steps)}
    rank = draw(st.permutations(range(len(network.steps))))
    missing = [sum(source in makers for source in set(step.sources)) for step in network.steps]
    ready = [(rank[number], number) for number, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        order.append(heapq.heappop(ready)[1])
        for number, step in enumerate(network.steps):
            if network.steps[order[-1]].name in step.sources:
                missing[number] -= 1
                if not missing[number]:
                    heapq.heappush(ready, (rank[number], number))
    return network, order


@given(drawn=reordered_networks())
def test_the_order_in_which_the_graph_was_built_does_not_matter(drawn):
    """Not even to the last bit: the walk goes by how nodes are linked, never by when they were made."""
    network, order = drawn
    assert sorted(order) == list(range(len(network.steps)))
    assert_same_bits(gradients_of(network, order=order), gradients_of(network))


@given(network=networks())
def test_the_same_network_from_scratch_gives_the_same_bits(network):
    assert_same_bits(gradients_of(network), gradients_of(network))


@given(network=recorded_networks(), data=st.data())
def test_a_detached_branch_contributes_nothing(network, data):
    """Detaching one operand anywhere is the same as passing its value as a constant."""
    number = data.draw(st.integers(0, len(network.steps) - 1))
    position = data.draw(st.integers(0, len(network.steps[number].sources) - 1))
    values = {}
    detached = Built(cut(network, number, position))
    output = detached.run(each=lambda name, t: values.setdefault(name, t))
    constant = with_constant(network, number, position, values["cut"].shape)
    arrays = leaf_arrays(network) | buffer_arrays(network) | {"cut": np.array(values["cut"])}
    expected = gradients_of(constant, arrays, cotangent_array(network))
    assert expected.pop("cut") is None
    assert output.requires_grad == any(gradient is not None for gradient in expected.values())
    if output.requires_grad:
        output.backward(cotangent_array(network))
    assert_same_bits(detached.gradients(), expected)


class ScaleAndShift(Function):
    """The identity, whose gradient is 2 dy + 1: a node that does what two hooks do, one after the other."""

    def forward(self, x):
        return x.copy(order="K")

    def backward(self, grad_output):
        return 2 * grad_output + 1


@given(network=recorded_networks(), data=st.data())
def test_hooks_act_like_a_node_between_a_value_and_all_its_uses(network, data):
    # A dropout that does nothing hands back its input itself: a hook on it is a hook on the input, with all its uses.
    aliases = {step.name for step in network.steps if isinstance(step.operation, Dropout)}
    chosen = data.draw(st.sampled_from([name for name in shapes_of(network) if name not in aliases]))
    calls = []

    def hooked(name, t):
        if name == chosen and t.requires_grad:
            t.register_hook(lambda grad: calls.append("double") or 2 * grad)
            t.register_hook(lambda grad: calls.append("shift") or grad + 1)
        return t

    def with_node(name, t):
        return ScaleAndShift.apply(t) if name == chosen and t.requires_grad else t

    assert_same_bits(gradients_of(network, each=hooked), gradients_of(network, each=with_node))
    assert calls in ([], ["double", "shift"])
