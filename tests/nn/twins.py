"""Run a layer beside the PyTorch layer of the same name: same values, same cotangent, every result compared.

The PyTorch twin always computes in float64, on the values as rounded to the dtype under test, so that the errors
of float32 are measured against (nearly) the truth.
"""

import warnings

import numpy as np
import torch

import minception as mc
from tests.compare import assert_close


def fill_randomly(twin, rng):
    """Give a torch module random float64 values, exactly representable in float32; variances and counts positive."""
    twin.double()
    with torch.no_grad():
        for name, tensor in [*twin.named_parameters(), *twin.named_buffers()]:
            values = rng.normal(size=tuple(tensor.shape)).astype(np.float32)
            if name.endswith("running_var"):
                values = np.abs(values) + np.float32(0.5)
            if name.endswith("num_batches_tracked"):
                values = rng.integers(1, 9)
            tensor.copy_(torch.tensor(values))


def copy_state(twin, module):
    """Load a torch module's state dict into ours, as arrays."""
    module.load_state_dict({name: tensor.numpy() for name, tensor in twin.state_dict().items()})


def gradients(module):
    """Gradient of every parameter by name, as arrays (None where none arrived)."""
    return {name: None if p.grad is None else np.asarray(p.grad) for name, p in module.named_parameters()}


def assert_same_step(module, twin, array, rng, magnitude=1.0):
    """Forward, backward under a random cotangent, and compare: output, gradients of input and parameters, buffers.

    `magnitude` is that of the terms of which results are the sums: where they cancel, the error is still relative to
    them. Random inputs, weights and cotangents of unit variance make it 1.
    """
    dtype = array.dtype
    x = mc.Tensor(array, requires_grad=True)
    x_twin = torch.tensor(array.astype(np.float64), requires_grad=True)
    y = module(x)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
        y_twin = twin(x_twin)
    cotangent = rng.normal(size=tuple(y_twin.shape)).astype(dtype)
    module.zero_grad()
    twin.zero_grad()
    y.backward(cotangent)
    y_twin.backward(torch.tensor(cotangent.astype(np.float64)))

    # No sum in any layer has more terms than the input, the output or one parameter has elements.
    terms = max(array.size, cotangent.size, *(p.numel() for p in twin.parameters()), 1)

    def check(actual, expected):
        expected = expected.detach().numpy()
        if expected.dtype == np.int64:
            np.testing.assert_array_equal(np.asarray(actual), expected, strict=True)
        else:
            scale = max(np.abs(expected).max(initial=0), magnitude)
            assert_close(actual, expected.astype(dtype), terms, scale)

    check(y, y_twin)
    check(x.grad, x_twin.grad)
    expected = dict(twin.named_parameters())
    actual = gradients(module)
    assert list(actual) == list(expected)
    for name, grad in actual.items():
        assert grad.dtype == dtype
        check(grad, expected[name].grad)
    expected = dict(twin.named_buffers())
    actual = dict(module.named_buffers())
    assert list(actual) == list(expected)
    for name, buffer in actual.items():
        check(buffer, expected[name])


def assert_same(module, twin, array, rng, magnitude=1.0):
    """Compare the pair in float64 and in float32, training and evaluating, all starting from one random state."""
    fill_randomly(twin, rng)
    start = {name: tensor.clone() for name, tensor in twin.state_dict().items()}
    for dtype in (np.float64, np.float32):
        for training in (True, False):
            twin.load_state_dict(start)
            module.to(dtype)
            copy_state(twin, module)
            module.train(training)
            twin.train(training)
            assert_same_step(module, twin, array.astype(np.float32).astype(dtype), rng, magnitude)
    assert repr(module) == repr(twin)
