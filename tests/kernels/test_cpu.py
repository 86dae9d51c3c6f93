"""What is special about the compiled kernels: their long sums, their taps, their threads, and how they are chosen.

Values and gradients are those of torch in tests/table, on 1 to 3 threads.
"""

import numpy as np
import pytest

from minception import kernels
from minception.kernels import cpu, reference, threads
from minception.kernels.arrays import FLOAT_DTYPES
from minception.kernels.cpu.arithmetic import SMALL
from tests.compare import assert_close
from tests.kernels.inputs import LAYOUTS, in_layout


def test_long_sums_of_float32():
    """Weight gradients and statistics over 262,144 pixels, where a plain running sum would lose digits."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((4, 3, 256, 256)) + 10).astype(np.float32)
    grad = (rng.standard_normal(x.shape) + 10).astype(np.float32)
    wide_x, wide_grad = x.astype(np.float64), grad.astype(np.float64)

    expected = reference.depthwise_conv2d_backward_weight(wide_grad, wide_x, (3, 1, 3, 3), padding=1)
    actual = cpu.depthwise_conv2d_backward_weight(grad, x, (3, 1, 3, 3), padding=1)
    assert_close(actual, expected.astype(np.float32), terms=256)

    _, mean, var = cpu.batch_norm_train(x, None, None)
    _, expected_mean, expected_var = reference.batch_norm_train(wide_x, None, None)
    assert_close(mean, expected_mean.astype(np.float32))
    assert_close(var, expected_var.astype(np.float32))


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_max_pool_of_nan(dtype):
    """A NaN replaces any number and the last NaN wins, in every position of the window."""
    x = np.arange(64, dtype=dtype).reshape(1, 1, 8, 8) % 7
    x[0, 0, [0, 1, 3, 4, 4, 6, 7], [0, 3, 2, 4, 5, 7, 6]] = np.nan
    for actual, expected in zip(cpu.max_pool2d(x, 2), reference.max_pool2d(x, 2), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert np.isnan(cpu.max_pool2d(x, 2)[0]).sum() == 5


@pytest.mark.parametrize("kernel_size", [3, 16, 17])
def test_max_pool_hands_on_the_taps_of_the_reference(rng, kernel_size):
    """Either home may compute the gradient of the other's maxima: same taps, in as small an integer as they fit."""
    x = rng.integers(-2, 3, (2, 3, 19, 20)).astype(np.float32)
    arguments = {"kernel_size": kernel_size, "stride": 2, "padding": 1, "ceil_mode": True}
    np.testing.assert_array_equal(
        cpu.max_pool2d(x, **arguments)[1], reference.max_pool2d(x, **arguments)[1], strict=True
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_large_sums_of_arrays_in_one_layout(rng, dtype, layout):
    """Where both lie alike in memory, they are added as they lie, on all threads; if without gaps."""
    x, y = (in_layout(rng.standard_normal((5, 16, 30, 31)).astype(dtype), layout) for _ in range(2))
    assert x.size > SMALL
    np.testing.assert_array_equal(cpu.add(x, y), x + y)


def test_dispatch_chooses_the_home(monkeypatch):
    calls = []
    monkeypatch.setattr(cpu, "relu", lambda x: calls.append("cpu") or x)
    monkeypatch.setattr(reference, "relu", lambda x: calls.append("reference") or x)
    monkeypatch.setattr("minception.kernels.dispatch._find", kernels.dispatch._find.__wrapped__)
    kernels.relu(np.ones(3))
    with kernels.use_kernels("reference"):
        kernels.relu(np.ones(3))
        with kernels.use_kernels("cpu"):
            kernels.relu(np.ones(3))
    assert calls == ["cpu", "reference", "cpu"]
    with pytest.raises(ValueError, match="unknown kernels 'gpu'"), kernels.use_kernels("gpu"):
        pass


@pytest.mark.parametrize(("size", "parts"), [(0, 2), (1, 4), (7, 3), (8, 2)])
def test_split_covers_the_range(size, parts):
    bounds = threads.split(size, parts)
    assert [i for start, stop in bounds for i in range(start, stop)] == list(range(size))
    assert len(bounds) <= parts


def test_errors_in_a_part_reach_the_caller():
    threads.set_num_threads(3)

    def part(start, stop):
        if start > 0:
            raise RuntimeError(f"part {start}")

    with pytest.raises(RuntimeError, match="part"):
        threads.run_parts(part, 3)
