"""Random networks against torch: every value, every gradient, every running statistic.

A parameter or input that torch leaves without a gradient (`None`: nothing between it and the output, or it is
frozen) has none here either. Where torch has one, zero or not, so have we.
"""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings

from minception.kernels import use_kernels
from tests.composition import found
from tests.composition.in_minception import Built
from tests.composition.networks import networks
from tests.composition.numbers import cotangent_array
from tests.composition.program import Dropout
from tests.composition.rounding import Measured, Results
from tests.table.homes import HOMES


def results_of_minception(network, dtype):
    built, values = Built(network, dtype=dtype), {}

    def each(name, t):
        values[name] = t
        if t.requires_grad:
            t.retain_grad()
        return t

    output = built.run(each=each)
    if output.requires_grad:
        output.backward(cotangent_array(network))
    arrays = {name: np.asarray(t) for name, t in values.items()}
    intermediate = {name: None if t.grad is None else np.asarray(t.grad) for name, t in values.items()}
    return Results(arrays, intermediate | built.gradients(), built.buffers())


def assert_agree(actual, measured, kind, name, dtype):
    actual, expected = getattr(actual, kind)[name], getattr(measured.exact, kind)[name]
    what = f"{kind} {name}"
    assert (actual is None) == (expected is None), f"{what}: one is None"
    if expected is None:
        return
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    if expected.dtype == np.int64:
        np.testing.assert_array_equal(actual, expected, strict=True)
        return
    assert actual.dtype == dtype, f"{what}: {actual.dtype}"
    assert np.isfinite(expected).all(), f"{what}: the network was meant to stay finite"
    error = np.abs(actual - expected).max(initial=0)
    allowed = measured.tolerance(kind, name, dtype)
    assert error <= allowed, f"{what}: off by {error:.3g}, allowed {allowed:.3g}"


# A network runs in milliseconds, and there are many more networks than single operations.
MANY = settings(max_examples=4 * settings().max_examples)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("home", HOMES)
@MANY
@example(network=found.NEARLY_CERTAIN)
@example(network=found.NORMALISED_TWICE)
@given(network=networks())
def test_networks_agree_with_torch(home, dtype, network):
    measured = Measured(network)
    assume(not measured.has_near_ties(dtype))
    with use_kernels(home):
        results = results_of_minception(network, dtype)
    assert results.gradients.keys() == measured.exact.gradients.keys()
    assert results.buffers.keys() == measured.exact.buffers.keys()
    # A dropout that does nothing hands back its input itself, whose gradient is that of all its uses.
    skipped = {step.name for step in network.steps if isinstance(step.operation, Dropout)}
    for kind in ("values", "gradients", "buffers"):
        for name in getattr(measured.exact, kind):
            if kind != "gradients" or name not in skipped:
                assert_agree(results, measured, kind, name, dtype)


def test_comparisons_are_strict():
    """Few networks are passed over for near ties, and few arrays cancel so far that their tolerance is wide."""
    passed_over, tolerances = [], []

    @settings(max_examples=60, derandomize=True)  # a share, to be the same in every profile
    @given(network=networks())
    def measure(network):
        measured = Measured(network)
        passed_over.append(measured.has_near_ties(np.float32))
        for kind in ("values", "gradients"):
            for name, array in getattr(measured.exact, kind).items():
                if array is not None and np.abs(array).max(initial=0) > 0 and not passed_over[-1]:
                    tolerances.append(measured.tolerance(kind, name, np.float64) / np.abs(array).max())

    measure()
    assert np.mean(passed_over) <= 0.1
    assert np.quantile(tolerances, 0.95) < 1e-12
