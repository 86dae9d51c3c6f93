"""Winograd convolution: equal to the direct one within bounds that follow from its own formula.

An output is A' [ sum over channels of (G w G') * (B' d B) ] A. The same formula on absolute values, matrices included,
bounds every term that is added up on the way to it; `rounding.judge` takes that as the magnitude.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import kernels
from minception.kernels.cpu import plan, winograd
from minception.kernels.cpu.plan import FEWEST_CHANNELS, plan_convolution
from minception.kernels.cpu.winograd import A_TRANSPOSED, B_TRANSPOSED, G
from tests.table.rounding import judge

reference = kernels.reference


@pytest.fixture(autouse=True)
def _any_size(monkeypatch):
    """Images of all sizes are large enough for Winograd."""
    monkeypatch.setattr(plan, "WEIGHTS_FOR_A_SQUARE", 10**9)
    monkeypatch.setattr(plan, "GRADIENTS_FOR_A_SQUARE", 10**9)
    at_once = winograd.SQUARES, winograd.WEIGHT_SQUARES
    yield
    winograd.SQUARES, winograd.WEIGHT_SQUARES = at_once


@st.composite
def convolutions(draw):
    """(x, weight, grad_output, padding) that the plan gives to Winograd."""
    channels, outputs = (draw(st.integers(FEWEST_CHANNELS, 70)) for _ in range(2))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    h, w = (draw(st.integers(max(1, 3 - 2 * p), 11)) for p in padding)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 3))
    images = rng.standard_normal((n, h, w, channels + 1)).astype(np.float32)
    x = images.transpose(0, 3, 1, 2)[:, draw(st.integers(0, 1)) :][:, :channels]  # a slice of a larger array, perhaps
    if draw(st.booleans()):
        x = np.ascontiguousarray(x)
    weight = rng.standard_normal((outputs, channels, 3, 3)).astype(np.float32)
    grad = rng.standard_normal((n, outputs, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2)).astype(np.float32)
    return x, weight, grad, padding


def _squares(images, size, step, count):
    """(N, C, TH, TW, size, size): squares of `size` pixels, `step` apart, of images with zeros at their ends."""
    needed = [(number - 1) * step + size for number in count]
    padded = np.zeros((*images.shape[:2], *needed))
    h, w = (min(a, b) for a, b in zip(images.shape[2:], needed, strict=True))
    padded[:, :, :h, :w] = images[:, :, :h, :w]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    return windows[:, :, ::step, ::step]


def _magnitudes(m, x, weight, grad, padding):
    """Bounds on the terms of the output and of the weight's gradient, elementwise."""
    a, b, g = (np.abs(np.array(matrix[m])) for matrix in (A_TRANSPOSED, B_TRANSPOSED, G))
    (ph, pw), (oh, ow) = padding, grad.shape[2:]
    count = -(-oh // m), -(-ow // m)
    padded = np.pad(np.abs(x).astype(np.float64), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    inputs = b @ _squares(padded, m + 2, m, count) @ b.T  # (N, C, TH, TW, m + 2, m + 2)
    filters = g @ np.abs(weight).astype(np.float64) @ g.T
    product = np.einsum("nctuij,ocij->notuij", inputs, filters)
    output = (a @ product @ a.T).transpose(0, 1, 2, 4, 3, 5).reshape(*grad.shape[:2], count[0] * m, count[1] * m)
    gradients = a.T @ _squares(np.abs(grad).astype(np.float64), m, m, count) @ a
    back = g.T @ np.einsum("nctuij,notuij->ocij", inputs, gradients) @ g
    return output[:, :, :oh, :ow], back, inputs[0, 0, ..., 0, 0].size * len(x)


def _roundings(terms, m):
    """Of a sum of products of transformed numbers: each transformation adds at most m + 2 terms, twice."""
    return 2 * terms + 12 * (m + 2)


@given(m=st.sampled_from([2, 4]), threads=st.integers(1, 3), squares=st.integers(1, 40), case=convolutions())
def test_equals_direct_convolution(m, threads, squares, case):
    x, weight, grad, padding = case
    winograd.SQUARES = winograd.WEIGHT_SQUARES = squares  # at a time
    mc.set_winograd(m)
    mc.set_num_threads(threads)
    assert plan_convolution(x.shape, weight.shape, padding=padding).forward == m
    exact = [array.astype(np.float64) for array in (x, weight, grad)]
    output_size, weight_size, squares = _magnitudes(m, x, weight, grad, padding)

    def check(name, actual, expected, terms, magnitude):
        judge(name, actual, expected, np.float32, _roundings(terms, m), magnitude, 0.0, 1e3)

    output = kernels.conv2d(x, weight, None, padding=padding)
    check("output", output, reference.conv2d(*exact[:2], None, padding=padding), x.shape[1], output_size)
    np.testing.assert_array_equal(output, kernels.conv2d(x, weight, None, padding=padding), "the same bits again")

    gradient = kernels.conv2d_backward_weight(grad, x, weight.shape, padding=padding)
    expected = reference.conv2d_backward_weight(exact[2], exact[0], weight.shape, padding=padding)
    check("weight gradient", gradient, expected, squares, weight_size)

    back = kernels.conv2d_backward_input(grad, weight, x.shape, padding=padding)
    flipped = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    ahead = tuple(2 - p for p in padding)
    bound, _, _ = _magnitudes(m, grad, flipped, np.zeros(x.shape), ahead)
    expected = reference.conv2d_backward_input(exact[2], exact[1], x.shape, padding=padding)
    check("input gradient", back, expected, grad.shape[1], bound)


def test_bias_is_added_once():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 32, 5, 6), np.float32), rng.standard_normal((40, 32, 3, 3), np.float32)
    bias = rng.standard_normal(40, np.float32)
    with_bias, without = (kernels.conv2d(x, weight, b, padding=1) for b in (bias, None))
    np.testing.assert_allclose(with_bias, without + bias[:, None, None], rtol=1e-6)


def test_errors_are_what_the_docstring_says():
    """Relative to the sum of absolute products: at most 3 times the direct error for 2 x 2, 20 times for 4 x 4."""
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((4, 64, 16, 16)), 0).astype(np.float32)
    weight = rng.standard_normal((64, 64, 3, 3)).astype(np.float32)
    exact = reference.conv2d(x.astype(np.float64), weight.astype(np.float64), None, padding=1)
    magnitude = reference.conv2d(x.astype(np.float64), np.abs(weight).astype(np.float64), None, padding=1)
    errors = {}
    for m in (0, 2, 4):
        mc.set_winograd(m)
        output = kernels.conv2d(x, weight, None, padding=1)
        errors[m] = np.sqrt(np.mean(((output - exact) / magnitude) ** 2))
    assert errors[2] < 3 * errors[0]
    assert errors[2] < errors[4] < 20 * errors[0]


@pytest.mark.parametrize(
    ("x", "weight", "options"),
    [
        ((1, 31, 8, 8), (32, 31, 3, 3), {}),
        ((1, 32, 8, 8), (31, 32, 3, 3), {}),
        ((1, 32, 8, 8), (32, 32, 3, 3), {"stride": 2}),
        ((1, 32, 8, 8), (32, 32, 3, 3), {"dilation": 2}),
        ((1, 32, 8, 8), (32, 32, 5, 5), {}),
        ((1, 32, 8, 8), (32, 32, 1, 3), {}),
        ((1, 32, 8, 8), (32, 32, 3, 3), {"dtype": np.float64}),
    ],
)
def test_everything_else_is_direct(x, weight, options):
    found = plan_convolution(x, weight, **options)
    assert (found.forward, found.backward_input, found.backward_weight) == (0, 0, 0)
    assert str(found).count("direct") == 3


def test_plan_follows_the_setting():
    shapes = (1, 32, 8, 8), (32, 32, 3, 3)
    for squares in (0, 2, 4):
        mc.set_winograd(squares)
        assert mc.get_winograd() == squares
        assert plan_convolution(*shapes).backward_weight == squares


def test_few_squares_are_not_worth_the_transformation_of_many_weights(monkeypatch):
    monkeypatch.undo()
    assert str(plan_convolution((4, 448, 8, 8), (384, 448, 3, 3), padding=1)).count("direct") == 3
    assert str(plan_convolution((32, 64, 32, 32), (192, 64, 3, 3), padding=1)).count("Winograd") == 3
    only_the_weights = plan_convolution((10, 448, 8, 8), (384, 448, 3, 3), padding=1)
    assert (only_the_weights.forward, only_the_weights.backward_input) == (0, 0)
    assert only_the_weights.backward_weight == mc.get_winograd()
