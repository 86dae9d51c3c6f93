"""Local response normalization on a GPU: windows of so many channels that shared memory cannot hold them."""

import importlib

import numpy as np
import pytest

from minception.kernels import cuda, reference

module = importlib.import_module("minception.kernels.cuda.local_response_norm")


@pytest.mark.parametrize(("size", "launches"), [(5, 2), (11_000, 2), (13_000, 0)])
def test_wide_windows(rng, monkeypatch, size, launches):
    """float32: 256 + 11,000 - 1 numbers fit into 48 KiB, 256 + 13,000 - 1 do not."""
    launched, original = [], module.launch
    monkeypatch.setattr(module, "launch", lambda *a, **o: (launched.append(a[1]), original(*a, **o)))
    x, g = (rng.standard_normal((1, 7000, 1, 1)).astype(np.float32) for _ in range(2))
    results = []
    for home in (cuda, reference):
        output, scale = home.local_response_norm(x, size, 2.0)
        results.append((output, scale, home.local_response_norm_backward(g, x, scale, size, 2.0)))
    assert len(launched) == launches
    for actual, expected in zip(*results, strict=True):  # sums of up to 7000 products
        tolerance = 4 * np.sqrt(2 * 7000) * np.finfo(np.float32).eps * np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)
