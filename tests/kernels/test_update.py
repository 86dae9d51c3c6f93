"""Optimizer updates against torch.optim, one parameter over several steps.

The formulas and their order are torch's, so results agree to rounding: torch fuses some multiplications with
additions, which moves a result by about one unit in the last place per step.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference import update
from tests.kernels.inputs import LAYOUTS, dtypes, in_layout, seeds

STEPS = 20

flags = st.booleans()


def assert_rounding_apart(actual, expected, scale=None):
    """Equal dtype, and equal values but for two roundings per step of the largest magnitude involved."""
    expected = expected.detach().numpy()
    assert actual.dtype == expected.dtype
    scale = max(np.abs(expected).max(initial=0), 1.0 if scale is None else scale)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2 * STEPS * np.finfo(actual.dtype).eps * scale)


class Case:
    """A parameter, its torch twin, and a sequence of gradients; arrays in any layout, gradients read-only."""

    def __init__(self, seed, dtype, layout, shape=(3, 2, 4)):
        self.rng = np.random.default_rng(seed)
        self.layout = layout
        self.parameter = in_layout(np.asarray(self.rng.standard_normal(shape), dtype), layout)
        self.twin = torch.tensor(self.parameter.copy(), requires_grad=True)

    def zeros(self, wanted=True):
        return in_layout(np.zeros_like(self.parameter), self.layout) if wanted else None

    def run(self, update_step, torch_optimizer):
        """STEPS steps of both; returns torch's state of the parameter."""
        for step in range(1, STEPS + 1):
            grad = np.asarray(self.rng.normal(0.5, 1, self.parameter.shape), self.parameter.dtype)
            self.twin.grad = torch.tensor(grad)
            grad = in_layout(grad, self.layout)
            grad.flags.writeable = False
            assert update_step(grad, step) is None
            torch_optimizer.step()
            assert_rounding_apart(self.parameter, self.twin)
        return torch_optimizer.state[self.twin]


cases = st.builds(Case, seeds, dtypes, st.sampled_from(LAYOUTS), st.sampled_from([(3, 2, 4), (5,), (1, 1), (), (0, 3)]))
weight_decays = st.sampled_from([0.0, 0.01, 0.3])


@given(cases, st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.0, 0.3]), weight_decays, flags, flags)
def test_sgd_equals_torch(case, momentum, dampening, weight_decay, nesterov, maximize):
    options = {"lr": 0.1, "momentum": momentum, "weight_decay": weight_decay, "maximize": maximize}
    options["nesterov"] = nesterov and momentum > 0
    options["dampening"] = 0.0 if options["nesterov"] else dampening
    buffer = case.zeros(momentum > 0)

    def step(grad, count):
        update.sgd_update(case.parameter, grad, buffer, first_step=count == 1, **options)

    state = case.run(step, torch.optim.SGD([case.twin], foreach=False, **options))
    if buffer is not None:
        assert_rounding_apart(buffer, state["momentum_buffer"], 10)


@given(cases, st.sampled_from([0.9, 0.99]), st.sampled_from([0.0, 0.9]), weight_decays, flags, flags)
def test_rmsprop_equals_torch(case, alpha, momentum, weight_decay, centered, maximize):
    options = {"lr": 0.01, "alpha": alpha, "eps": 1e-6, "momentum": momentum}
    options |= {"weight_decay": weight_decay, "maximize": maximize}
    square_avg, grad_avg, buffer = case.zeros(), case.zeros(centered), case.zeros(momentum > 0)

    def step(grad, count):
        update.rmsprop_update(case.parameter, grad, square_avg, grad_avg, buffer, **options)

    state = case.run(step, torch.optim.RMSprop([case.twin], centered=centered, foreach=False, **options))
    assert_rounding_apart(square_avg, state["square_avg"])
    if centered:
        assert_rounding_apart(grad_avg, state["grad_avg"])
    if buffer is not None:
        assert_rounding_apart(buffer, state["momentum_buffer"], 10)


@pytest.mark.parametrize(
    ("kernel", "optimizer"), [(update.adam_update, torch.optim.Adam), (update.adamw_update, torch.optim.AdamW)]
)
@given(case=cases, beta1=st.sampled_from([0.0, 0.3, 0.9]), weight_decay=weight_decays, amsgrad=flags, maximize=flags)
def test_adam_and_adamw_equal_torch(kernel, optimizer, case, beta1, weight_decay, amsgrad, maximize):
    options = {"lr": 0.01, "eps": 1e-6, "weight_decay": weight_decay, "maximize": maximize}
    exp_avg, exp_avg_sq, max_exp_avg_sq = case.zeros(), case.zeros(), case.zeros(amsgrad)

    def step(grad, count):
        if amsgrad and count % 3 == 0:
            grad = np.asarray(grad / 100)  # so that the running average falls and the maximum matters
            case.twin.grad /= 100
        kernel(case.parameter, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, count, beta1=beta1, beta2=0.95, **options)

    twin = optimizer([case.twin], betas=(beta1, 0.95), amsgrad=amsgrad, foreach=False, **options)
    state = case.run(step, twin)
    assert_rounding_apart(exp_avg, state["exp_avg"])
    assert_rounding_apart(exp_avg_sq, state["exp_avg_sq"])
    if amsgrad:
        assert_rounding_apart(max_exp_avg_sq, state["max_exp_avg_sq"])


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


def test_gradients_are_not_written():
    grad = np.ones(3)
    grad.flags.writeable = False
    for kernel in every_kernel(np.ones(3), grad):
        kernel()


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


@pytest.mark.parametrize("kernel", [update.adam_update, update.adamw_update])
def test_adam_steps_count_from_one(kernel):
    arrays = [np.ones(2) for _ in range(4)]
    with pytest.raises(ValueError, match="step counts from 1, got 0"):
        kernel(*arrays, None, 0, 0.1)
    with pytest.raises(TypeError, match="step must be an integer"):
        kernel(*arrays, None, 1.5, 0.1)
    with pytest.raises(ValueError, match=r"exp_avg_sq must have shape \(2,\)"):
        kernel(*arrays[:3], np.ones(3), None, 1, 0.1)
