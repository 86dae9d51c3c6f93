"""Looking on: every kernel and every operation goes through the observer, and does what it did without."""

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import kernels, nn
from minception.autograd import Function
from minception.kernels.dispatch import observe

X = np.linspace(-1, 1, 2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)


def watching(seen):
    def observer(subject, function, args, kwargs):
        seen.append(subject)
        return function(*args, **kwargs)

    return observer


def test_kernels_and_operations_are_seen():
    seen = []
    conv = nn.Conv2d(3, 2, 3)
    with observe(watching(seen)):
        output = F.relu(conv(mc.Tensor(X)))
        output.sum().backward()
    names = [subject if isinstance(subject, str) else type(subject).__name__ for subject in seen]
    forward = ["Conv2d", "conv2d", "ReLU", "relu", "Sum"]
    backward = ["Sum", "ReLU", "relu_backward", "Conv2d", "conv2d_backward_weight", "conv2d_backward_bias"]
    assert names == forward + backward
    assert seen[0] is seen[8] and isinstance(seen[0], Function)  # one node, forward and backward


def test_sums_of_gradients_are_seen():
    seen = []
    x = mc.Tensor(X, requires_grad=True)
    with observe(watching(seen)):
        y = x * 2
        (y + F.relu(y)).backward(np.ones_like(X))
    assert seen[-3] is y.grad_fn and seen[-2] == "add"  # then the backward of y itself
    assert x.grad is not None


def test_results_are_the_same():
    def gradients():
        x, conv = mc.Tensor(X, requires_grad=True), nn.Conv2d(3, 3, 3, padding=1)
        conv.weight.data, conv.bias.data = np.full((3, 3, 3, 3), 0.1, np.float32), np.zeros(3, np.float32)
        y = conv(x)
        (F.relu(y) + conv(y)).backward(X)
        return x.grad.numpy(), conv.weight.grad.numpy()

    expected = gradients()
    with observe(watching([])):
        found = gradients()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_only_inside_the_block():
    seen = []
    with pytest.raises(TypeError, match="must be float32"), observe(watching(seen)):
        kernels.relu(np.arange(3))
    assert seen == ["relu"]
    kernels.relu(X)
    assert seen == ["relu"]


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="observe: observer must be callable, got 3"), observe(3):
        pass
