"""Max and average pooling against torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from minception.kernels.reference.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from tests.compare import assert_close

from .inputs import arrays, dtypes, is_channels_last, largest, oracle, unmodified

INF, NAN = np.inf, np.nan


@st.composite
def axis_windows(draw, dilated, ceil_mode):
    """(size, kernel, stride, padding, dilation) of one axis that at least one window fits on."""
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.integers(0, kernel // 2))
    dilation = draw(st.integers(1, 3)) if dilated else 1
    smallest = dilation * (kernel - 1) + 1 - 2 * padding - (stride - 1 if ceil_mode else 0)
    size = max(1, smallest) + draw(st.integers(0, 6))
    return size, kernel, stride, padding, dilation


@st.composite
def pools(draw, dilated=False):
    """((N, C, H, W), arguments): rectangles, sizes that strides do not divide, windows that hang over."""
    ceil_mode = draw(st.booleans())
    sizes, *geometry = zip(*[draw(axis_windows(dilated, ceil_mode)) for _ in range(2)], strict=True)
    names = ("kernel_size", "stride", "padding", "dilation")[: 4 if dilated else 3]
    arguments = dict(zip(names, geometry, strict=False), ceil_mode=ceil_mode)
    return (draw(st.integers(0, 3)), draw(st.integers(1, 4)), *sizes), arguments


def torch_indices(x, arguments):
    """torch's position h * W + w of each window's maximum."""
    return F.max_pool2d(torch.tensor(np.array(x)), **arguments, return_indices=True)[1].numpy()


def positions(taps, width, kernel_size, stride, padding, dilation, **_):
    """The position h * W + w in the image that each window's tap index stands for."""
    row_taps, column_taps = np.divmod(taps.astype(int), kernel_size[1])
    oh, ow = taps.shape[2:]
    h = np.arange(oh)[:, None] * stride[0] - padding[0] + row_taps * dilation[0]
    w = np.arange(ow) * stride[1] - padding[1] + column_taps * dilation[1]
    return h * width + w


class TestMaxPool:
    @given(st.data(), pools(dilated=True), dtypes)
    def test_equals_torch(self, data, pool, dtype):
        shape, arguments = pool
        x = data.draw(arrays(shape, dtype, ("normal", "ties", "nonfinite")))
        seen = F.max_pool2d(torch.zeros(shape), **arguments)
        assume(torch.isfinite(seen).all())  # a dilated window that misses the image has a test of its own

        with unmodified(x):
            output, taps = max_pool2d(x, **arguments)
        grad_output = data.draw(arrays(output.shape, dtype, ("normal", "nonfinite")))
        with unmodified(grad_output, taps):
            grad_x = max_pool2d_backward(grad_output, taps, shape, **arguments)

        expected, (expected_grad,) = oracle(lambda t: F.max_pool2d(t, **arguments), grad_output, x)
        np.testing.assert_array_equal(output, expected)
        assert output.dtype == dtype
        np.testing.assert_array_equal(positions(taps, shape[3], **arguments), torch_indices(x, arguments))
        taps_per_window = np.prod(arguments["kernel_size"])
        assert_close(
            grad_x, expected_grad, terms=taps_per_window, scale=taps_per_window * largest(grad_output)
        )
        assert is_channels_last(output) and is_channels_last(taps) and is_channels_last(grad_x)

    def test_first_of_equal_maxima_receives_the_gradient(self):
        x = np.zeros((1, 1, 2, 4))
        _, taps = max_pool2d(x, 2)
        np.testing.assert_array_equal(taps, [[[[0, 0]]]])
        grad_x = max_pool2d_backward(np.array([[[[5.0, 7.0]]]]), taps, x.shape, 2)
        np.testing.assert_array_equal(grad_x, [[[[5, 0, 7, 0], [0, 0, 0, 0]]]])

    def test_padding_is_minus_infinity(self):
        x = np.full((1, 1, 3, 3), -4.0)
        output, _ = max_pool2d(x, 3, stride=2, padding=1)
        np.testing.assert_array_equal(output, np.full((1, 1, 2, 2), -4.0))

    def test_window_of_minus_infinity_answers_with_its_first_tap_inside(self):
        x = np.full((1, 1, 3, 3), -INF)
        output, taps = max_pool2d(x, 3, stride=2, padding=1)
        np.testing.assert_array_equal(output, np.full((1, 1, 2, 2), -INF))
        np.testing.assert_array_equal(taps, [[[[4, 3], [1, 0]]]])
        grad_x = max_pool2d_backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), taps, x.shape, 3, 2, 1)
        np.testing.assert_array_equal(grad_x, [[[[1, 2, 0], [3, 4, 0], [0, 0, 0]]]])

    @pytest.mark.parametrize(
        ("window", "expected", "tap"),
        [([1, NAN, 9], NAN, 1), ([NAN, 9, NAN], NAN, 2), ([INF, INF, 0], INF, 0), ([-INF, INF, NAN], NAN, 2)],
    )
    def test_nan_wins_and_the_last_nan_is_the_tap(self, window, expected, tap):
        output, taps = max_pool2d(np.array([[[window]]], float), (1, 3))
        np.testing.assert_array_equal(output, [[[[expected]]]])
        assert taps.item() == tap

    def test_dilated_window_that_misses_the_image_gives_minus_infinity_and_no_gradient(self):
        # rows -1 and 2 of an image with rows 0 and 1
        x = np.ones((1, 1, 2, 3))
        arguments = {"kernel_size": (2, 1), "stride": 1, "padding": (1, 0), "dilation": (3, 1)}
        output, taps = max_pool2d(x, **arguments)
        np.testing.assert_array_equal(output, np.full((1, 1, 1, 3), -INF))
        grad_x = max_pool2d_backward(np.ones_like(output), taps, x.shape, **arguments)
        np.testing.assert_array_equal(grad_x, np.zeros_like(x))

    def test_taps_are_small_integers_while_they_fit(self, rng):
        x = np.zeros((1, 1, 20, 20))
        x[0, 0, 19, 19] = 1
        assert max_pool2d(x, 16)[1].dtype == np.uint8
        _, taps = max_pool2d(x, 20)
        assert taps.dtype == np.int32
        assert taps.item() == 399
        assert max_pool2d_backward(np.ones((1, 1, 1, 1)), taps, x.shape, 20)[0, 0, 19, 19] == 1

    def test_stride_defaults_to_the_kernel_and_integers_mean_squares(self, rng):
        x = rng.standard_normal((2, 3, 9, 7))
        for output, expected in zip(max_pool2d(x, 3), max_pool2d(x, (3, 3), (3, 3)), strict=True):
            np.testing.assert_array_equal(output, expected)


@st.composite
def average_pools(draw):
    """As `pools`, with both ways to count the padding and with fixed divisors."""
    shape, arguments = draw(pools())
    arguments["count_include_pad"] = draw(st.booleans())
    arguments["divisor_override"] = draw(st.sampled_from([None, None, 1, 3, -2]))
    return shape, arguments


class TestAveragePool:
    @given(st.data(), average_pools(), dtypes)
    def test_equals_torch(self, data, pool, dtype):
        shape, arguments = pool
        x = data.draw(arrays(shape, dtype, ("normal", "ties", "nonfinite")))
        with unmodified(x):
            output = avg_pool2d(x, **arguments)
        grad_output = data.draw(arrays(output.shape, dtype, ("normal", "nonfinite")))
        with unmodified(grad_output):
            grad_x = avg_pool2d_backward(grad_output, shape, **arguments)

        expected, (expected_grad,) = oracle(lambda t: F.avg_pool2d(t, **arguments), grad_output, x)
        taps_per_window = np.prod(arguments["kernel_size"])
        assert_close(output, expected, terms=taps_per_window, scale=taps_per_window * largest(x))
        assert_close(
            grad_x, expected_grad, terms=taps_per_window, scale=taps_per_window * largest(grad_output)
        )
        assert is_channels_last(output) and is_channels_last(grad_x)

    @pytest.mark.parametrize(
        ("count_include_pad", "divisor_override", "divisors"),
        [(True, None, [3, 3, 2]), (False, None, [2, 3, 1]), (True, 5, [5, 5, 5]), (False, -1, [-1, -1, -1])],
    )
    def test_divisors_of_padded_and_overhanging_windows(self, count_include_pad, divisor_override, divisors):
        # windows over pixels (-1 0 1), (1 2 3), (3 4 5 | 5 is beyond the padding) of a row of 4
        arguments = {
            "kernel_size": (1, 3),
            "stride": (1, 2),
            "padding": (0, 1),
            "ceil_mode": True,
            "count_include_pad": count_include_pad,
            "divisor_override": divisor_override,
        }
        x = np.array([[[[1.0, 2.0, 4.0, 8.0]]]])
        sums = np.array([3.0, 14.0, 8.0])
        np.testing.assert_allclose(avg_pool2d(x, **arguments), [[[sums / divisors]]], rtol=1e-15)
        grad_x = avg_pool2d_backward(np.array([[[divisors]]], float), x.shape, **arguments)
        np.testing.assert_allclose(grad_x, [[[[1, 2, 1, 2]]]], rtol=1e-15)

    def test_stride_defaults_to_the_kernel(self, rng):
        x = rng.standard_normal((2, 3, 9, 7))
        np.testing.assert_array_equal(avg_pool2d(x, (3, 2)), avg_pool2d(x, (3, 2), stride=(3, 2)))


IMAGE = np.zeros((2, 3, 4, 5))
BAD_POOLS = [
    ({"kernel_size": 0}, ValueError, "kernel_size must be positive"),
    ({"kernel_size": (2, -1)}, ValueError, "kernel_size must be positive"),
    ({"kernel_size": (2, 2, 2)}, ValueError, "kernel_size must be an integer or a pair"),
    ({"kernel_size": 2.0}, TypeError, "kernel_size must be an integer"),
    ({"kernel_size": True}, TypeError, "kernel_size must be an integer"),
    ({"stride": 0}, ValueError, "stride must be positive"),
    ({"stride": (1, -2)}, ValueError, "stride must be positive"),
    ({"padding": -1}, ValueError, "padding must be non-negative"),
    ({"padding": 2}, ValueError, "padding must be at most half of kernel_size"),
    ({"kernel_size": (5, 1), "padding": 1}, ValueError, "padding 1 and kernel_size 1 along the width"),
    ({"kernel_size": 5}, ValueError, "kernel_size 5 .* does not fit into height 4"),
    ({"kernel_size": (4, 8), "padding": (0, 1)}, ValueError, "kernel_size 8 .* width 5 with padding 1"),
    ({"kernel_size": (6, 1), "stride": 2, "ceil_mode": True}, ValueError, "does not fit into height 4"),
]
BAD_IMAGES = [
    (IMAGE[0], ValueError, r"4 dimensions \(N, C, H, W\), got shape \(3, 4, 5\)"),
    (IMAGE[:, :, :0], ValueError, r"at least one pixel, got shape \(2, 3, 0, 5\)"),
    (IMAGE.astype(np.float16), TypeError, "x must be float32 or float64, got float16"),
    (IMAGE.astype(int), TypeError, "x must be float32 or float64, got int64"),
    ([[[[1.0]]]], TypeError, "x must be an array, got list"),
]


class TestBadCalls:
    @pytest.mark.parametrize(("arguments", "error", "words"), BAD_POOLS)
    def test_windows(self, arguments, error, words):
        arguments = {"kernel_size": 3, **arguments}
        taps = np.zeros((2, 3, 1, 1), np.uint8)
        with pytest.raises(error, match=f"^max_pool2d: .*{words}"):
            max_pool2d(IMAGE, **arguments)
        with pytest.raises(error, match=f"^max_pool2d_backward: .*{words}"):
            max_pool2d_backward(taps.astype(float), taps, IMAGE.shape, **arguments)
        with pytest.raises(error, match=f"^avg_pool2d: .*{words}"):
            avg_pool2d(IMAGE, **arguments)
        with pytest.raises(error, match=f"^avg_pool2d_backward: .*{words}"):
            avg_pool2d_backward(taps.astype(float), IMAGE.shape, **arguments)

    @pytest.mark.parametrize(("image", "error", "words"), BAD_IMAGES)
    def test_images(self, image, error, words):
        with pytest.raises(error, match=f"^max_pool2d: .*{words}"):
            max_pool2d(image, 2)
        with pytest.raises(error, match=f"^avg_pool2d: .*{words}"):
            avg_pool2d(image, 2)

    def test_dilation(self):
        with pytest.raises(ValueError, match="max_pool2d: dilation must be positive, got 0"):
            max_pool2d(IMAGE, 2, dilation=0)
        with pytest.raises(ValueError, match="kernel_size 3 with dilation 2 does not fit into height 4"):
            max_pool2d(IMAGE, 3, dilation=2)

    def test_divisor(self):
        with pytest.raises(ValueError, match="avg_pool2d: divisor_override must not be zero"):
            avg_pool2d(IMAGE, 2, divisor_override=0)
        with pytest.raises(TypeError, match=r"avg_pool2d: divisor_override must be an integer, got 1\.5"):
            avg_pool2d(IMAGE, 2, divisor_override=1.5)
        with pytest.raises(ValueError, match="avg_pool2d_backward: divisor_override must not be zero"):
            avg_pool2d_backward(IMAGE[:, :, :2, :2], IMAGE.shape, 2, divisor_override=0)

    def test_gradients_and_taps_of_other_shapes_and_dtypes(self):
        grad, taps = np.zeros((2, 3, 2, 2)), np.zeros((2, 3, 2, 2), np.uint8)
        with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3, 2, 2\)"):
            max_pool2d_backward(grad[:, :2], taps, IMAGE.shape, 2)
        with pytest.raises(ValueError, match=r"taps must have shape \(2, 3, 2, 2\)"):
            max_pool2d_backward(grad, taps[:1], IMAGE.shape, 2)
        with pytest.raises(TypeError, match="taps must be integers, got float64"):
            max_pool2d_backward(grad, grad, IMAGE.shape, 2)
        with pytest.raises(TypeError, match="grad_output must be float32 or float64"):
            max_pool2d_backward(taps, taps, IMAGE.shape, 2)
        with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3, 2, 2\)"):
            avg_pool2d_backward(grad[..., :1], IMAGE.shape, 2)
        with pytest.raises(ValueError, match="4 dimensions"):
            avg_pool2d_backward(grad, IMAGE.shape[1:], 2)
