"""The affine map as an operation: gradients one at a time."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import functional as F


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
