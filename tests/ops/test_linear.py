"""The affine map as an operation, against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.kernels.inputs import arrays, dtypes, seeds
from tests.ops.check import check


@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_linear(data, dtype, seed):
    leading = data.draw(st.lists(st.integers(0, 3), max_size=3))
    i, o = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    x, weight, bias = (data.draw(arrays(shape, dtype)) for shape in ((*leading, i), (o, i), (o,)))
    check(F.linear, torch.nn.functional.linear, x, weight, bias, seed=seed, scale=100.0)
    check(F.linear, torch.nn.functional.linear, x, weight, seed=seed, scale=100.0)


@pytest.mark.parametrize("needed", range(3))
def test_one_gradient_alone(needed, rng):
    """Gradients that nobody needs are neither computed nor stored."""
    values = [rng.standard_normal(shape) for shape in ((2, 3), (4, 3), (4,))]
    tensors = [mc.Tensor(value, requires_grad=i == needed) for i, value in enumerate(values)]
    twins = [torch.tensor(value, requires_grad=i == needed) for i, value in enumerate(values)]
    cotangent = rng.standard_normal((2, 4))
    F.linear(*tensors).backward(cotangent)
    torch.nn.functional.linear(*twins).backward(torch.tensor(cotangent))
    for t, twin in zip(tensors, twins, strict=True):
        assert (t.grad is None) == (twin.grad is None)
    np.testing.assert_allclose(tensors[needed].grad.numpy(), twins[needed].grad.numpy(), rtol=1e-12)


def test_errors():
    x = mc.Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match="linear: "):
        F.linear(x, mc.Tensor(np.ones((4, 2))))
    with pytest.raises(TypeError, match="linear: all arrays must have one dtype"):
        F.linear(x, mc.Tensor(np.ones((4, 3), np.float32)))
