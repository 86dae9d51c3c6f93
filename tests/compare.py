"""Comparison with torch: tolerances derived from the dtype and the length of the longest sum.

A sum of K rounded products is off by at most about K * u times the sum of magnitudes (Higham, "Accuracy and
Stability of Numerical Algorithms", section 3.1); rounding errors of random sign grow like sqrt(K). `tolerance`
allows `SAFETY * u * sqrt(K)` relative to the largest magnitude in the expected array, u being machine epsilon.
"""

import numpy as np
import torch

SAFETY = 16.0


def tolerance(dtype, terms):
    """Allowed error, relative to the largest expected magnitude, of sums of `terms` products in `dtype`."""
    return SAFETY * np.finfo(dtype).eps * np.sqrt(max(terms, 1))


def assert_close(actual, expected, terms=1, scale=None):
    """Assert equal shape, dtype and, within `tolerance`, value. NaN equals NaN, infinities must agree.

    `expected` is a torch tensor or an array. `scale` overrides the magnitude that the error is relative to, for
    results that come from cancelling larger numbers.
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
    allowed = tolerance(expected.dtype, terms) * scale + np.finfo(expected.dtype).tiny
    error = np.abs(actual[finite].astype(np.float64) - expected[finite].astype(np.float64))
    assert error.max() <= allowed, f"worst error {error.max():.3g} exceeds {allowed:.3g} (scale {scale:.3g})"


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
