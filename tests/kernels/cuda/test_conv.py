"""Dense convolution on a GPU: which calls are products for cuBLAS, what is added in place, how sums are divided."""

import numpy as np
import pytest

from minception import kernels
from minception.kernels import cuda, reference
from minception.kernels.cuda import conv, launch
from tests.kernels.inputs import in_layout
from tests.table.homes import EMULATED


@pytest.fixture
def launched(monkeypatch):
    """Names of the kernels that are launched, in a list that grows."""
    names, original = [], conv.launch

    def spy(source, name, *arguments, **options):
        names.append(name)
        original(source, name, *arguments, **options)

    monkeypatch.setattr(conv, "launch", spy)
    return names


def passes(x, weight, **options):
    output = cuda.conv2d(x, weight, **options)
    cuda.conv2d_backward_input(output, weight, x.shape, **options)
    cuda.conv2d_backward_weight(output, x, weight.shape, **options)


def test_pointwise_convolution_is_a_product_without_a_copy(rng, launched, monkeypatch):
    x = in_layout(rng.standard_normal((2, 5, 4, 3)), "channels last")
    weight, factors, matmul = rng.standard_normal((7, 5, 1, 1)), [], np.matmul

    def spy(a, b, out):
        factors.extend((a, b))
        assert out.flags.c_contiguous and a.ndim == b.ndim == 2
        return matmul(a, b, out=out)

    monkeypatch.setattr(np, "matmul", spy)
    passes(x, weight)
    assert launched == [] and len(factors) == 6
    forward_x, forward_weight, _, backward_weight, _, backward_x = factors
    assert np.shares_memory(forward_x, x) and np.shares_memory(backward_x, x)
    assert np.shares_memory(forward_weight, weight) and np.shares_memory(backward_weight, weight)


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"padding": 1}, {"groups": 2}], ids=["strided", "padded", "grouped"]
)
def test_other_pointwise_convolutions_gather(rng, launched, options):
    x, weight = rng.standard_normal((2, 4, 4, 3)), rng.standard_normal((6, 4 // options.get("groups", 1), 1, 1))
    passes(x, weight, **options)
    assert launched == ["correlation_32"] * 2 + ["weight_gradient_pieces_32", "weight_gradient"]


@pytest.mark.parametrize(
    ("dtype", "outputs", "name"),
    [
        (np.float32, 32, "32"), (np.float32, 33, "64"), (np.float32, 64, "64"), (np.float32, 65, "wide"),
        (np.float64, 64, "64"), (np.float64, 65, "wide"),
    ],
)  # fmt: skip
def test_tiles_are_as_wide_as_the_outputs(rng, launched, dtype, outputs, name):
    cuda.conv2d(np.ones((1, 1, 2, 2), dtype), np.ones((outputs, 1, 2, 2), dtype))
    assert launched == [f"correlation_{name}"]


def test_as_many_correlations_as_classes_of_pixels(rng, launched):
    """With stride 3 and dilation 2, three for each axis; with a kernel of one tap, one, and the rest is zero."""
    x_shape, weight = (1, 2, 8, 7), rng.standard_normal((3, 2, 3, 3))
    output = cuda.conv2d(np.zeros(x_shape), weight, stride=3, dilation=2, padding=1)
    launched.clear()
    cuda.conv2d_backward_input(output, weight, x_shape, stride=3, dilation=2, padding=1)
    assert launched == ["correlation_32"] * 9
    launched.clear()
    grad_x = cuda.conv2d_backward_input(np.ones((1, 3, 3, 3)), np.ones((3, 2, 1, 1)), x_shape, stride=3)
    assert launched == ["correlation_32"]
    assert np.count_nonzero(grad_x) == 2 * 3 * 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [{"padding": 1}, {"stride": 2}, {"stride": 5}, {"stride": 3, "dilation": 2}, {"groups": 4}, {"kernel": 1}],
)
@pytest.mark.parametrize("layout", ["channels last", "contiguous"])
def test_gradient_is_added_in_place(rng, dtype, options, layout):
    options = dict(options)
    kernel = options.pop("kernel", 3)
    x_shape, weight = (2, 8, 9, 8), rng.standard_normal((12, 8 // options.get("groups", 1), kernel, kernel))
    weight = weight.astype(dtype)
    output_shape = reference.conv2d(np.zeros(x_shape, dtype), weight, **options).shape
    grad, before = rng.standard_normal(output_shape).astype(dtype), rng.standard_normal(x_shape).astype(dtype)
    so_far = in_layout(before.copy(), layout)
    with kernels.use_kernels(EMULATED):
        result = kernels.conv2d_backward_input(grad, weight, x_shape, **options, add_to=so_far)
        alone = kernels.conv2d_backward_input(grad, weight, x_shape, **options)
    assert result is so_far
    np.testing.assert_array_equal(so_far, before + alone)


def test_weight_gradient_of_several_pieces(rng, launched, monkeypatch):
    """Small integers, whose sums are exact: the same in one piece and in many, of which the last is not full."""
    x, grad = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((3, 2, 21, 20), (3, 5, 21, 20)))
    expected = reference.conv2d_backward_weight(grad, x, (5, 2, 3, 3), padding=1)
    for least in (8, 100, 256, 1 << 20):
        monkeypatch.setattr(conv, "LEAST_PIECE", least)
        actual = cuda.conv2d_backward_weight(grad, x, (5, 2, 3, 3), padding=1)
        np.testing.assert_array_equal(actual, expected, str(least))
    assert launch.pieces_of(3 * 21 * 20, 100, 1) == (100, 13)
