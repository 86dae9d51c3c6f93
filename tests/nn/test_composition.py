"""Small networks made of many layers, against the same networks in torch, over several training steps."""

import numpy as np
import pytest
import torch

import minception as mc
import minception.functional as F
from minception import nn
from tests.nn.twins import assert_same_step, copy_state, fill_randomly


def stem(package):
    """Convolution, norm, pool, a depthwise convolution and a classifier.

    Layers before a norm have no bias: its gradient is zero, made of large terms that cancel.
    """
    return package.Sequential(
        package.Conv2d(3, 6, (3, 5), stride=2, padding=(1, 2), bias=False),
        package.BatchNorm2d(6),
        package.ReLU(),
        package.MaxPool2d(3, 2, 1, ceil_mode=True),
        package.LocalResponseNorm(3, alpha=0.5),
        package.Conv2d(6, 12, 3, padding="same", groups=6, bias=False),
        package.BatchNorm2d(12, momentum=None),
        package.ELU(0.7),
        package.AvgPool2d(2, count_include_pad=False, padding=1),
        package.AdaptiveAvgPool2d((2, 1)),
        package.Flatten(),
        package.Linear(24, 8, bias=False),
        package.BatchNorm1d(8, affine=False),
        package.ReLU(),
        package.Linear(8, 5),
        package.LogSoftmax(dim=1),
    )


def branches(package, join):
    """An Inception-like block: three branches of one input, joined along the channels, and a residual."""

    class Block(package.Module):
        def __init__(self):
            super().__init__()
            self.narrow = package.Conv2d(4, 2, 1)
            self.wide = package.Sequential(
                package.Conv2d(4, 3, 1), package.BatchNorm2d(3), package.ReLU(), package.Conv2d(3, 3, 3, padding=1)
            )
            self.pool = package.Sequential(package.MaxPool2d(3, 1, 1), package.Conv2d(4, 4, 1, bias=False))
            self.mix = package.Conv2d(9, 4, 1)
            self.norm = package.BatchNorm2d(4)

        def forward(self, x):
            joined = join([self.narrow(x), self.wide(x), self.pool(x)], 1)
            return x + 0.3 * self.norm(self.mix(joined))

    return package.Sequential(Block(), package.ReLU(), Block(), package.AdaptiveAvgPool2d(1), package.Flatten())


def make(name):
    if name == "stem":
        return stem(nn), stem(torch.nn), (4, 3, 15, 13)
    return branches(nn, F.cat), branches(torch.nn, torch.cat), (3, 4, 5, 6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["stem", "branches"])
def test_networks_agree_with_torch_in_every_gradient_and_buffer(name, training, rng):
    module, twin, shape = make(name)
    assert repr(module) == repr(twin)
    fill_randomly(twin, rng)
    copy_state(twin, module.double())
    module.train(training)
    twin.train(training)
    assert_same_step(module, twin, rng.normal(size=shape), rng)


@pytest.mark.parametrize("name", ["stem", "branches"])
def test_twenty_steps_of_gradient_descent_agree_with_torch(name, rng):
    module, twin, shape = make(name)
    twin.double()
    copy_state(twin, module.double())
    for _ in range(20):
        x = rng.normal(size=shape)
        labels = rng.integers(0, 4, size=shape[0])
        loss = F.cross_entropy(module(mc.Tensor(x)), labels)
        twin_loss = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(labels))
        np.testing.assert_allclose(float(loss), twin_loss.item(), rtol=1e-9)
        module.zero_grad()
        twin.zero_grad()
        loss.backward()
        twin_loss.backward()
        with mc.no_grad():
            for p in module.parameters():
                p -= 0.05 * p.grad
        with torch.no_grad():
            for p in twin.parameters():
                p -= 0.05 * p.grad
    state = module.state_dict()
    for key, expected in twin.state_dict().items():
        expected = expected.numpy()
        np.testing.assert_allclose(state[key], expected, rtol=1e-9, atol=1e-9 * max(np.abs(expected).max(), 1e-3))


def test_no_grad_records_nothing_and_gives_the_same(rng):
    module, _, shape = make("stem")
    module.eval()
    x = mc.Tensor(rng.normal(size=shape).astype(np.float32))
    recorded = module(x)
    with mc.no_grad():
        unrecorded = module(x)
    assert recorded.requires_grad and not unrecorded.requires_grad
    np.testing.assert_array_equal(np.asarray(recorded), np.asarray(unrecorded))


def test_a_module_used_twice_adds_its_gradients(rng):
    layer = nn.Linear(3, 3).double()
    twin = torch.nn.Linear(3, 3).double()
    copy_state(twin, layer)

    def call(module, x):
        return module(module(x))

    x = rng.normal(size=(4, 3))
    cotangent = rng.normal(size=(4, 3))
    call(layer, mc.Tensor(x)).backward(cotangent)
    call(twin, torch.tensor(x)).backward(torch.tensor(cotangent))
    for name, p in twin.named_parameters():
        actual = np.asarray(dict(layer.named_parameters())[name].grad)
        np.testing.assert_allclose(actual, p.grad.numpy(), rtol=1e-12, atol=1e-13)
