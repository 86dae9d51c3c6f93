"""Convolutions that are products of matrices go to cuBLAS, in the precision that is set, and add in place."""

import numpy as np
import pytest

import minception as mc
from minception.kernels import conv2d, conv2d_backward_input, conv2d_backward_weight, reference, use_kernels
from minception.kernels.cuda import device, product
from minception.kernels.transfer import to_numpy
from tests.kept_settings import settings_kept

N, C, O, H, W = 2, 5, 7, 3, 4  # noqa: E741 - output channels
STEP = {"float32": 2.0**-23, "tf32": 2.0**-10, "bfloat16": 2.0**-7, "float16": 2.0**-10}


@pytest.fixture(autouse=True)
def kept():
    with settings_kept():
        yield


@pytest.fixture
def calls(cupy, monkeypatch):
    """The types of computation that `gemmEx` was asked for."""
    found, original = [], cupy.cuda.cublas.gemmEx

    def watching(*arguments):
        found.append(arguments[-2])
        return original(*arguments)

    monkeypatch.setattr(cupy.cuda.cublas, "gemmEx", watching)
    return found


def arrays(rng, dtype=np.float32):
    x, weight, g = (
        rng.standard_normal(shape).astype(dtype) for shape in ((N, C, H, W), (O, C, 1, 1), (N, O, H, W))
    )
    return x, weight, g


def passes(module, x, weight, g, add_to):
    """The three passes, as NumPy arrays."""
    x, weight, g, add_to = (module.asarray(array) for array in (x, weight, g, add_to))
    found = conv2d(x, weight), conv2d_backward_input(g, weight, x.shape), conv2d_backward_weight(g, x, weight.shape)
    added = conv2d_backward_input(g, weight, x.shape, add_to=add_to)
    assert added is add_to
    return [to_numpy(array) for array in (*found, added)]


def in_float64(x, weight, g, add_to):
    x, weight, g, add_to = (array.astype(np.float64) for array in (x, weight, g, add_to))
    back = reference.conv2d_backward_input(g, weight, x.shape)
    return [reference.conv2d(x, weight), back, reference.conv2d_backward_weight(g, x, weight.shape), add_to + back]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("precision", STEP)
def test_equals_the_reference(cupy, calls, rng, precision, channels_last):
    mc.set_precision(precision)
    x, weight, g = arrays(rng)
    add_to = np.moveaxis(rng.standard_normal((N, H, W, C)).astype(np.float32), -1, 1)
    if channels_last:
        x, g = (np.moveaxis(np.moveaxis(array, 1, -1).copy(), -1, 1) for array in (x, g))
    with use_kernels("cuda"):
        actual = passes(cupy, x, weight, g, _without_gaps(cupy, add_to))
    assert calls == [product.COMPUTE[precision]] * 4
    largest = in_float64(*map(abs, (x, weight, g, add_to)))
    for found, expected, magnitude in zip(actual, in_float64(x, weight, g, add_to), largest, strict=True):
        error = abs(found - expected)
        assert (error <= (2 * STEP[precision] + 60 * 2.0**-23) * magnitude).all()
        if precision != "float32":
            assert (error > 1e-6 * magnitude).any()


def _without_gaps(cupy, images):
    """(N, C, H, W) on the device, channels-last there: `asarray` would put it in C order."""
    return cupy.moveaxis(cupy.asarray(np.ascontiguousarray(np.moveaxis(images, 1, -1))), -1, 1)


def test_float64_has_one_precision(cupy, calls, rng):
    mc.set_precision("tf32")
    x, weight, g = arrays(rng, np.float64)
    with use_kernels("cuda"):
        actual = passes(cupy, x, weight, g, np.ones_like(x))
    for found, expected in zip(actual, in_float64(x, weight, g, np.ones_like(x)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    assert calls == []


@pytest.mark.parametrize(("precision", "oldest"), [("tf32", 80), ("bfloat16", 80), ("float16", 75)])
def test_older_gpus_do_not_round(cupy, calls, rng, monkeypatch, precision, oldest):
    mc.set_precision(precision)
    for capability, compute in ((oldest - 5, 68), (oldest, product.COMPUTE[precision])):
        monkeypatch.setattr(product, "compute_capability", lambda: capability)  # noqa: B023
        with use_kernels("cuda"):
            x, weight, _ = map(cupy.asarray, arrays(rng))
            conv2d(x, weight)
        assert calls.pop() == compute


def test_the_generation_of_a_gpu(cupy):
    assert device.compute_capability() == int(cupy.cuda.Device().compute_capability) >= 50
