"""A training step of a small network runs through the kernels of a GPU, by way of layers and autograd."""

import numpy as np

import minception as mc
import minception.functional as F
from minception import nn
from minception.kernels.cuda import launch
from tests.table.homes import EMULATED

TOLERANCE = 1e-13  # float64: sums of at most some thousand terms, of numbers that are not much larger than 1


def network():
    mc.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),  # batch norm leaves a bias no gradient but rounding errors
        nn.BatchNormReLU2d(6),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.DepthwiseConv2d(6, 3, padding=1, depth_multiplier=2, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(12, 4),
    ).double()


def step(home):
    """{name: array} of the loss, the gradients and the buffers."""
    rng = np.random.default_rng(0)
    x, labels = mc.Tensor(rng.standard_normal((3, 3, 11, 10)), requires_grad=True), np.array([2, 0, 3])
    model = network()
    with mc.use_kernels(home):
        loss = F.cross_entropy(model(x), labels, label_smoothing=0.1)
        loss.backward()
    found = {"loss": loss, "grad x": x.grad} | {name: p.grad for name, p in model.named_parameters()}
    return {name: np.asarray(array) for name, array in (found | dict(model.named_buffers())).items()}


def test_training_step_equals_that_of_the_reference(monkeypatch):
    launched, find = [], launch._emulated

    def spy(source, name, *rest):
        launched.append(name)
        return find(source, name, *rest)

    monkeypatch.setattr(launch, "_emulated", spy)
    expected = step("reference")
    assert launched == []
    for name, array in step(EMULATED).items():
        assert np.abs(array - expected[name]).max() <= TOLERANCE, name
    for name in ("max_pool2d", "depthwise_conv2d", "batch_norm_moments", "avg_pool2d", "global_avg_pool2d", "relu"):
        assert name in launched
    assert {"correlation_32", "weight_gradient"} <= set(launched)
    assert "softmax_cross_entropy_backward" in launched
