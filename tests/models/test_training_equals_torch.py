"""Twenty steps of training in float64: the losses, all weights and all buffers stay those of PyTorch.

Both networks start from the same weights and see the same batches. Twenty steps of SGD with momentum magnify any
wrong factor, missing term or wrong statistic far beyond the 1e-9 that rounding is allowed here.
"""

import numpy as np
import pytest
import torch

import minception.functional as F
from minception import Tensor, manual_seed, models, optim, use_kernels
from tests.models.twins import TWINS

NAMES = ["mini_inception", "mini_xception"]
STEPS = 20
RELATIVE = 1e-9


def batches(seed, size, image_size):
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        yield rng.standard_normal((size, 3, image_size, image_size)), rng.integers(0, 10, size)


def make_pair(name):
    """Our network and its twin in float64 with the same random weights."""
    manual_seed(0)
    ours = models.create(name, dropout=0.0).double()
    twin = TWINS[name]().double()
    twin.load_state_dict({key: torch.tensor(array) for key, array in ours.state_dict().items()})
    return ours, twin


def assert_same(actual, expected, what):
    error = np.abs(np.asarray(actual) - expected).max()
    assert error <= RELATIVE * max(np.abs(expected).max(), 1e-3), f"{what}: off by {error:.3g}"


def assert_same_state(ours, twin):
    state = ours.state_dict()
    expected = twin.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        assert_same(state[key], value.numpy(), key)


@pytest.mark.parametrize("home", ["reference", "cpu"])
@pytest.mark.parametrize("name", NAMES)
def test_twenty_steps(name, home):
    ours, twin = make_pair(name)
    settings = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
    optimizer = optim.SGD(ours.parameters(), **settings)
    torch_optimizer = torch.optim.SGD(twin.parameters(), **settings)
    with use_kernels(home):
        for images, labels in batches(1, 6, 16):
            optimizer.zero_grad()
            loss = F.cross_entropy(ours(Tensor(images)), labels, label_smoothing=0.1)
            loss.backward()
            optimizer.step()

            torch_optimizer.zero_grad()
            logits = twin(torch.tensor(images))
            expected = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), label_smoothing=0.1)
            expected.backward()
            torch_optimizer.step()
            assert_same(float(loss), expected.item(), "loss")
    assert_same_state(ours, twin)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_evaluation_at_full_size(name):
    ours, twin = make_pair(name)
    rng = np.random.default_rng(2)
    images, labels = rng.standard_normal((3, 3, 32, 32)), rng.integers(0, 10, 3)
    x, torch_x = Tensor(images, requires_grad=True), torch.tensor(images, requires_grad=True)
    F.cross_entropy(ours(x), labels).backward()
    torch.nn.functional.cross_entropy(twin(torch_x), torch.tensor(labels)).backward()
    assert_same(x.grad, torch_x.grad.numpy(), "gradient of the images")
    gradients = dict(twin.named_parameters())
    largest = max(p.grad.abs().max().item() for p in gradients.values())
    for key, parameter in ours.named_parameters():
        error = np.abs(np.asarray(parameter.grad) - gradients[key].grad.numpy()).max()
        assert error <= RELATIVE * largest, f"{key}: off by {error:.3g}"

    ours.eval(), twin.eval()
    assert_same(ours(Tensor(images)), twin(torch.tensor(images)).detach().numpy(), "evaluation")
    assert_same_state(ours, twin)
