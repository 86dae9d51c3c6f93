"""Optimizer updates: running averages in detail, types of coefficients, gradients that are not numbers."""

import numpy as np
import pytest
import torch

from minception.kernels.reference import update


@pytest.mark.parametrize("beta1", [0.0, 0.05, 0.3, 0.7, 0.95])
def test_running_averages_are_taken_from_the_nearer_end(rng, beta1):
    """average + (1 - beta1) (grad - average) loses a small gradient after a large one; torch.lerp does not."""
    grads = (rng.standard_normal(200) * 1e8).astype(np.float32), rng.standard_normal(200).astype(np.float32)
    exp_avg, others = np.zeros(200, np.float32), [np.zeros(200, np.float32) for _ in range(2)]
    expected = torch.zeros(200)
    for step, grad in enumerate(grads, 1):
        update.adam_update(others[0], grad, exp_avg, others[1], None, step, 0.1, beta1)
        expected.lerp_(torch.tensor(grad), 1 - beta1)
        np.testing.assert_allclose(exp_avg, expected.numpy(), rtol=3 * np.finfo(np.float32).eps)


def every_kernel(parameter, grad):
    """The four kernels with all their state, as functions of no arguments, each on its own copies."""
    arrays = lambda count: [np.zeros_like(parameter) for _ in range(count)]  # noqa: E731
    return [
        lambda: update.sgd_update(parameter, grad, *arrays(1), 0.1, 0.9, 0.0, 0.01),
        lambda: update.rmsprop_update(parameter, grad, *arrays(3), 0.1, momentum=0.9, weight_decay=0.01),
        lambda: update.adam_update(parameter, grad, *arrays(3), 1, 0.1, weight_decay=0.01),
        lambda: update.adamw_update(parameter, grad, *arrays(3), 1, 0.1),
    ]


@pytest.mark.parametrize("number", [np.float64(0.1), 0.1, np.float32(0.1)])
def test_number_types_of_coefficients_do_not_matter(rng, number):
    """A NumPy float64 learning rate must not make float32 arithmetic double, nor an exact 0.1 a rounded one."""
    start, grad = rng.standard_normal((2, 50)).astype(np.float32)
    results = []
    for lr in (number, float(number)):
        parameter, buffers = start.copy(), [np.zeros_like(start) for _ in range(3)]
        for step in (1, 2, 3):
            update.adam_update(parameter, grad, *buffers, step, lr, weight_decay=lr)
            update.adamw_update(parameter, grad, *buffers, step, lr, weight_decay=lr)
            update.rmsprop_update(parameter, grad, *buffers, lr, momentum=lr, weight_decay=lr)
            update.sgd_update(parameter, grad, buffers[0], lr, momentum=lr, dampening=lr, weight_decay=lr)
        results.append((parameter, *buffers))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_non_finite_gradients_pass_through_without_warnings(bad):
    grad = np.array([1.0, bad], np.float32)
    for i in range(4):
        parameter = np.ones(2, np.float32)
        every_kernel(parameter, grad)[i]()
        assert np.isfinite(parameter[0])


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize(
    ("parameter", "grad", "error", "words"),
    [
        (np.ones(3), np.ones(4), ValueError, r"_update: grad must have shape \(3,\)"),
        (np.ones((3, 1)), np.ones(3), ValueError, r"_update: grad must have shape \(3, 1\)"),
        (np.ones(3), np.ones(3, np.float32), TypeError, "parameter is float64, grad is float32"),
        (np.ones(3, int), np.ones(3), TypeError, "_update: parameter must be float32 or float64"),
        (np.ones(3), [1.0, 2.0, 3.0], TypeError, "_update: grad must be an array, got list"),
    ],
)
def test_wrong_arrays_change_nothing(index, parameter, grad, error, words):
    before = parameter.copy()
    with pytest.raises(error, match=words):
        every_kernel(parameter, grad)[index]()
    np.testing.assert_array_equal(parameter, before)
