"""The step-by-step batch norm: every step and every gradient is torch's."""

import dataclasses

import numpy as np
import pytest
import torch

from minception.kernels.reference import batch_norm_steps
from tests.compare import assert_close

SHAPES = [(6, 4), (5, 3, 7), (4, 3, 5, 2), (2, 1, 3, 4), (1, 3, 2, 5), (2, 3, 1, 1), (3, 5, 23, 31)]


def make_problem(shape, dtype=np.float64):
    """(x, grad_output, weight, bias)"""
    rng = np.random.default_rng(0)
    x, grad_output = (rng.standard_normal(shape).astype(dtype) + 1 for _ in range(2))
    return x, grad_output, rng.uniform(-3, 3, shape[1]).astype(dtype), rng.standard_normal(shape[1]).astype(dtype)


def torch_steps(x, weight, bias, eps):
    """The same graph in torch, every value with its gradient kept; values used twice pass through named clones."""
    t = {"x": torch.tensor(x, requires_grad=True)}
    t["weight"], t["bias"] = (torch.tensor(p, requires_grad=True) for p in (weight, bias))
    axes = [axis for axis in range(x.ndim) if axis != 1]
    per_channel = (1, -1, *[1] * (x.ndim - 2))
    t["x_from_centered"], t["x_from_mean"] = t["x"].clone(), t["x"].clone()
    t["mean"] = t["x_from_mean"].mean(axes, keepdim=True)
    t["centered"] = t["x_from_centered"] - t["mean"]
    t["centered_from_normalized"], t["centered_from_squared"] = t["centered"].clone(), t["centered"].clone()
    t["squared"] = t["centered_from_squared"] ** 2
    t["variance"] = t["squared"].mean(axes, keepdim=True)
    t["std"] = (t["variance"] + eps).sqrt()
    t["inverse_std"] = 1 / t["std"]
    t["normalized"] = t["centered_from_normalized"] * t["inverse_std"]
    t["scaled"] = t["normalized"] * t["weight"].reshape(per_channel)
    t["output"] = t["scaled"] + t["bias"].reshape(per_channel)
    for value in t.values():
        value.retain_grad()
    return t


@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_and_every_gradient_equals_torch(shape):
    x, grad_output, weight, bias = make_problem(shape)
    eps = 1e-3
    steps = batch_norm_steps.batch_norm_forward_steps(x, weight, bias, eps)
    gradients = batch_norm_steps.batch_norm_backward_steps(grad_output, steps)
    expected = torch_steps(x, weight, bias, eps)
    expected["output"].backward(torch.tensor(grad_output))

    terms = x.size // x.shape[1]
    condition = 1 + np.abs(x).max() * steps.inverse_std.max()
    for field in dataclasses.fields(steps):
        if field.name != "eps":
            value = getattr(steps, field.name)
            scale = condition * max(np.abs(value).max(), 1)
            assert_close(value, expected[field.name], terms, scale)
    for field in dataclasses.fields(gradients):
        # Sums over a channel may cancel to nothing: their error is relative to what was summed.
        scale = condition**3 * np.abs(weight).max() * np.abs(grad_output).max() * np.sqrt(terms)
        assert_close(getattr(gradients, field.name), expected[field.name].grad, terms, scale)


def test_gradients_of_values_used_twice_add():
    x, grad_output, weight, bias = make_problem((4, 3, 5, 2))
    steps = batch_norm_steps.batch_norm_forward_steps(x, weight, bias)
    g = batch_norm_steps.batch_norm_backward_steps(grad_output, steps)
    np.testing.assert_array_equal(g.centered, g.centered_from_normalized + g.centered_from_squared)
    np.testing.assert_array_equal(g.x, g.x_from_centered + g.x_from_mean)


def test_gradient_through_the_variance_does_not_reach_the_mean():
    x, grad_output, weight, bias = make_problem((4, 3, 5, 2))
    steps = batch_norm_steps.batch_norm_forward_steps(x, weight, bias)
    g = batch_norm_steps.batch_norm_backward_steps(grad_output, steps)
    np.testing.assert_allclose(g.centered_from_squared.sum((0, 2, 3)), 0, atol=1e-13)
    np.testing.assert_allclose(-g.centered_from_normalized.sum((0, 2, 3), keepdims=True), g.mean, atol=1e-13)


def test_float32_inputs_are_computed_in_float64():
    x, grad_output, weight, bias = make_problem((4, 3, 5, 2), dtype=np.float32)
    steps = batch_norm_steps.batch_norm_forward_steps(x, weight, bias)
    gradients = batch_norm_steps.batch_norm_backward_steps(grad_output, steps)
    narrow = {"x", "weight", "bias"}
    for values, exceptions in ((steps, narrow | {"output"}), (gradients, narrow)):
        for field in dataclasses.fields(values):
            value = getattr(values, field.name)
            if field.name != "eps":
                assert value.dtype == (np.float32 if field.name in exceptions else np.float64), field.name


def test_gradients_are_listed_for_every_step():
    """Each step has a gradient, and the two lists run in opposite order, but for the inputs."""
    steps = [field.name for field in dataclasses.fields(batch_norm_steps.BatchNormSteps)]
    gradients = [field.name for field in dataclasses.fields(batch_norm_steps.BatchNormGradients)]
    inputs = {"x", "weight", "bias", "eps"}
    forward = [name for name in steps if name not in inputs]
    backward = [name for name in gradients if name not in inputs and "_from_" not in name]
    assert backward == sorted(backward, key=forward.index, reverse=True)
    assert set(backward) == set(forward)


X, C3, C4 = np.zeros((4, 3, 5, 2)), np.ones(3), np.ones(4)
