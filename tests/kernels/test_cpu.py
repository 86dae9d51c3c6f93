"""The compiled kernels: against torch for convolutions, against the reference for the rest, on 1 to 3 threads.

The reference is itself held to torch by the other tests of this folder.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minception import kernels
from minception.kernels import cpu, reference, threads
from minception.kernels.arrays import FLOAT_DTYPES
from minception.kernels.cpu.arithmetic import SMALL
from tests.compare import assert_close
from tests.kernels.conv_cases import NAMED_CASES, conv_answers, conv_cases
from tests.kernels.inputs import LAYOUTS, arrays, dtypes, in_layout, is_channels_last, largest, unmodified
from tests.kernels.test_pool import pools

thread_counts = st.integers(1, 3)


@pytest.fixture(autouse=True)
def keep_thread_count():
    count = threads.get_num_threads()
    yield
    threads.set_num_threads(count)


def check_conv(case, count):
    threads.set_num_threads(count)
    x, weight, bias = case.arrays()
    answers = conv_answers(case)
    output = cpu.conv2d(x, weight, bias, **case.sliding, groups=case.groups)
    answers.check_output(output)
    grad = case.cotangent(output.shape)
    grad_x = cpu.conv2d_backward_input(grad, weight, x.shape, **case.sliding, groups=case.groups)
    grad_weight = cpu.conv2d_backward_weight(grad, x, weight.shape, **case.sliding, groups=case.groups)
    answers.check_gradients(grad_x, grad_weight, reference.conv2d_backward_bias(grad))
    assert is_channels_last(output) and is_channels_last(grad_x) and grad_weight.flags.c_contiguous


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("case", NAMED_CASES.values(), ids=NAMED_CASES.keys())
def test_named_convolutions(case, count):
    check_conv(case, count)


@given(conv_cases(), thread_counts)
def test_convolution(case, count):
    check_conv(case, count)


@given(conv_cases(depthwise=True), thread_counts)
def test_depthwise_convolution(case, count):
    threads.set_num_threads(count)
    x, weight, bias = case.arrays()
    answers = conv_answers(case)
    output = cpu.depthwise_conv2d(x, weight, bias, **case.sliding)
    answers.check_output(output)
    grad = case.cotangent(output.shape)
    grad_x = cpu.depthwise_conv2d_backward_input(grad, weight, x.shape, **case.sliding)
    grad_weight = cpu.depthwise_conv2d_backward_weight(grad, x, weight.shape, **case.sliding)
    answers.check_gradients(grad_x, grad_weight, reference.conv2d_backward_bias(grad))
    assert is_channels_last(output) and is_channels_last(grad_x)


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


@given(st.data(), pools(dilated=True), dtypes, thread_counts)
def test_max_pool(data, pool, dtype, count):
    threads.set_num_threads(count)
    shape, arguments = pool
    x = data.draw(arrays(shape, dtype, ("normal", "ties", "nonfinite")))
    output, taps = cpu.max_pool2d(x, **arguments)
    expected, expected_taps = reference.max_pool2d(x, **arguments)
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(taps, expected_taps)
    assert output.dtype == dtype and taps.dtype == expected_taps.dtype

    grad = data.draw(arrays(output.shape, dtype))
    grad_x = cpu.max_pool2d_backward(grad, taps, shape, **arguments)
    expected = reference.max_pool2d_backward(grad, expected_taps, shape, **arguments)
    assert_close(grad_x, expected, terms=16, scale=16 * largest(grad))
    assert is_channels_last(output) and is_channels_last(grad_x)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_max_pool_of_nan(dtype):
    """A NaN replaces any number and the last NaN wins, in every position of the window."""
    x = np.arange(64, dtype=dtype).reshape(1, 1, 8, 8) % 7
    x[0, 0, [0, 1, 3, 4, 4, 6, 7], [0, 3, 2, 4, 5, 7, 6]] = np.nan
    for actual, expected in zip(cpu.max_pool2d(x, 2), reference.max_pool2d(x, 2), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert np.isnan(cpu.max_pool2d(x, 2)[0]).sum() == 5


def test_batch_norm_far_from_zero():
    """Mean 1e4, standard deviation 1e-2, float32: the rounding of the mean is a visible part of a deviation."""
    rng = np.random.default_rng(0)
    x = (1e4 + 1e-2 * rng.standard_normal((64, 3, 5, 7))).astype(np.float32)
    grad = rng.standard_normal(x.shape).astype(np.float32)
    output, mean, var = cpu.batch_norm_train(x, None, None)
    expected, *_ = reference.batch_norm_train(x.astype(np.float64), None, None)
    assert_close(output, expected.astype(np.float32))
    grads = cpu.batch_norm_train_backward(grad, x, None, mean, var)
    for actual, answer in zip(grads, reference.batch_norm_train_backward(grad, x, None, mean, var), strict=True):
        assert_close(actual, answer, terms=64)


@st.composite
def batches(draw, dtype):
    """Images, sequences or vectors for batch norm, sometimes far from zero, with statistics of some channels."""
    shape = (draw(st.integers(2, 80)), draw(st.integers(1, 5)), *draw(st.lists(st.integers(1, 4), max_size=2)))
    x = draw(arrays(shape, dtype))
    return x + np.asarray(draw(st.sampled_from([0, 3, -100])), dtype)


@given(st.data(), dtypes, st.booleans(), thread_counts)
def test_batch_norm(data, dtype, affine, count):
    threads.set_num_threads(count)
    x = data.draw(batches(dtype))
    channels = x.shape[1]
    weight, bias = (data.draw(arrays((channels,), dtype)) if affine else None for _ in range(2))
    grad = data.draw(arrays(x.shape, dtype))
    wide = [None if a is None else a.astype(np.float64) for a in (x, weight, bias, grad)]

    with unmodified(x, grad):
        output, mean, var = cpu.batch_norm_train(x, weight, bias)
        gradients = cpu.batch_norm_train_backward(grad, x, weight, mean, var)
        evaluated = cpu.batch_norm_eval(x, mean, var, weight, bias)
    expected, expected_mean, expected_var = reference.batch_norm_train(*wide[:3])
    # Rounding x moves it by eps * |x|; dividing by the standard deviation magnifies that.
    spread = 1 / np.sqrt(expected_var.min() + 1e-5)
    factor = 1 + largest(x) * spread
    scale = (largest(weight) if affine else 1) * factor + (largest(bias) if affine else 0)
    assert_close(output, expected.astype(dtype), scale=scale * max(1, largest(expected)))
    assert_close(mean, expected_mean.astype(dtype), scale=largest(x))
    assert_close(var, expected_var.astype(dtype), scale=largest(x) * np.sqrt(expected_var.max()) + expected_var.max())

    answers = reference.batch_norm_train_backward(wide[3], wide[0], wide[1], expected_mean, expected_var)
    weights = largest(weight) if affine else 1
    scales = (weights * spread * factor**2, factor * len(x) * 16, len(x) * 16)
    for actual, answer, size in zip(gradients, answers, scales, strict=True):
        assert_close(actual, answer.astype(dtype), scale=size * max(largest(grad), 1) * 4)
    statistics = mean.astype(np.float64), var.astype(np.float64)
    assert_close(evaluated, reference.batch_norm_eval(wide[0], *statistics, *wide[1:3]).astype(dtype), scale=scale * 4)


@given(st.data(), dtypes, thread_counts)
def test_relu(data, dtype, count):
    threads.set_num_threads(count)
    shape = (data.draw(st.integers(0, 4)), 3, 4, 5)
    x = data.draw(arrays(shape, dtype, ("normal", "ties", "nonfinite")))
    grad = data.draw(arrays(shape, dtype))
    output = cpu.relu(x)
    np.testing.assert_array_equal(output, reference.relu(x))
    np.testing.assert_array_equal(cpu.relu_backward(grad, output), reference.relu_backward(grad, output))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_large_sums_and_concatenations(dtype, layout):
    rng = np.random.default_rng(0)
    x, y = (in_layout(rng.standard_normal((5, 16, 30, 31)).astype(dtype), layout) for _ in range(2))
    assert x.size > SMALL
    np.testing.assert_array_equal(cpu.add(x, y), reference.add(x, y))
    np.testing.assert_array_equal(cpu.add(x, np.ascontiguousarray(y)), reference.add(x, y))
    joined = cpu.concatenate([x, y[:, 3:], x[:, :1]], 1)
    np.testing.assert_array_equal(joined, reference.concatenate([x, y[:, 3:], x[:, :1]], 1))
    assert is_channels_last(joined)
    with pytest.raises(ValueError, match=r"arrays\[1\]"):
        cpu.concatenate([x, y[:, :, 1:]], 1)
    with pytest.raises(ValueError, match="add: y must have shape"):
        cpu.add(x, y[1:])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_same_bits_every_time(dtype):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((7, 5, 9, 8)).astype(dtype), rng.standard_normal((6, 5, 3, 3)).astype(dtype)
    grad = rng.standard_normal((7, 6, 9, 8)).astype(dtype)
    threads.set_num_threads(2)
    runs = [
        (
            cpu.conv2d_backward_weight(grad, x, weight.shape, padding=1),
            cpu.conv2d_backward_input(grad, weight, x.shape, padding=1),
            *cpu.batch_norm_train(x, None, None),
        )
        for _ in range(3)
    ]
    for again in runs[1:]:
        for first, second in zip(runs[0], again, strict=True):
            assert first.tobytes() == second.tobytes()


BAD_CALLS = {
    "conv2d": lambda home: home.conv2d(np.ones((1, 3, 4, 4)), np.ones((2, 4, 3, 3))),
    "conv2d bias": lambda home: home.conv2d(np.ones((1, 3, 4, 4)), np.ones((2, 3, 3, 3)), np.ones(3)),
    "conv2d dtype": lambda home: home.conv2d(np.ones((1, 3, 4, 4), int), np.ones((2, 3, 3, 3))),
    "conv2d kernel": lambda home: home.conv2d(np.ones((1, 3, 2, 2)), np.ones((2, 3, 3, 3))),
    "conv2d_backward_input": lambda home: home.conv2d_backward_input(
        np.ones((1, 2, 2, 3)), np.ones((2, 3, 3, 3)), (1, 3, 4, 4)
    ),
    "conv2d_backward_weight": lambda home: home.conv2d_backward_weight(
        np.ones((2, 2, 2, 2)), np.ones((1, 3, 4, 4)), (2, 3, 3, 3)
    ),
    "depthwise": lambda home: home.depthwise_conv2d(np.ones((1, 3, 4, 4)), np.ones((4, 1, 3, 3))),
    "max_pool2d": lambda home: home.max_pool2d(np.ones((1, 3, 4, 4)), 2, padding=2),
    "max_pool2d_backward": lambda home: home.max_pool2d_backward(
        np.ones((1, 3, 3, 2)), np.ones((1, 3, 2, 2), np.uint8), (1, 3, 4, 4), 2
    ),
    "batch_norm one value": lambda home: home.batch_norm_train(np.ones((1, 3, 1, 1)), None, None),
    "batch_norm eps": lambda home: home.batch_norm_train(np.ones((2, 3, 1, 1)), None, None, eps=0.0),
    "batch_norm weight": lambda home: home.batch_norm_train(np.ones((2, 3, 1, 1)), np.ones(2), None),
    "batch_norm_eval": lambda home: home.batch_norm_eval(np.ones((2, 3)), np.ones(2), np.ones(3), None, None),
    "relu": lambda home: home.relu(np.ones((2, 3), int)),
    "relu_backward": lambda home: home.relu_backward(np.ones((2, 3)), np.ones((3, 2))),
}


@pytest.mark.parametrize("call", BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_wrong_calls_fail_as_in_the_reference(call):
    with pytest.raises((TypeError, ValueError)) as expected:
        call(reference)
    with pytest.raises(type(expected.value)) as actual:
        call(cpu)
    assert str(actual.value) == str(expected.value)


def test_every_fast_kernel_is_a_reference_kernel():
    assert set(cpu.__all__) <= set(reference.__all__)


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


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_thread_count_must_be_a_positive_integer(count, error):
    with pytest.raises(error, match="count must be"):
        threads.set_num_threads(count)


def test_errors_in_a_part_reach_the_caller():
    threads.set_num_threads(3)

    def part(start, stop):
        if start > 0:
            raise RuntimeError(f"part {start}")

    with pytest.raises(RuntimeError, match="part"):
        threads.run_parts(part, 3)
