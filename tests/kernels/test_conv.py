"""conv2d and its backward kernels against torch in float64, and against their definition."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given

from minception.kernels.reference import conv
from tests.compare import assert_close, torch_grads
from tests.kernels.conv_cases import NAMED_CASES, ConvCase, conv_answers, conv_cases, torch_conv2d
from tests.kernels.inputs import is_channels_last

named_cases = pytest.mark.parametrize("case", NAMED_CASES.values(), ids=NAMED_CASES.keys())


def check_output(case):
    x, weight, bias = case.arrays()
    answers = conv_answers(case)
    with patch.object(conv, "CHUNK_BYTES", case.chunk_bytes):
        output = conv.conv2d(x, weight, bias, **case.sliding, groups=case.groups)
        without_bias = conv.conv2d(x, weight, **case.sliding, groups=case.groups)
    answers.check_output(output)
    answers.check_output(without_bias + bias[:, None, None])
    assert is_channels_last(output)


def check_gradients(case):
    x, weight, _ = case.arrays()
    answers = conv_answers(case)
    grad = case.cotangent(answers.output.shape)
    with patch.object(conv, "CHUNK_BYTES", case.chunk_bytes):
        grad_x = conv.conv2d_backward_input(grad, weight, x.shape, **case.sliding, groups=case.groups)
        grad_weight = conv.conv2d_backward_weight(grad, x, weight.shape, **case.sliding, groups=case.groups)
        grad_bias = conv.conv2d_backward_bias(grad)
    answers.check_gradients(grad_x, grad_weight, grad_bias)
    assert is_channels_last(grad_x)
    assert grad_weight.flags.c_contiguous


@named_cases
def test_output(case):
    check_output(case)


@named_cases
def test_gradients(case):
    check_gradients(case)


@given(conv_cases())
def test_output_property(case):
    check_output(case)


@given(conv_cases())
def test_gradients_property(case):
    check_gradients(case)


def test_the_definition_in_integers(rng):
    """The sum in the module's docstring, term by term; small integers make float arithmetic exact."""
    (n, c, h, w), (o, kh, kw) = (2, 4, 5, 6), (6, 3, 2)
    groups, (sh, sw), (ph, pw), (dh, dw) = 2, (2, 1), (1, 2), (1, 3)
    x = rng.integers(-4, 5, (n, c, h, w)).astype(np.float32)
    weight = rng.integers(-4, 5, (o, c // groups, kh, kw)).astype(np.float32)
    bias = rng.integers(-4, 5, o).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh, ow = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    expected = np.zeros((n, o, oh, ow), np.float32)
    for image, channel, row, column in np.ndindex(expected.shape):
        first = channel // (o // groups) * (c // groups)  # of the input channels of this group
        for k, i, j in np.ndindex(c // groups, kh, kw):
            pixel = padded[image, first + k, row * sh + i * dh, column * sw + j * dw]
            expected[image, channel, row, column] += weight[channel, k, i, j] * pixel
        expected[image, channel, row, column] += bias[channel]
    output = conv.conv2d(x, weight, bias, (sh, sw), (ph, pw), (dh, dw), groups)
    np.testing.assert_array_equal(output, expected)


def test_an_integer_means_both_axes():
    case = ConvCase((2, 3, 9, 8), (4, 3, 3, 3), 2, 2, 2)
    x, weight, bias = case.arrays()
    pairs = conv.conv2d(x, weight, bias, (2, 2), [2, 2], (np.int64(2), 2))
    np.testing.assert_array_equal(conv.conv2d(x, weight, bias, 2, np.int32(2), 2), pairs)


def test_empty_batch():
    """torch's answers: an empty output, an empty input gradient, zero gradients of weight and bias."""
    x, grad = np.zeros((0, 3, 5, 6)), np.zeros((0, 4, 5, 6))
    weight = np.ones((4, 3, 3, 3))
    assert conv.conv2d(x, weight, padding=1).shape == (0, 4, 5, 6)
    assert conv.conv2d_backward_input(grad, weight, x.shape, padding=1).shape == (0, 3, 5, 6)
    np.testing.assert_array_equal(conv.conv2d_backward_weight(grad, x, weight.shape, padding=1), np.zeros(weight.shape))
    np.testing.assert_array_equal(conv.conv2d_backward_bias(grad), np.zeros(4))


def test_arrays_without_memory_of_their_own(rng):
    """Broadcast inputs and cotangents have zero strides: many elements at one address."""
    x = np.broadcast_to(rng.standard_normal((1, 3, 1, 6)), (2, 3, 5, 6))
    weight = np.broadcast_to(rng.standard_normal((4, 1, 3, 1)), (4, 3, 3, 3))
    grad = np.broadcast_to(rng.standard_normal((4, 1, 1)), (2, 4, 5, 6))
    output, (grad_x, grad_weight) = torch_grads(lambda x, w: torch_conv2d(x, w, padding=1), grad, x, weight)
    assert_close(conv.conv2d(x, weight, padding=1), output, 27)
    assert_close(conv.conv2d_backward_input(grad, weight, x.shape, padding=1), grad_x, 36)
    assert_close(conv.conv2d_backward_weight(grad, x, weight.shape, padding=1), grad_weight, 60)
    assert_close(conv.conv2d_backward_bias(grad), grad.sum(axis=(0, 2, 3)), 60)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinity_and_nan_pass_through_as_in_torch(rng, dtype):
    """Without warnings, and only into the windows that read them."""
    x = rng.standard_normal((2, 3, 6, 7)).astype(dtype)
    x[0, 0, 2, 3], x[0, 1, 5, 6], x[1, 2, 0, 0] = np.inf, -np.inf, np.nan
    weight = rng.standard_normal((4, 3, 3, 3)).astype(dtype)
    expected = torch_conv2d(torch.tensor(x).double(), torch.tensor(weight).double(), stride=2)
    assert_close(conv.conv2d(x, weight, stride=2), expected.numpy().astype(dtype), 27)
    assert np.isinf(expected.numpy()).any() and np.isnan(expected.numpy()).any()


def test_overflow_gives_infinity():
    x, weight = np.full((1, 2, 3, 3), 1e30, np.float32), np.full((1, 2, 2, 2), 1e30, np.float32)
    output = conv.conv2d(x, weight)
    np.testing.assert_array_equal(output, np.full((1, 1, 2, 2), np.inf, np.float32))
    grad = np.full(output.shape, 2e38, np.float32)
    grad_x = conv.conv2d_backward_input(grad, weight, x.shape)
    np.testing.assert_array_equal(grad_x, np.full(x.shape, np.inf, np.float32))
    grad_weight = conv.conv2d_backward_weight(grad, x, weight.shape)
    np.testing.assert_array_equal(grad_weight, np.full(weight.shape, np.inf, np.float32))
    np.testing.assert_array_equal(conv.conv2d_backward_bias(grad), [np.inf])


def test_long_float32_sums_are_accurate(rng):
    """Gradients of bias and weight are sums over all pixels, here 65536 positive numbers; a few roundings remain.

    Added one after the other, the numbers of the bias gradient would lose two more digits.
    """
    case = ConvCase((16, 4, 64, 64), (8, 4, 1, 1), dtype=np.float32, layout="channels last")
    x, grad = np.abs(case.random(case.x_shape, 1)), np.abs(case.random((16, 8, 64, 64), 4))
    exact_bias = grad.sum(axis=(0, 2, 3), dtype=np.float64)
    exact_weight = np.einsum("nchw,nohw->oc", x, grad, dtype=np.float64)[:, :, None, None]
    assert_close(conv.conv2d_backward_bias(grad), exact_bias.astype(np.float32))
    assert_close(conv.conv2d_backward_weight(grad, x, (8, 4, 1, 1)), exact_weight.astype(np.float32))


def peak_memory(function, *args, **kwargs):
    """Bytes allocated at the highest point of a call, its result included."""
    tracemalloc.start()
    try:
        function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_pointwise_convolution_copies_nothing():
    """1x1 with stride 1 on channels-last memory: the columns are the input itself."""
    case = ConvCase((4, 64, 32, 32), (8, 64, 1, 1), dtype=np.float32, layout="channels last")
    x, weight, bias = case.arrays()
    output_bytes = 4 * 8 * 32 * 32 * 4
    assert peak_memory(conv.conv2d, x, weight, bias) < output_bytes + 50_000 < x.nbytes / 4


def test_columns_of_a_large_batch_stay_small():
    case = ConvCase((64, 16, 32, 32), (16, 16, 3, 3), padding=1, dtype=np.float32, layout="channels last")
    x, weight, _ = case.arrays()
    columns_bytes = 9 * x.nbytes
    assert peak_memory(conv.conv2d, x, weight, padding=1) < x.nbytes + 3 * conv.CHUNK_BYTES < columns_bytes / 3


X, WEIGHT, GRAD = np.zeros((2, 6, 5, 7)), np.zeros((4, 3, 3, 3)), np.zeros((2, 4, 3, 5))
GOOD_CALLS = {
    conv.conv2d: {"x": X, "weight": WEIGHT, "bias": np.zeros(4), "groups": 2},
    conv.conv2d_backward_input: {"grad_output": GRAD, "weight": WEIGHT, "x_shape": X.shape, "groups": 2},
    conv.conv2d_backward_weight: {"grad_output": GRAD, "x": X, "weight_shape": WEIGHT.shape, "groups": 2},
    conv.conv2d_backward_bias: {"grad_output": GRAD},
}
FORWARD, INPUT, WEIGHTS, BIAS = GOOD_CALLS
BAD_CALLS = [
    (FORWARD, {"x": X[0]}, ValueError, r"x must have 4 dimensions \(N, C, H, W\), got shape \(6, 5, 7\)"),
    (FORWARD, {"x": None}, TypeError, "x must be an array, got None"),
    (FORWARD, {"weight": None}, TypeError, "weight must be an array, got None"),
    (FORWARD, {"x": X.tolist()}, TypeError, "x must be an array, got list"),
    (FORWARD, {"x": X.astype(int)}, TypeError, "x must be float32 or float64, got int64"),
    (FORWARD, {"x": X.astype(np.float16)}, TypeError, "x must be float32 or float64, got float16"),
    (FORWARD, {"x": X.astype(np.float32)}, TypeError, "one dtype: x is float32, weight is float64"),
    (FORWARD, {"bias": np.zeros(4, np.float32)}, TypeError, "one dtype: .* bias is float32"),
    (FORWARD, {"x": X[:, :5]}, ValueError, r"weight expects 6 input channels \(weight.shape\[1\] \* groups\), input"),
    (FORWARD, {"groups": 1}, ValueError, r"weight expects 3 input channels .*, input has 6"),
    (FORWARD, {"weight": np.zeros((5, 3, 3, 3))}, ValueError, "groups must divide the 5 output channels .* got 2"),
    (FORWARD, {"groups": 0}, ValueError, "groups must be positive, got 0"),
    (FORWARD, {"groups": 2.0}, TypeError, "groups must be an integer, got 2.0"),
    (FORWARD, {"weight": WEIGHT[0]}, ValueError, r"weight must have 4 dimensions \(O, C / groups, KH, KW\)"),
    (FORWARD, {"weight": WEIGHT[:0]}, ValueError, r"weight \(O, C / groups, KH, KW\) must be at least \(1, 1, 1, 1\)"),
    (FORWARD, {"weight": WEIGHT[..., :0]}, ValueError, r"must be at least .* got shape \(4, 3, 3, 0\)"),
    (FORWARD, {"x": X[:, :, :0]}, ValueError, r"x \(N, C, H, W\) must be at least .* got shape \(2, 6, 0, 7\)"),
    (FORWARD, {"bias": np.zeros(3)}, ValueError, r"bias must have shape \(4,\) \(one per output channel\), got \(3,\)"),
    (FORWARD, {"bias": np.zeros((4, 1))}, ValueError, r"bias must have shape \(4,\)"),
    (FORWARD, {"bias": 0.0}, TypeError, "bias must be an array, got float"),
    (FORWARD, {"stride": 0}, ValueError, "stride must be positive, got 0"),
    (FORWARD, {"stride": (1, -1)}, ValueError, r"stride must be positive, got \(1, -1\)"),
    (FORWARD, {"stride": (1, 1, 1)}, ValueError, r"stride must be an integer or a pair .* got \(1, 1, 1\)"),
    (FORWARD, {"stride": 1.5}, TypeError, "stride must be an integer, got 1.5"),
    (FORWARD, {"stride": True}, TypeError, "stride must be an integer, got True"),
    (FORWARD, {"dilation": 0}, ValueError, "dilation must be positive, got 0"),
    (FORWARD, {"dilation": None}, TypeError, "dilation must be an integer, got None"),
    (FORWARD, {"padding": -1}, ValueError, "padding must be non-negative, got -1"),
    (FORWARD, {"padding": 0.5}, TypeError, "padding must be an integer, got 0.5"),
    (FORWARD, {"padding": "full"}, ValueError, 'padding must be "same", "valid", an integer or a pair, got \'full\''),
    (FORWARD, {"padding": "same", "stride": 2}, ValueError, r'padding="same" needs stride 1, got stride \(2, 2\)'),
    (FORWARD, {"dilation": 3}, ValueError, r"spans \(7, 7\) pixels .* does not fit the padded input of \(5, 7\)"),
    (FORWARD, {"x": X[..., :2]}, ValueError, r"spans \(3, 3\) pixels .* does not fit the padded input of \(5, 2\)"),
    (INPUT, {"grad_output": GRAD[..., 1:]}, ValueError, r"grad_output must have shape \(2, 4, 3, 5\) \(the shape of"),
    (INPUT, {"grad_output": GRAD[:1]}, ValueError, r"grad_output must have shape \(2, 4, 3, 5\)"),
    (INPUT, {"grad_output": GRAD[:, :3]}, ValueError, r"grad_output must have shape \(2, 4, 3, 5\)"),
    (INPUT, {"grad_output": GRAD.astype(np.float32)}, TypeError, "grad_output is float32, weight is float64"),
    (INPUT, {"padding": 1}, ValueError, r"grad_output must have shape \(2, 4, 5, 7\)"),
    (INPUT, {"x_shape": (6, 5, 7)}, ValueError, r"x_shape must have 4 dimensions \(N, C, H, W\)"),
    (INPUT, {"x_shape": X}, TypeError, r"x_shape must be a tuple \(N, C, H, W\)"),
    (INPUT, {"x_shape": (2, 6, 5, 7.0)}, TypeError, "x_shape must be an integer, got 7.0"),
    (INPUT, {"x_shape": (2, 6, 5, 2)}, ValueError, "does not fit the padded input"),
    (INPUT, {"x_shape": (-1, 6, 5, 7)}, ValueError, "x_shape .* must be at least"),
    (INPUT, {"groups": 3}, ValueError, "weight expects 9 input channels"),
    (WEIGHTS, {"grad_output": GRAD[:, :, 1:]}, ValueError, r"grad_output must have shape \(2, 4, 3, 5\)"),
    (WEIGHTS, {"weight_shape": (4, 6, 3, 3)}, ValueError, "weight_shape expects 12 input channels"),
    (WEIGHTS, {"weight_shape": (6, 3, 3, 3)}, ValueError, r"grad_output must have shape \(2, 6, 3, 5\)"),
    (WEIGHTS, {"weight_shape": 3}, TypeError, r"weight_shape must be a tuple \(O, C / groups, KH, KW\), got 3"),
    (WEIGHTS, {"x": X.astype(np.float32)}, TypeError, "x is float32"),
    (WEIGHTS, {"stride": 2}, ValueError, r"grad_output must have shape \(2, 4, 2, 3\)"),
    (BIAS, {"grad_output": GRAD[0]}, ValueError, r"grad_output must have 4 dimensions \(N, O, OH, OW\)"),
    (BIAS, {"grad_output": GRAD.astype(int)}, TypeError, "grad_output must be float32 or float64, got int64"),
]


@pytest.mark.parametrize("kernel", GOOD_CALLS, ids=lambda kernel: kernel.__name__)
def test_the_call_that_the_bad_ones_differ_from_is_good(kernel):
    kernel(**GOOD_CALLS[kernel])


@pytest.mark.parametrize(("kernel", "change", "error", "words"), BAD_CALLS)
def test_bad_calls(kernel, change, error, words):
    with pytest.raises(error, match=f"^{kernel.__name__}: .*{words}"):
        kernel(**GOOD_CALLS[kernel] | change)
