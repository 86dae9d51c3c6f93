"""Batch norm against torch in float64, and in float32 against the float64 result of the same data.

Every comparison draws the cotangent at random and passes read-only inputs, often not contiguous.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference import batch_norm
from tests.compare import assert_close, tolerance, torch_grads
from tests.kernels.inputs import LAYOUTS, in_layout

SHAPES = [
    (6, 4),
    (5, 3, 7),
    (4, 3, 5, 2),
    (2, 1, 3, 4),  # one channel
    (1, 3, 2, 5),  # one image
    (7, 2, 1, 1),  # one pixel
    (2, 3, 1, 1),  # two values per channel
    (3, 5, 23, 31),  # more rows than one block sums
    (2, 700, 5, 7),  # more channels than one block has rows
]


def read_only(array):
    array.flags.writeable = False
    return array


def in_any_layout(array, layout):
    """In a layout of the kernel tests, or "channel slice": some channels of a larger channels-last array, as after a
    concatenation."""
    if layout != "channel slice":
        return in_layout(array, layout)
    n, c, *positions = array.shape
    larger = np.full((n, *positions, c + 3), np.nan, array.dtype)
    view = np.moveaxis(larger[..., 1 : 1 + c], -1, 1)
    view[...] = array
    return view


ALL_LAYOUTS = (*LAYOUTS, "channel slice")


@st.composite
def problems(draw):
    """x, grad_output, weight or None, bias or None, running_mean, running_var, eps; float64, in some layout."""
    shape = draw(st.sampled_from(SHAPES))
    layouts = st.sampled_from(ALL_LAYOUTS)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    c = (shape[1],)
    x = rng.standard_normal(shape) * rng.uniform(0.5, 2, (1, *c, *(1,) * (len(shape) - 2))) + rng.normal()
    return (
        read_only(in_any_layout(x, draw(layouts))),
        read_only(in_any_layout(rng.standard_normal(shape) + rng.normal(), draw(layouts))),
        draw(st.sampled_from([None, read_only(rng.uniform(-3, 3, c))])),
        draw(st.sampled_from([None, read_only(rng.standard_normal(c))])),
        read_only(rng.standard_normal(c)),
        read_only(rng.uniform(0.2, 3, c)),
        draw(st.sampled_from([1e-5, 1e-3, 0.5])),
    )


def scales(x, grad_output, weight, var, eps):
    """Magnitudes that rounding errors are relative to: of the output and of the gradient of x.

    x - mean is as wrong as x is rounded; dividing by a small standard deviation magnifies that.
    """
    gamma = 1 if weight is None else np.abs(weight).max()
    inverse_std = 1 / np.sqrt(var.min() + eps)
    output = gamma * (1 + np.abs(x).max() * inverse_std)
    return output, output * inverse_std * np.abs(grad_output).max()


def check_gradients(actual, expected, x, grad_output, weight, var, eps):
    """Compare (grad_x, grad_weight, grad_bias); the expected ones are None for absent parameters."""
    terms = x.size // x.shape[1]
    output_scale, gradient_scale = scales(x, grad_output, None, var, eps)
    sum_scale = np.sqrt(terms) * np.abs(grad_output).max()
    gamma = 1 if weight is None else np.abs(weight).max()
    assert_close(actual[0], expected[0], terms, gradient_scale * gamma)
    if expected[1] is not None:
        assert_close(actual[1], expected[1], terms, sum_scale * output_scale)
    if expected[2] is not None:
        assert_close(actual[2], expected[2], terms, sum_scale)


@given(problems())
def test_training_equals_torch(problem):
    x, grad_output, weight, bias, _, _, eps = problem
    expected, expected_grads = torch_grads(
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=eps), grad_output, x, weight, bias
    )
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    terms = x.size // x.shape[1]

    output, mean, var = batch_norm.batch_norm_train(x, weight, bias, eps)
    assert_close(output, expected, terms, scales(x, grad_output, weight, var, eps)[0] + np.abs(expected).max())
    assert_close(mean, x.mean(axes), terms, np.abs(x).max())
    assert_close(var, x.var(axes), terms, np.square(x).max())

    actual = batch_norm.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)
    check_gradients(actual, expected_grads, x, grad_output, weight, var, eps)


@given(problems())
def test_evaluation_equals_torch(problem):
    x, grad_output, weight, bias, running_mean, running_var, eps = problem
    running = [torch.tensor(a) for a in (running_mean, running_var)]
    expected, expected_grads = torch_grads(
        lambda x, w, b: F.batch_norm(x, *running, w, b, training=False, eps=eps), grad_output, x, weight, bias
    )
    output = batch_norm.batch_norm_eval(x, running_mean, running_var, weight, bias, eps)
    assert_close(output, expected, 1, scales(x, grad_output, weight, running_var, eps)[0] + np.abs(expected).max())

    actual = batch_norm.batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps)
    check_gradients(actual, expected_grads, x, grad_output, weight, running_var, eps)


@given(problems())
def test_float32_is_as_good_as_float32_can_be(problem):
    """The oracle is torch in float64 on the same float32 values."""
    x, grad_output, weight, bias, running_mean, running_var, eps = (
        read_only(a.astype(np.float32)) if isinstance(a, np.ndarray) else a for a in problem
    )
    wide = [None if a is None else a.astype(np.float64) for a in (x, weight, bias)]
    running = [torch.tensor(a.astype(np.float64)) for a in (running_mean, running_var)]
    for training in (True, False):
        expected, expected_grads = torch_grads(
            lambda x, w, b, training=training: F.batch_norm(x, *running, w, b, training=training, momentum=0, eps=eps),
            grad_output.astype(np.float64),
            *wide,
        )
        if training:
            output, mean, var = batch_norm.batch_norm_train(x, weight, bias, eps)
            actual = batch_norm.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)
        else:
            mean, var = running_mean, running_var
            output = batch_norm.batch_norm_eval(x, mean, var, weight, bias, eps)
            actual = batch_norm.batch_norm_eval_backward(grad_output, x, weight, mean, var, eps)
        scale = scales(x, grad_output, weight, var, eps)[0] + np.abs(expected).max()
        assert_close(output, expected.astype(np.float32), 1, scale)
        expected_grads = [None if g is None else g.astype(np.float32) for g in expected_grads]
        check_gradients(actual, expected_grads, x, grad_output, weight, var, eps)


def test_large_mean_small_deviation_in_float32(rng):
    """10000 +- 0.01: neighbouring float32 numbers are 0.001 apart, and E[x^2] - mean^2 would be pure noise."""
    x = (1e4 + 1e-2 * rng.standard_normal((16, 3, 20, 30))).astype(np.float32)
    weight, bias = rng.uniform(1, 2, 3).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    grad_output = rng.standard_normal(x.shape).astype(np.float32)
    eps = 1e-10
    expected, expected_grads = torch_grads(
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=eps),
        grad_output.astype(np.float64),
        *(a.astype(np.float64) for a in (x, weight, bias)),
    )
    exact_var = x.astype(np.float64).var((0, 2, 3))

    output, mean, var = batch_norm.batch_norm_train(x, weight, bias, eps)
    np.testing.assert_array_equal(mean, x.astype(np.float64).mean((0, 2, 3)).astype(np.float32))
    assert_close(var, exact_var.astype(np.float32), 1)
    assert_close(output, expected.astype(np.float32), 1)
    actual = batch_norm.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)
    for gradient, wanted in zip(actual, expected_grads, strict=True):
        assert_close(gradient, wanted.astype(np.float32), 1, np.abs(wanted).max() + np.sqrt(x.size))


@pytest.mark.parametrize("rows", [1000, 2_000_000])
def test_the_error_of_sums_does_not_grow_with_the_batch(rng, rows):
    """All summands positive, so that one running float32 sum would lose digits as it grows."""
    x = rng.random((rows, 1), dtype=np.float32)
    grad_output = rng.random((rows, 1), dtype=np.float32)
    _, mean, var = batch_norm.batch_norm_train(x, None, None)
    _, grad_weight, grad_bias = batch_norm.batch_norm_train_backward(grad_output, x, None, mean, var)
    exact = x.astype(np.float64)
    exact_bias = grad_output.sum(dtype=np.float64)
    exact_weight = (grad_output * (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)).sum()
    ulp = np.finfo(np.float32).eps
    assert abs(mean[0] - exact.mean()) <= 2 * ulp * exact.mean()
    assert abs(var[0] - exact.var()) <= 2 * ulp * exact.var()
    assert abs(grad_bias[0] - exact_bias) <= 2 * ulp * exact_bias
    assert abs(grad_weight[0] - exact_weight) <= 4 * ulp * np.sqrt(rows) * np.sqrt(exact_bias)


@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_running_statistics_equal_torch(rng, dtype, momentum):
    shape = (4, 3, 5, 2)
    running_mean, running_var = rng.standard_normal(3).astype(dtype), rng.uniform(1, 2, 3).astype(dtype)
    expected = torch.tensor(running_mean), torch.tensor(running_var)
    for _ in range(3):
        x = (3 * rng.standard_normal(shape) + 1).astype(dtype)
        _, mean, var = batch_norm.batch_norm_train(x, None, None)
        batch_norm.batch_norm_update_running(running_mean, running_var, mean, var, x.size // 3, momentum)
        F.batch_norm(torch.tensor(x), *expected, training=True, momentum=momentum)
        assert_close(running_mean, expected[0])
        assert_close(running_var, expected[1])


def test_running_variance_is_the_unbiased_one():
    running_mean, running_var = np.zeros(1), np.zeros(1)
    _, mean, var = batch_norm.batch_norm_train(np.array([[1.0], [3.0]]), None, None)
    batch_norm.batch_norm_update_running(running_mean, running_var, mean, var, 2, 1.0)
    assert (mean[0], var[0], running_mean[0], running_var[0]) == (2.0, 1.0, 2.0, 2.0)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 4), (2, 3, 0, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_empty_batches_equal_torch(shape, training):
    x = np.zeros(shape)
    parameters = np.full(shape[1], 2.0), np.full(shape[1], 3.0)
    running_mean, running_var = np.full(shape[1], 0.5), np.full(shape[1], 0.7)
    running = torch.tensor(running_mean), torch.tensor(running_var)
    expected, expected_grads = torch_grads(
        lambda x, w, b: F.batch_norm(x, *running, w, b, training=training), np.zeros(shape), x, *parameters
    )
    if training:
        output, mean, var = batch_norm.batch_norm_train(x, *parameters)
        actual = batch_norm.batch_norm_train_backward(x, x, parameters[0], mean, var)
        batch_norm.batch_norm_update_running(running_mean, running_var, mean, var, 0, 0.1)
    else:
        output = batch_norm.batch_norm_eval(x, running_mean, running_var, *parameters)
        actual = batch_norm.batch_norm_eval_backward(x, x, parameters[0], running_mean, running_var)
    for a, e in zip((output, *actual, running_mean, running_var), (expected, *expected_grads, *running), strict=True):
        assert_close(a, e)


@pytest.mark.parametrize("shape", [(2, 0), (2, 0, 3, 3)])
def test_no_channels_give_empty_results(shape):
    x, none = np.zeros(shape), np.zeros(0)
    output, mean, var = batch_norm.batch_norm_train(x, none, none)
    grad_x, grad_weight, grad_bias = batch_norm.batch_norm_train_backward(x, x, none, mean, var)
    assert output.shape == grad_x.shape == batch_norm.batch_norm_eval(x, none, none, none, none).shape == shape
    assert mean.shape == var.shape == grad_weight.shape == grad_bias.shape == (0,)


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize("shape", [(5, 3, 7), (4, 3, 5, 2), (1, 3, 4, 5)])
def test_results_are_channels_last_in_memory(rng, layout, shape):
    x = in_any_layout(rng.standard_normal(shape), layout)
    ones = np.ones(3)
    output, mean, var = batch_norm.batch_norm_train(x, ones, ones)
    results = [
        output,
        batch_norm.batch_norm_eval(x, mean, var, ones, ones),
        batch_norm.batch_norm_train_backward(x, x, ones, mean, var)[0],
        batch_norm.batch_norm_eval_backward(x, x, ones, mean, var)[0],
    ]
    for result in results:
        assert result.shape == shape
        assert np.moveaxis(result, 1, -1).flags.c_contiguous


def test_gradients_of_absent_parameters_are_those_of_one_and_zero(rng):
    x, grad_output = rng.standard_normal((2, 4, 3, 5, 2))
    ones, zeros = np.ones(3), np.zeros(3)
    absent, present = batch_norm.batch_norm_train(x, None, None), batch_norm.batch_norm_train(x, ones, zeros)
    for a, b in zip(absent, present, strict=True):
        np.testing.assert_array_equal(a, b)
    for backward in (batch_norm.batch_norm_train_backward, batch_norm.batch_norm_eval_backward):
        pairs = zip(
            backward(grad_output, x, None, *absent[1:]), backward(grad_output, x, ones, *absent[1:]), strict=True
        )
        for a, b in pairs:
            np.testing.assert_array_equal(a, b)


def test_training_gradient_is_orthogonal_to_shift_and_scale(rng):
    """What the docstring says of the closed form (exactly so for eps = 0, hence a tiny eps)."""
    x, grad_output = rng.standard_normal((2, 4, 3, 5, 2))
    normalized, mean, var = batch_norm.batch_norm_train(x, None, None, eps=1e-300)
    grad_x, _, _ = batch_norm.batch_norm_train_backward(grad_output, x, None, mean, var, eps=1e-300)
    np.testing.assert_allclose(grad_x.sum((0, 2, 3)), 0, atol=1e-13)
    np.testing.assert_allclose((grad_x * normalized).sum((0, 2, 3)), 0, atol=1e-13)
    constant, _, _ = batch_norm.batch_norm_train_backward(np.full_like(x, 7.0), x, None, mean, var, eps=1e-300)
    np.testing.assert_allclose(constant, 0, atol=1e-13)


@pytest.mark.parametrize("value", [0.1, 1e4, -3e20])
def test_a_constant_channel_becomes_the_bias(value):
    x = np.full((3, 2, 4, 5), value, np.float32)
    weight, bias = np.array([2, 3], np.float32), np.array([0.5, -1], np.float32)
    output, mean, var = batch_norm.batch_norm_train(x, weight, bias)
    np.testing.assert_array_equal(output, np.broadcast_to(bias.reshape(1, 2, 1, 1), x.shape))
    np.testing.assert_array_equal(mean, x[0, :, 0, 0])
    np.testing.assert_array_equal(var, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_stay_in_their_channel(rng, bad):
    x, grad_output = rng.standard_normal((2, 4, 3, 5, 2))
    x[1, 2, 0, 1] = bad
    clean = batch_norm.batch_norm_train(x[:, :2], None, None)
    output, mean, var = batch_norm.batch_norm_train(x, None, None)
    assert np.isnan(output[:, 2]).all()
    assert np.isnan(var[2])
    grad_x, _, _ = batch_norm.batch_norm_train_backward(grad_output, x, None, mean, var)
    assert np.isnan(grad_x[:, 2]).all()
    clean_grad, _, _ = batch_norm.batch_norm_train_backward(grad_output[:, :2], x[:, :2], None, *clean[1:])
    assert_close(output[:, :2], clean[0])
    assert_close(grad_x[:, :2], clean_grad, 40)


def test_the_same_call_gives_the_same_bits(rng):
    x, grad_output = rng.standard_normal((2, 9, 17, 13, 11), dtype=np.float32)
    results = []
    for _ in range(2):
        output, mean, var = batch_norm.batch_norm_train(x.copy(), None, None)
        results.append((output, *batch_norm.batch_norm_train_backward(grad_output.copy(), x.copy(), None, mean, var)))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


def test_tolerances_see_the_classic_mistakes(rng):
    """The bounds used above are far below the effect of a biased variance, a wrong eps or a dropped term."""
    x = rng.standard_normal((4, 3, 5, 2))
    allowed = tolerance(np.float64, 40) * scales(x, x, None, x.var((0, 2, 3)), 1e-5)[1]
    output, mean, var = batch_norm.batch_norm_train(x, None, None)
    mistakes = [
        batch_norm.batch_norm_eval(x, mean, var * 40 / 39, None, None),
        batch_norm.batch_norm_eval(x, mean, var, None, None, eps=1.1e-5),
    ]
    assert all(np.abs(output - mistake).max() > 1000 * allowed for mistake in mistakes)
