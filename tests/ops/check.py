"""One-line comparison of an operation with torch: values, shape, dtype, and gradients for a drawn cotangent."""

import numpy as np
import torch

import minception as mc
from tests.compare import assert_close


def draw_cotangent(shape, seed):
    return np.random.default_rng([seed, 77]).standard_normal(shape)


def torch_oracle(function, cotangent, *inputs):
    """(output, gradients) of a torch function in float64 as arrays; a None gradient means that nothing flowed."""
    tensors = [torch.tensor(np.array(a, np.float64, order="C"), requires_grad=True) for a in inputs]
    output = function(*tensors)
    if not output.requires_grad:
        return output.numpy(), [None] * len(inputs)
    grads = torch.autograd.grad(output, tensors, torch.from_numpy(np.asarray(cotangent, np.float64)), allow_unused=True)
    return output.detach().numpy(), [None if g is None else g.numpy() for g in grads]


def assert_same(actual, expected):
    """Assert equal shape, dtype and every value of a tensor and a torch tensor."""
    np.testing.assert_array_equal(np.asarray(actual), expected.detach().numpy(), strict=True)


def check(ours, theirs, *inputs, seed=0, terms=None, scale=None):
    """Assert that `ours`, on tensors that share the memory of `inputs`, does what `theirs` does on torch tensors.

    The oracle computes in float64 and is rounded to the dtype of the inputs. `terms` is the length of the longest
    sum (by default the largest number of elements involved), `scale` the magnitude that errors are relative to,
    by default the largest number in the result.
    """
    inputs = [np.asarray(a) for a in inputs]
    dtype = inputs[0].dtype
    before = [a.copy() for a in inputs]
    tensors = [mc.from_numpy(a).requires_grad_() for a in inputs]
    output = ours(*tensors)
    cotangent = draw_cotangent(output.shape, seed).astype(dtype)
    expected, expected_grads = torch_oracle(theirs, cotangent, *inputs)
    terms = max([output.numel(), *(a.size for a in inputs)]) if terms is None else terms
    assert_close(output, expected.astype(dtype), terms, scale)
    if output.requires_grad:
        output.backward(cotangent)
    for position, (t, grad) in enumerate(zip(tensors, expected_grads, strict=True)):
        if t.grad is None:
            assert grad is None or not np.any(grad), f"input {position} got no gradient"
        else:
            assert grad is not None, f"input {position} got a gradient"
            assert_close(t.grad, grad.astype(dtype), terms, scale)
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy, "an input was modified")
