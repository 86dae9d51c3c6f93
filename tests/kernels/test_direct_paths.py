"""Shapes for which the compiled convolutions have ways of their own, which random small shapes seldom reach."""

from unittest.mock import patch

import numpy as np
import pytest

from minception.kernels import cpu, reference
from minception.kernels.cpu import conv, weight_gradient
from tests.compare import assert_close
from tests.kept_settings import settings_kept
from tests.kernels.inputs import in_layout

# (x, weight, stride, padding)
FEW_CHANNELS = {
    "stem": ((2, 3, 23, 19), (20, 3, 3, 3), 2, 0),
    "stem with zeros around": ((2, 3, 23, 19), (33, 3, 3, 3), (2, 1), 1),
    "7x7": ((2, 3, 31, 30), (40, 3, 7, 7), 2, 3),
    "one channel, one image": ((1, 1, 9, 40), (5, 1, 2, 5), (1, 3), (0, 2)),
    "as many as count as few": ((3, 4, 12, 11), (64, 4, 5, 1), 1, (2, 0)),
}
FULLY_CONNECTED = {
    "auxiliary classifier": ((4, 64, 5, 5), (96, 64, 5, 5), 1, 0),
    "rectangle, strides without meaning": ((3, 40, 7, 6), (100, 40, 7, 6), (2, 3), 0),
    "one image": ((1, 70, 8, 8), (33, 70, 8, 8), 1, 0),
}
LAYOUTS = "contiguous", "channels last", "channel slice", "reversed"


def passes(home, x, weight, bias, grad, options):
    """Output and gradients, the second of the input added to ones."""
    ones = in_layout(np.ones(x.shape, x.dtype), "channels last")
    return (
        home.conv2d(x, weight, bias, **options),
        home.conv2d_backward_input(grad, weight, x.shape, **options),
        home.conv2d_backward_input(grad, weight, x.shape, **options, add_to=ones),
        home.conv2d_backward_weight(grad, x, weight.shape, **options),
    )


def check(case, dtype, layout):
    """The compiled passes equal the reference in float64, and themselves on the same number of threads."""
    x_shape, weight_shape, stride, padding = case
    options = {"stride": stride, "padding": padding}
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in (x_shape, weight_shape, weight_shape[:1]))
    grad = rng.standard_normal(reference.conv2d(x, weight, **options).shape).astype(dtype)
    wide = [array.astype(np.float64) for array in (x, weight, bias, grad)]
    expected = passes(reference, *wide, options)
    # What is added up: magnitudes for magnitudes.
    scales = [largest.max() for largest in passes(reference, *map(np.abs, wide), options)]
    terms = np.prod(weight_shape[1:]), weight.size, weight.size, grad.size
    x, grad = in_layout(x, layout), in_layout(grad, layout)
    for count in (1, 2, 3):
        with settings_kept(count):
            found, again = (passes(cpu, x, weight, bias, grad, options) for _ in range(2))
        for actual, same, exact, number, scale in zip(found, again, expected, terms, scales, strict=True):
            assert_close(actual, exact.astype(dtype), terms=int(number), scale=scale)
            np.testing.assert_array_equal(actual, same)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FEW_CHANNELS)
def test_few_channels(name, dtype, layout):
    inner = weight_gradient._correlate_few_channels
    with patch.object(weight_gradient, "_correlate_few_channels", wraps=inner) as taken:
        check(FEW_CHANNELS[name], dtype, layout)
    assert taken.called


def test_few_channels_of_many_lines():
    """More lines than are summed at a time."""
    check(((2, 3, 60, 43), (16, 3, 3, 3), 1, 1), np.float32, "channels last")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FULLY_CONNECTED)
def test_an_image_that_is_one_window(name, dtype, layout):
    with patch.object(conv, "run_weights") as weights, patch.object(conv, "run_correlation") as correlation:
        check(FULLY_CONNECTED[name], dtype, layout)
    assert not weights.called and not correlation.called


def test_gradient_of_one_window_is_added():
    check(FULLY_CONNECTED["one image"], np.float32, "channels last")


@pytest.mark.parametrize(
    "change", ["many images", "zeros around", "groups", "few weights", "read-only weights", "weights of another order"]
)
def test_what_is_no_fully_connected_layer(rng, change):
    """Relatives of the above, in small integers, whose sums are exact in any order."""
    x, weight, groups, padding = rng.integers(-2, 3, (3, 60, 6, 6)), rng.integers(-2, 3, (64, 60, 6, 6)), 1, 0
    x, weight = x.astype(np.float32), weight.astype(np.float32)
    if change == "many images":
        x = np.concatenate([x] * 11)
    elif change == "zeros around":
        x, padding = np.ascontiguousarray(x[:, :, 1:-1, 2:]), (1, 1)
    elif change == "groups":
        groups, weight = 2, np.ascontiguousarray(weight[:, :30])
    elif change == "few weights":
        weight = weight[:3]
    elif change == "read-only weights":
        weight.flags.writeable = False
    else:
        weight = in_layout(weight, "channels last")
    options = {"padding": padding, "groups": groups}
    expected = reference.conv2d(x, weight, **options)
    grad = rng.integers(-2, 3, expected.shape).astype(np.float32)
    for ours, theirs in (
        (cpu.conv2d(x, weight, **options), expected),
        (cpu.conv2d_backward_input(grad, weight, x.shape, **options),
         reference.conv2d_backward_input(grad, weight, x.shape, **options)),
        (cpu.conv2d_backward_weight(grad, x, weight.shape, **options),
         reference.conv2d_backward_weight(grad, x, weight.shape, **options)),
    ):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)
