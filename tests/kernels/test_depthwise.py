"""Depthwise and separable convolution against torch in float64, and against conv2d with groups."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference import conv, depthwise
from tests.compare import assert_close, torch_grads
from tests.kernels.conv_cases import ConvCase, TorchAnswers, conv_answers, conv_cases, torch_conv2d
from tests.kernels.inputs import LAYOUTS, is_channels_last


def depthwise_case(x_shape, multiplier, kernel_size, *sliding, **settings):
    channels = x_shape[1]
    weight_shape = (channels * multiplier, 1, *kernel_size)
    return ConvCase(x_shape, weight_shape, *sliding, groups=channels, **settings)


DEPTHWISE_CASES = {
    "rectangle": depthwise_case((2, 3, 5, 9), 1, (3, 2)),
    "one pixel": depthwise_case((1, 1, 1, 1), 1, (1, 1)),
    "one pixel, padded": depthwise_case((2, 3, 1, 1), 1, (3, 3), 1, 1),
    "one channel, multiplied": depthwise_case((2, 1, 5, 6), 4, (3, 3), 1, 1),
    "multiplier": depthwise_case((2, 3, 5, 6), 3, (3, 3), 1, 1),
    "pointwise": depthwise_case((2, 3, 5, 6), 2, (1, 1)),
    "1x7": depthwise_case((2, 3, 9, 9), 1, (1, 7), 1, (0, 3)),
    "7x1": depthwise_case((2, 3, 9, 9), 1, (7, 1), 1, (3, 0)),
    "kernel as large as the image": depthwise_case((2, 3, 4, 5), 2, (4, 5)),
    "stride that does not divide": depthwise_case((2, 3, 8, 11), 1, (3, 3), (2, 3)),
    "stride beyond the kernel": depthwise_case((2, 3, 11, 13), 2, (2, 3), (5, 4)),
    "dilation and padding": depthwise_case((2, 3, 9, 8), 1, (3, 3), 1, (2, 3), (2, 3)),
    "everything at once": depthwise_case((3, 6, 10, 13), 2, (3, 2), (2, 3), (1, 2), (2, 3)),
    "same, even and dilated": depthwise_case((2, 3, 6, 7), 1, (4, 2), 1, "same", (1, 3)),
    "valid, strided": depthwise_case((2, 3, 6, 7), 1, (2, 4), 2, "valid"),
    "empty batch": depthwise_case((0, 3, 5, 6), 2, (3, 3), 1, 1),
    "one image per chunk": depthwise_case((5, 3, 6, 7), 2, (3, 3), 1, 1, chunk_bytes=1),
    "last chunk shorter": depthwise_case((5, 1, 4, 4), 1, (3, 3), 1, 1, chunk_bytes=600),
    "float32": depthwise_case((2, 16, 9, 10), 1, (3, 3), 1, 1, dtype=np.float32),
    **{layout: depthwise_case((3, 4, 5, 6), 2, (3, 3), 2, 1, layout=layout) for layout in LAYOUTS},
}

named_cases = pytest.mark.parametrize("case", DEPTHWISE_CASES.values(), ids=DEPTHWISE_CASES.keys())


def check_output(case):
    x, weight, bias = case.arrays()
    answers = conv_answers(case)
    with patch.object(depthwise, "CHUNK_BYTES", case.chunk_bytes):
        output = depthwise.depthwise_conv2d(x, weight, bias, **case.sliding)
        without_bias = depthwise.depthwise_conv2d(x, weight, **case.sliding)
    answers.check_output(output)
    answers.check_output(without_bias + bias[:, None, None])
    answers.check_output(conv.conv2d(x, weight, bias, **case.sliding, groups=case.groups))
    assert is_channels_last(output)


def check_gradients(case):
    x, weight, _ = case.arrays()
    answers = conv_answers(case)
    grad = case.cotangent(answers.output.shape)
    with patch.object(depthwise, "CHUNK_BYTES", case.chunk_bytes):
        grad_x = depthwise.depthwise_conv2d_backward_input(grad, weight, x.shape, **case.sliding)
        grad_weight = depthwise.depthwise_conv2d_backward_weight(grad, x, weight.shape, **case.sliding)
    answers.check_gradients(grad_x, grad_weight, conv.conv2d_backward_bias(grad))
    assert is_channels_last(grad_x)
    assert grad_weight.flags.c_contiguous


def check_separable(case, outputs):
    """`case` is the depthwise convolution; a 1x1 convolution to `outputs` channels follows."""
    x, depthwise_weight, _ = case.arrays()
    pointwise_weight = case.random((outputs, case.weight_shape[0], 1, 1), 5)
    bias = case.random((outputs,), 6)

    def composed(x, depthwise_weight, pointwise_weight, bias):
        features = torch_conv2d(x, depthwise_weight, None, **case.sliding, groups=case.groups)
        return torch_conv2d(features, pointwise_weight, bias)

    answers = TorchAnswers(composed, case.cotangent, x, depthwise_weight, pointwise_weight, bias)
    output = depthwise.separable_conv2d(x, depthwise_weight, pointwise_weight, bias, **case.sliding)
    without_bias = depthwise.separable_conv2d(x, depthwise_weight, pointwise_weight, **case.sliding)
    answers.check_output(output)
    answers.check_output(without_bias + bias[:, None, None])
    assert is_channels_last(output)
    gradients = depthwise.separable_conv2d_backward(
        case.cotangent(output.shape), x, depthwise_weight, pointwise_weight, **case.sliding
    )
    answers.check_gradients(*gradients)
    assert is_channels_last(gradients[0])


@named_cases
def test_output(case):
    check_output(case)


@named_cases
def test_gradients(case):
    check_gradients(case)


@named_cases
def test_separable(case):
    check_separable(case, outputs=4)


@given(conv_cases(depthwise=True))
def test_output_property(case):
    check_output(case)


@given(conv_cases(depthwise=True))
def test_gradients_property(case):
    check_gradients(case)


@given(conv_cases(depthwise=True), st.integers(1, 5))
def test_separable_property(case, outputs):
    check_separable(case, outputs)


def test_output_channel_c_m_reads_input_channel_c():
    """With M = 2 and weights 1, 10, 100, ...: channel order in plain numbers."""
    x = np.array([2.0, 3.0, 5.0]).reshape(1, 3, 1, 1)
    weight = (10.0 ** np.arange(6)).reshape(6, 1, 1, 1)
    output = depthwise.depthwise_conv2d(x, weight)
    np.testing.assert_array_equal(output.ravel(), [2, 20, 300, 3000, 50000, 500000])
    grad_x = depthwise.depthwise_conv2d_backward_input(np.ones((1, 6, 1, 1)), weight, x.shape)
    np.testing.assert_array_equal(grad_x.ravel(), [11, 1100, 110000])
    grad_weight = depthwise.depthwise_conv2d_backward_weight(np.ones((1, 6, 1, 1)), x, weight.shape)
    np.testing.assert_array_equal(grad_weight.ravel(), [2, 2, 3, 3, 5, 5])


def test_empty_batch():
    x, grad, weight = np.zeros((0, 3, 5, 6)), np.zeros((0, 6, 5, 6)), np.ones((6, 1, 3, 3))
    assert depthwise.depthwise_conv2d(x, weight, padding=1).shape == (0, 6, 5, 6)
    assert depthwise.depthwise_conv2d_backward_input(grad, weight, x.shape, padding=1).shape == x.shape
    grad_weight = depthwise.depthwise_conv2d_backward_weight(grad, x, weight.shape, padding=1)
    np.testing.assert_array_equal(grad_weight, np.zeros(weight.shape))


def test_arrays_without_memory_of_their_own(rng):
    """Broadcast inputs and cotangents have zero strides: many elements at one address."""
    x = np.broadcast_to(rng.standard_normal((1, 3, 1, 6)), (2, 3, 5, 6))
    weight = np.broadcast_to(rng.standard_normal((3, 1, 3, 1)), (3, 1, 3, 3))
    grad = np.broadcast_to(rng.standard_normal((3, 1, 1)), (2, 3, 5, 6))
    output, (grad_x, grad_weight) = torch_grads(lambda x, w: torch_conv2d(x, w, padding=1, groups=3), grad, x, weight)
    assert_close(depthwise.depthwise_conv2d(x, weight, padding=1), output, 9)
    assert_close(depthwise.depthwise_conv2d_backward_input(grad, weight, x.shape, padding=1), grad_x, 9)
    assert_close(depthwise.depthwise_conv2d_backward_weight(grad, x, weight.shape, padding=1), grad_weight, 60)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinity_and_nan_pass_through_as_in_torch(rng, dtype):
    """Without warnings, and only into the windows and the channels that read them."""
    x = rng.standard_normal((2, 3, 6, 7)).astype(dtype)
    x[0, 0, 2, 3], x[0, 1, 5, 6], x[0, 1, 5, 5], x[1, 2, 0, 0] = np.inf, -np.inf, np.inf, np.nan
    weight = rng.standard_normal((6, 1, 3, 3)).astype(dtype)
    expected = torch_conv2d(torch.tensor(x).double(), torch.tensor(weight).double(), padding=1, groups=3)
    assert_close(depthwise.depthwise_conv2d(x, weight, padding=1), expected.numpy().astype(dtype), 9)
    assert np.isinf(expected.numpy()).any() and np.isnan(expected.numpy()).any()


def test_overflow_gives_infinity():
    x, weight = np.full((1, 2, 3, 3), 1e30, np.float32), np.full((2, 1, 2, 2), 1e30, np.float32)
    output = depthwise.depthwise_conv2d(x, weight)
    np.testing.assert_array_equal(output, np.full((1, 2, 2, 2), np.inf, np.float32))
    grad = np.full(output.shape, 1e30, np.float32)
    grad_x = depthwise.depthwise_conv2d_backward_input(grad, weight, x.shape)
    np.testing.assert_array_equal(grad_x, np.full(x.shape, np.inf, np.float32))
    column = np.full((1, 2, 4, 1), 2e38, np.float32)
    grad_weight = depthwise.depthwise_conv2d_backward_weight(column, np.ones_like(column), (2, 1, 1, 1))
    np.testing.assert_array_equal(grad_weight, np.full((2, 1, 1, 1), np.inf, np.float32))


def test_long_float32_sums_are_accurate():
    """A weight gradient sums over all pixels, here 65536 positive numbers; a few roundings remain.

    Added one after the other, the numbers would lose two more digits.
    """
    case = ConvCase((16, 4, 64, 64), (4, 1, 1, 1), dtype=np.float32, layout="channels last")
    x, grad = np.abs(case.random(case.x_shape, 1)), np.abs(case.random(case.x_shape, 4))
    exact = np.einsum("nchw,nchw->c", x, grad, dtype=np.float64)[:, None, None, None]
    with patch.object(depthwise, "CHUNK_BYTES", 2**40):  # the whole batch at once
        grad_weight = depthwise.depthwise_conv2d_backward_weight(grad, x, case.weight_shape)
    assert_close(grad_weight, exact.astype(np.float32))


def test_memory_stays_far_below_im2col():
    case = depthwise_case((16, 32, 32, 32), 1, (5, 5), 1, 2, dtype=np.float32, layout="channels last")
    x, weight, _ = case.arrays()
    tracemalloc.start()
    try:
        depthwise.depthwise_conv2d(x, weight, padding=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    columns_bytes = 25 * x.nbytes
    assert peak < x.nbytes + 4 * depthwise.CHUNK_BYTES < columns_bytes / 5


X, WEIGHT, GRAD = np.zeros((2, 3, 5, 7)), np.zeros((6, 1, 3, 3)), np.zeros((2, 6, 3, 5))
POINTWISE = np.zeros((4, 6, 1, 1))
GOOD_CALLS = {
    depthwise.depthwise_conv2d: {"x": X, "weight": WEIGHT, "bias": np.zeros(6)},
    depthwise.depthwise_conv2d_backward_input: {"grad_output": GRAD, "weight": WEIGHT, "x_shape": X.shape},
    depthwise.depthwise_conv2d_backward_weight: {"grad_output": GRAD, "x": X, "weight_shape": WEIGHT.shape},
    depthwise.separable_conv2d: {
        "x": X,
        "depthwise_weight": WEIGHT,
        "pointwise_weight": POINTWISE,
        "bias": np.zeros(4),
    },
    depthwise.separable_conv2d_backward: {
        "grad_output": GRAD[:, :4],
        "x": X,
        "depthwise_weight": WEIGHT,
        "pointwise_weight": POINTWISE,
    },
}
FORWARD, INPUT, WEIGHTS, SEPARABLE, SEPARABLE_BACKWARD = GOOD_CALLS
BAD_CALLS = [
    (FORWARD, {"x": X[0]}, ValueError, r"x must have 4 dimensions \(N, C, H, W\), got shape \(3, 5, 7\)"),
    (FORWARD, {"x": X.astype(np.int64)}, TypeError, "x must be float32 or float64, got int64"),
    (FORWARD, {"x": X.astype(np.float32)}, TypeError, "one dtype: x is float32, weight is float64"),
    (FORWARD, {"x": None}, TypeError, "x must be an array, got None"),
    (FORWARD, {"weight": None}, TypeError, "weight must be an array, got None"),
    (FORWARD, {"weight": WEIGHT[:, 0]}, ValueError, r"weight must have 4 dimensions \(C \* M, 1, KH, KW\)"),
    (FORWARD, {"weight": WEIGHT[:5]}, ValueError, r"weight must have shape \(C \* M, 1, KH, KW\) with C = 3 input"),
    (FORWARD, {"weight": np.zeros((3, 3, 3, 3))}, ValueError, r"weight must have shape .* got \(3, 3, 3, 3\)"),
    (FORWARD, {"weight": WEIGHT[:0]}, ValueError, r"weight .* must be at least \(1, 1, 1, 1\)"),
    (FORWARD, {"bias": np.zeros(3)}, ValueError, r"bias must have shape \(6,\) \(one per output channel\), got \(3,\)"),
    (FORWARD, {"stride": (2, 0)}, ValueError, r"stride must be positive, got \(2, 0\)"),
    (FORWARD, {"dilation": "2"}, TypeError, "dilation must be an integer, got '2'"),
    (FORWARD, {"padding": -1}, ValueError, "padding must be non-negative, got -1"),
    (FORWARD, {"padding": "full"}, ValueError, 'padding must be "same", "valid", an integer or a pair'),
    (FORWARD, {"padding": "same", "stride": 2}, ValueError, 'padding="same" needs stride 1'),
    (FORWARD, {"dilation": 3}, ValueError, r"spans \(7, 7\) pixels .* does not fit the padded input of \(5, 7\)"),
    (FORWARD, {"x": X[:, :, :0]}, ValueError, r"x \(N, C, H, W\) must be at least .* got shape \(2, 3, 0, 7\)"),
    (INPUT, {"grad_output": GRAD[:, :3]}, ValueError, r"grad_output must have shape \(2, 6, 3, 5\) \(the shape of"),
    (INPUT, {"x_shape": (2, 4, 5, 7)}, ValueError, "weight must have shape .* C = 4 input channels"),
    (INPUT, {"x_shape": (2, 3, 5)}, ValueError, "x_shape must have 4 dimensions"),
    (INPUT, {"padding": 1}, ValueError, r"grad_output must have shape \(2, 6, 5, 7\)"),
    (INPUT, {"weight": WEIGHT.astype(np.float32)}, TypeError, "weight is float32"),
    (WEIGHTS, {"grad_output": GRAD[..., :4]}, ValueError, r"grad_output must have shape \(2, 6, 3, 5\)"),
    (WEIGHTS, {"weight_shape": (4, 1, 3, 3)}, ValueError, "weight_shape must have shape .* C = 3 input channels"),
    (WEIGHTS, {"weight_shape": (3, 1, 3, 3)}, ValueError, r"grad_output must have shape \(2, 3, 3, 5\)"),
    (WEIGHTS, {"weight_shape": WEIGHT}, TypeError, r"weight_shape must be a tuple \(C \* M, 1, KH, KW\)"),
    (SEPARABLE, {"depthwise_weight": WEIGHT[:4]}, ValueError, "depthwise_weight must have shape .* C = 3 input"),
    (SEPARABLE, {"depthwise_weight": None}, TypeError, "depthwise_weight must be an array, got None"),
    (SEPARABLE, {"pointwise_weight": POINTWISE[:, :5]}, ValueError, r"pointwise_weight must have shape \(4, 6, 1, 1\)"),
    (SEPARABLE, {"pointwise_weight": np.zeros((4, 6, 3, 3))}, ValueError, "pointwise_weight must have shape"),
    (SEPARABLE, {"pointwise_weight": POINTWISE[..., 0, 0]}, ValueError, "pointwise_weight must have 4 dimensions"),
    (SEPARABLE, {"pointwise_weight": POINTWISE[:0]}, ValueError, r"pointwise_weight must have shape \(1, 6, 1, 1\)"),
    (SEPARABLE, {"pointwise_weight": POINTWISE.astype(np.float32)}, TypeError, "pointwise_weight is float32"),
    (SEPARABLE, {"bias": np.zeros(6)}, ValueError, r"bias must have shape \(4,\)"),
    (SEPARABLE, {"padding": "full"}, ValueError, 'padding must be "same"'),
    (SEPARABLE, {"x": X[..., :2]}, ValueError, "does not fit the padded input"),
    (SEPARABLE_BACKWARD, {"grad_output": GRAD}, ValueError, r"grad_output must have shape \(2, 4, 3, 5\)"),
    (SEPARABLE_BACKWARD, {"grad_output": GRAD[0]}, ValueError, r"grad_output must have shape \(2, 4, 3, 5\)"),
    (SEPARABLE_BACKWARD, {"pointwise_weight": POINTWISE[:, 1:]}, ValueError, "pointwise_weight must have shape"),
    (SEPARABLE_BACKWARD, {"x": X.astype(np.float32)}, TypeError, "x is float32"),
]


@pytest.mark.parametrize("kernel", GOOD_CALLS, ids=lambda kernel: kernel.__name__)
def test_the_call_that_the_bad_ones_differ_from_is_good(kernel):
    kernel(**GOOD_CALLS[kernel])


@pytest.mark.parametrize(("kernel", "change", "error", "words"), BAD_CALLS)
def test_bad_calls(kernel, change, error, words):
    with pytest.raises(error, match=f"^{kernel.__name__}: .*{words}"):
        kernel(**GOOD_CALLS[kernel] | change)
