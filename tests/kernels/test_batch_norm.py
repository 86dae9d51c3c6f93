"""Batch norm: accuracy far from zero and over long sums, constant and absent channels, laws of its gradient."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minception.kernels.reference import batch_norm
from tests.compare import assert_close, torch_grads


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


def test_running_variance_is_the_unbiased_one():
    running_mean, running_var = np.zeros(1), np.zeros(1)
    _, mean, var = batch_norm.batch_norm_train(np.array([[1.0], [3.0]]), None, None)
    batch_norm.batch_norm_update_running(running_mean, running_var, mean, var, 2, 1.0)
    assert (mean[0], var[0], running_mean[0], running_var[0]) == (2.0, 1.0, 2.0, 2.0)


@pytest.mark.parametrize("shape", [(2, 0), (2, 0, 3, 3)])
def test_no_channels_give_empty_results(shape):
    x, none = np.zeros(shape), np.zeros(0)
    output, mean, var = batch_norm.batch_norm_train(x, none, none)
    grad_x, grad_weight, grad_bias = batch_norm.batch_norm_train_backward(x, x, none, mean, var)
    assert output.shape == grad_x.shape == batch_norm.batch_norm_eval(x, none, none, none, none).shape == shape
    assert mean.shape == var.shape == grad_weight.shape == grad_bias.shape == (0,)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1)])
def test_one_value_per_channel_cannot_train_as_in_torch(shape):
    x = np.ones(shape)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        F.batch_norm(torch.tensor(x), None, None, training=True)
    with pytest.raises(ValueError, match=r"^batch_norm_train: Expected more than 1 value per channel when training"):
        batch_norm.batch_norm_train(x, None, None)


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
