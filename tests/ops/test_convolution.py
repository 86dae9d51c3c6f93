"""Convolutions as operations: gradients one at a time, what is saved, the choice of kernel."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import functional as F


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("needed", range(3))
def test_one_gradient_alone(groups, needed, rng):
    """Gradients that nobody needs are not computed, and their arrays not saved."""
    values = [rng.standard_normal(shape) for shape in ((2, 4, 5, 6), (4, 4 // groups, 3, 2), (4,))]
    tensors = [mc.Tensor(value, requires_grad=i == needed) for i, value in enumerate(values)]
    twins = [torch.tensor(value, requires_grad=i == needed) for i, value in enumerate(values)]
    y = F.conv2d(*tensors, groups=groups)
    saved = [array for array in vars(y.grad_fn.saved).values() if array is not None]
    assert [id(array) for array in saved] == [id(t._array) for t in tensors[:2][::-1]][needed : needed + 1]
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent)
    torch.nn.functional.conv2d(*twins, groups=groups).backward(torch.tensor(cotangent))
    assert [t.grad is None for t in tensors] == [twin.grad is None for twin in twins]
    np.testing.assert_allclose(tensors[needed].grad.numpy(), twins[needed].grad.numpy(), rtol=1e-10, atol=1e-12)


def test_kernel_choice():
    x = mc.Tensor(np.ones((1, 4, 3, 3)), requires_grad=True)
    names = {
        groups: F.conv2d(x, mc.Tensor(np.ones((4, 4 // groups, 3, 3))), groups=groups).grad_fn.name
        for groups in (1, 2, 4)
    }
    assert names == {1: "Conv2d", 2: "Conv2d", 4: "DepthwiseConv2d"}
