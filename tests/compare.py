"""Comparison with torch where no row of tests/table does it: with the rounding error that tests/table/rounding allows.

A sum of K products rounds 2K times, each time relative to at most the largest magnitude that is added up.
"""

import numpy as np
import torch

from tests.table.rounding import allowed


def assert_close(actual, expected, terms=1, scale=None):
    """Assert equal shape, dtype and, but for the rounding of sums of `terms` products, value. NaN equals NaN.

    `expected` is a torch tensor or an array. `scale` is the magnitude of what is added up: by default the largest
    in `expected`, and larger where numbers cancel.
    """
    actual = np.asarray(actual)
    if isinstance(expected, torch.Tensor):
        expected = expected.detach().numpy()
    expected = np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    assert actual.dtype == expected.dtype, f"dtype {actual.dtype}, expected {expected.dtype}"
    if expected.size == 0:
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    if not finite.any():
        return
    if scale is None:
        scale = np.abs(expected[finite]).max()
    limit = allowed(expected.dtype, 2 * max(terms, 1), scale, scale)
    error = np.abs(actual[finite].astype(np.float64) - expected[finite].astype(np.float64))
    assert error.max() <= limit, f"worst error {error.max():.3g} exceeds {limit:.3g} (scale {scale:.3g})"


def torch_grads(function, cotangent, *arrays):
    """Run `function` on torch copies of `arrays`; return (output, gradients) for the given cotangent.

    `None` stands for an absent array. Gradients come in the order of the arrays, `None` where absent. torch gets
    row-major copies: torch 2.13 gives wrong float64 weight gradients for some small channels-last inputs.
    """
    tensors = [None if a is None else torch.tensor(np.array(a, order="C"), requires_grad=True) for a in arrays]
    output = function(*tensors)
    present = [t for t in tensors if t is not None]
    if callable(cotangent):
        cotangent = cotangent(tuple(output.shape))
    grads = iter(torch.autograd.grad(output, present, torch.tensor(np.array(cotangent, order="C")), allow_unused=True))
    return output.detach().numpy(), [None if t is None else next(grads).numpy() for t in tensors]
