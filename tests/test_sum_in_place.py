"""Gradients of several consumers are added up in place where nobody else holds the sum, and only there."""

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import autograd, kernels


def _tensors(*shapes):
    rng = np.random.default_rng(0)
    return [mc.Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]


def _inception(x, weights):
    """Four branches that read one input."""
    first, second, third = weights
    hidden = F.relu(x)
    branches = [
        F.conv2d(hidden, first),
        F.conv2d(hidden, second, padding=1),
        F.conv2d(hidden, third, stride=1),
        F.max_pool2d(hidden, 3, 1, 1),
    ]
    return F.cat(branches, 1), hidden


SHAPES = [(2, 8, 6, 5), (5, 8, 1, 1), (20, 8, 3, 3), (7, 8, 1, 1)]


def _gradients(hook=None):
    x, *weights = _tensors(*SHAPES)
    output, hidden = _inception(x, weights)
    if hook is not None:
        hidden.register_hook(hook)
    (output * output).sum().backward()
    return [np.array(t.grad) for t in (x, *weights)]


@pytest.mark.parametrize("home", ["reference", "cpu"])
def test_equals_sums_in_new_memory(monkeypatch, home):
    with mc.use_kernels(home):
        in_place = _gradients()
        monkeypatch.setattr(autograd, "_is_ours_alone", lambda grads, origin: False)
        for ours, expected in zip(in_place, _gradients(), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


def test_inception_module_adds_in_place():
    """Three of the four branches find the sum of the others and add to it."""
    found = []
    original = kernels.conv2d_backward_input

    def spy(*args, add_to=None, **options):
        found.append(add_to is not None)
        result = original(*args, add_to=add_to, **options)
        assert add_to is None or result is add_to
        return result

    kernels.conv2d_backward_input = spy
    try:
        _gradients()
    finally:
        kernels.conv2d_backward_input = original
    assert found == [True, True, True]


def test_gradient_that_a_hook_keeps_is_not_changed():
    """The gradient that a hook saw goes on to `hidden` unchanged, and then comes a convolution that adds to the sum."""
    kept = []
    x, weight = _tensors((1, 4, 3, 3), (4, 4, 1, 1))
    hidden = F.relu(x)
    same = hidden + mc.Tensor(np.zeros((1, 4, 3, 3)))
    same.register_hook(lambda grad: kept.append((grad, np.array(grad))))
    output = F.cat([F.relu(F.conv2d(hidden, weight)), F.relu(same)], 1)
    output.backward(np.random.default_rng(1).standard_normal(output.shape))
    ((grad, before),) = kept
    np.testing.assert_array_equal(np.array(grad), before)


def test_gradient_of_both_terms_of_a_sum_is_not_changed():
    """h + conv(h): the sum hands one array to both, and the convolution must not add to its own output's gradient."""
    x, weight = _tensors((1, 4, 3, 3), (4, 4, 1, 1))
    hidden = F.relu(x)
    output = F.relu(hidden + F.conv2d(hidden, weight))
    cotangent = np.random.default_rng(1).standard_normal(output.shape)
    output.backward(cotangent)
    grad = cotangent * (np.array(output) > 0)
    through = kernels.conv2d_backward_input(grad, np.array(weight), grad.shape)
    np.testing.assert_allclose(np.array(x.grad), (grad + through) * (np.array(x) > 0), rtol=1e-12)
    by_weight = kernels.conv2d_backward_weight(grad, np.array(hidden), weight.shape)
    np.testing.assert_allclose(np.array(weight.grad), by_weight, rtol=1e-12)


def test_retained_gradient_is_not_changed():
    x, *weights = _tensors(*SHAPES)
    output, hidden = _inception(x, weights)
    output.retain_grad()
    hidden.retain_grad()
    (output * output).sum().backward(retain_graph=True)
    first = np.array(hidden.grad)
    np.testing.assert_allclose(np.array(output.grad), 2 * np.array(output))
    (output * output).sum().backward()
    np.testing.assert_allclose(np.array(hidden.grad), 2 * first)


@pytest.mark.parametrize("home", ["reference", "cpu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2}, {"stride": 3, "dilation": 2}, {"groups": 4}])
@pytest.mark.parametrize("channels_last", [True, False])
def test_kernel_adds_to_an_array(home, dtype, options, channels_last):
    rng = np.random.default_rng(0)
    x_shape, weight = (2, 16, 9, 8), rng.standard_normal((32, 16 // options.get("groups", 1), 3, 3)).astype(dtype)
    output = kernels.conv2d(np.zeros(x_shape, dtype), weight, **options)
    grad = rng.standard_normal(output.shape).astype(dtype)
    so_far = rng.standard_normal((2, 9, 8, 16)).astype(dtype).transpose(0, 3, 1, 2)
    so_far = so_far if channels_last else np.ascontiguousarray(so_far)
    with mc.use_kernels(home):
        alone = kernels.conv2d_backward_input(grad, weight, x_shape, **options)
        expected = so_far + alone
        result = kernels.conv2d_backward_input(grad, weight, x_shape, **options, add_to=so_far)
    assert result is so_far
    np.testing.assert_allclose(so_far, expected, rtol=0, atol=200 * np.finfo(dtype).eps)
