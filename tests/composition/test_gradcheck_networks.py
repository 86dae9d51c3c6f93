"""The numeric gradient check on drawn smooth networks: it accepts them, and refuses each with one wrong gradient."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minception as mc
from minception.autograd import Function
from minception.gradcheck import GradcheckError
from tests.composition.in_minception import Built
from tests.composition.networks import networks

small_smooth_networks = networks(smooth=True, most_steps=3, largest=(2, 3, 3, 3))


class Wrong(Function):
    """The identity, whose gradient is off by half and by more than 1 at one element."""

    def forward(self, x, element):
        self.element = element
        return x.copy(order="K")

    def backward(self, grad_output):
        wrong = grad_output.copy()
        wrong.flat[self.element] += np.copysign(1 + 0.5 * abs(wrong.flat[self.element]), wrong.flat[self.element])
        return wrong


def as_function(built, names, change=None):
    """The network as a function of the leaves `names`; `change(name, t)` may replace a leaf."""

    def function(*tensors):
        leaves = built.leaves | dict(zip(names, tensors, strict=True))
        if change:
            leaves = {name: change(name, t) for name, t in leaves.items()}
        return built.program.with_parameters(leaves)({name: leaves[name] for name in built.inputs})

    return function


@given(network=small_smooth_networks)
def test_smooth_networks_pass(network):
    built = Built(network)
    names = [name for name, t in built.leaves.items() if t.requires_grad]
    assume(names)
    assert mc.gradcheck(as_function(built, names), [built.leaves[name] for name in names])


@given(network=small_smooth_networks, data=st.data())
def test_one_wrong_element_of_one_leaf_is_found(network, data):
    built = Built(network)
    names = [name for name, t in built.leaves.items() if t.requires_grad]
    assume(names)
    output = built.run()
    assume(output.requires_grad)
    output.backward(np.ones(output.shape))
    chosen = data.draw(st.sampled_from([name for name in names if built.leaves[name].grad is not None]))
    element = data.draw(st.integers(0, built.leaves[chosen].numel() - 1))

    def change(name, t):
        return Wrong.apply(t, element=element) if name == chosen else t

    with pytest.raises(GradcheckError, match=f"input {names.index(chosen)}: "):
        mc.gradcheck(as_function(built, names, change), [built.leaves[name] for name in names])
