"""Max and average pooling: which tap wins, and what padding counts."""

import numpy as np
import pytest

from minception.kernels.reference.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

INF, NAN = np.inf, np.nan


class TestMaxPool:
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


class TestAveragePool:
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kernel_size": 5}, "kernel_size 5 .* does not fit into height 4"),
        ({"kernel_size": (4, 8), "padding": (0, 1)}, "kernel_size 8 .* does not fit into width 5 with padding 1"),
        ({"kernel_size": (6, 1), "stride": 2, "ceil_mode": True}, "kernel_size 6 .* does not fit into height 4"),
    ],
)
def test_windows_that_do_not_fit_have_no_gradient_either(arguments, words):
    grad, taps = np.zeros((2, 3, 1, 1)), np.zeros((2, 3, 1, 1), np.uint8)
    with pytest.raises(ValueError, match=f"^max_pool2d_backward: {words}"):
        max_pool2d_backward(grad, taps, (2, 3, 4, 5), **arguments)
    with pytest.raises(ValueError, match=f"^avg_pool2d_backward: {words}"):
        avg_pool2d_backward(grad, (2, 3, 4, 5), **arguments)
