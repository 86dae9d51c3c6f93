"""im2col against its definition and torch's unfold; col2im as its adjoint, and against torch's fold."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given

from minception.kernels.reference import conv
from tests.compare import assert_close
from tests.kernels.conv_cases import NAMED_CASES, ConvCase, conv_cases
from tests.kernels.inputs import is_channels_last

named_cases = pytest.mark.parametrize("case", NAMED_CASES.values(), ids=NAMED_CASES.keys())


def padding_of(case):
    """((top, bottom), (left, right)) of a case, written out anew."""
    if case.padding == "valid":
        return (0, 0), (0, 0)
    pairs = []
    for axis, kernel in enumerate(case.weight_shape[2:]):
        if case.padding == "same":
            dilation = case.dilation[axis] if isinstance(case.dilation, tuple) else case.dilation
            total = dilation * (kernel - 1)
            pairs.append((total // 2, (total + 1) // 2))
        else:
            both = case.padding[axis] if isinstance(case.padding, tuple) else case.padding
            pairs.append((both, both))
    return tuple(pairs)


def torch_im2col(case, x):
    """torch.nn.functional.unfold in our order: its (N, C * KH * KW, OH * OW) becomes (N*OH*OW, KH*KW*C)."""
    (top, bottom), (left, right) = padding_of(case)
    n, c, _, _ = case.x_shape
    kernel_size = case.weight_shape[2:]
    padded = F.pad(x, (left, right, top, bottom))
    unfolded = F.unfold(padded, kernel_size, case.dilation, padding=0, stride=case.stride)
    taps = kernel_size[0] * kernel_size[1]
    pixels = unfolded.shape[2]
    return unfolded.reshape(n, c, taps, pixels).permute(0, 3, 2, 1).reshape(n * pixels, taps * c)


def check_im2col(case):
    x = case.random(case.x_shape, 1)
    columns = conv.im2col(x, case.weight_shape[2:], **case.sliding)
    expected = torch_im2col(case, torch.tensor(np.array(x)))
    assert columns.dtype == case.dtype
    np.testing.assert_array_equal(columns, expected.numpy())  # nothing is computed, only copied
    assert columns.flags.c_contiguous
    assert columns.flags.writeable and not np.shares_memory(columns, x)


def check_col2im(case):
    x = torch.zeros(case.x_shape, dtype=torch.float64, requires_grad=True)
    expected_columns = torch_im2col(case, x)
    # One cotangent in the layouts that a matrix can have.
    columns = case.random((*expected_columns.shape, 1, 1), 4)[..., 0, 0]
    images = conv.col2im(columns, case.x_shape, case.weight_shape[2:], **case.sliding)
    (expected,) = torch.autograd.grad(expected_columns, x, torch.tensor(columns.astype(np.float64)))
    terms = case.weight_shape[2] * case.weight_shape[3]
    scale = np.abs(columns).max(initial=0) * terms
    assert_close(images, expected.numpy().astype(case.dtype), scale=scale)
    assert is_channels_last(images)
    assert images.flags.writeable and not np.shares_memory(images, columns)


@named_cases
def test_im2col(case):
    check_im2col(case)


@named_cases
def test_col2im(case):
    check_col2im(case)


@given(conv_cases())
def test_im2col_property(case):
    check_im2col(case)


@given(conv_cases())
def test_col2im_property(case):
    check_col2im(case)


@given(conv_cases())
def test_adjoint(case):
    """<im2col(x), c> == <x, col2im(c)> for every x and c. Small integers make both sides exact."""
    rng = np.random.default_rng(case.seed)
    kernel_size = case.weight_shape[2:]
    x = rng.integers(-9, 10, case.x_shape).astype(case.dtype)
    columns = conv.im2col(x, kernel_size, **case.sliding)
    cotangent = rng.integers(-9, 10, columns.shape).astype(case.dtype)
    images = conv.col2im(cotangent, case.x_shape, kernel_size, **case.sliding)
    assert np.vdot(columns, cotangent) == np.vdot(x, images)


def test_the_definition(rng):
    """Row (n, oh, ow), column (kh, kw, c) holds padded[n, c, oh * SH + kh * DH, ow * SW + kw * DW]."""
    x = rng.standard_normal((2, 3, 5, 6))
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (2, 3), (2, 1), (1, 0), (3, 2)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh, ow = (5 + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (6 + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    columns = conv.im2col(x, (kh, kw), (sh, sw), (ph, pw), (dh, dw))
    table = columns.reshape(2, oh, ow, kh, kw, 3)
    for n, row, column, i, j, c in np.ndindex(table.shape):
        assert table[n, row, column, i, j, c] == padded[n, c, row * sh + i * dh, column * sw + j * dw]


def test_col2im_counts_the_windows_that_read_a_pixel():
    """3x3 windows with padding 1 on 3x4: corners are read by 4 windows, edges by 6, the inside by 9."""
    counts = conv.col2im(np.ones((12, 9), np.float32), (1, 1, 3, 4), 3, padding=1)
    np.testing.assert_array_equal(counts[0, 0], [[4, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]])


def test_pixels_that_no_window_reads_are_zero():
    images = conv.col2im(np.ones((4, 1)), (1, 1, 5, 5), 1, stride=3)
    expected = np.zeros((5, 5))
    expected[::3, ::3] = 1
    np.testing.assert_array_equal(images[0, 0], expected)


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_the_result_is_new_memory_even_where_nothing_moves(layout):
    """For 1x1 windows the columns equal the channels-last input; writing to them must not write to it."""
    x = ConvCase((2, 3, 4, 5), (1, 3, 1, 1), layout=layout).random((2, 3, 4, 5), 1)
    columns = conv.im2col(x, 1)
    before = x.copy()
    columns[...] = 7
    np.testing.assert_array_equal(x, before)
    images = conv.col2im(columns, x.shape, 1)
    images[...] = 8
    np.testing.assert_array_equal(columns, 7)


def test_infinity_and_nan_are_copied_and_added_without_warnings():
    x = np.array([[[[np.inf, np.nan, -np.inf, 1.0]]]])
    columns = conv.im2col(x, (1, 2))
    np.testing.assert_array_equal(columns, [[np.inf, np.nan], [np.nan, -np.inf], [-np.inf, 1.0]])
    columns = np.array([[np.inf, np.inf], [-np.inf, 1e308], [1e308, 0.0]])
    np.testing.assert_array_equal(conv.col2im(columns, x.shape, (1, 2))[0, 0, 0], [np.inf, np.nan, np.inf, 0])


X = np.zeros((2, 3, 5, 6))
COLUMNS = np.zeros((24, 27))
GOOD_CALLS = {
    conv.im2col: {"x": X, "kernel_size": 3},
    conv.col2im: {"columns": COLUMNS, "x_shape": X.shape, "kernel_size": 3},
}
UNFOLD, FOLD = GOOD_CALLS
BAD_CALLS = [
    (UNFOLD, {"x": X[0]}, ValueError, r"x must have 4 dimensions \(N, C, H, W\), got shape \(3, 5, 6\)"),
    (UNFOLD, {"x": X.astype(int)}, TypeError, "x must be float32 or float64, got int64"),
    (UNFOLD, {"x": None}, TypeError, "x must be an array, got None"),
    (UNFOLD, {"x": X[..., :0]}, ValueError, r"x .* must be at least \(0, 1, 1, 1\), got shape \(2, 3, 5, 0\)"),
    (UNFOLD, {"x": X[:, :0]}, ValueError, r"x .* must be at least \(0, 1, 1, 1\), got shape \(2, 0, 5, 6\)"),
    (UNFOLD, {"kernel_size": 0}, ValueError, "kernel_size must be positive, got 0"),
    (UNFOLD, {"kernel_size": (3, 3, 3)}, ValueError, "kernel_size must be an integer or a pair"),
    (UNFOLD, {"kernel_size": 2.0}, TypeError, "kernel_size must be an integer, got 2.0"),
    (UNFOLD, {"kernel_size": 6}, ValueError, r"spans \(6, 6\) pixels .* does not fit the padded input of \(5, 6\)"),
    (UNFOLD, {"stride": 0}, ValueError, "stride must be positive, got 0"),
    (UNFOLD, {"dilation": (1, 0)}, ValueError, r"dilation must be positive, got \(1, 0\)"),
    (UNFOLD, {"padding": (0, -2)}, ValueError, r"padding must be non-negative, got \(0, -2\)"),
    (UNFOLD, {"padding": "SAME"}, ValueError, "padding must be .* got 'SAME'"),
    (UNFOLD, {"padding": "same", "stride": (1, 2)}, ValueError, 'padding="same" needs stride 1'),
    (FOLD, {"columns": COLUMNS[1:]}, ValueError, r"columns must have shape \(24, 27\) \(\(N \* OH \* OW, KH \* KW"),
    (FOLD, {"columns": COLUMNS.reshape(12, 54)}, ValueError, r"columns must have shape \(24, 27\)"),
    (FOLD, {"columns": COLUMNS[None]}, ValueError, r"columns must have shape \(24, 27\)"),
    (FOLD, {"columns": COLUMNS.astype(np.complex128)}, TypeError, "columns must be float32 or float64"),
    (FOLD, {"x_shape": (3, 5, 6)}, ValueError, "x_shape must have 4 dimensions"),
    (FOLD, {"x_shape": 6}, TypeError, "x_shape must be a tuple"),
    (FOLD, {"x_shape": (2, 3, 5, -6)}, ValueError, "x_shape .* must be at least"),
    (FOLD, {"padding": 1}, ValueError, r"columns must have shape \(60, 27\)"),
    (FOLD, {"kernel_size": 6}, ValueError, "does not fit the padded input"),
]


@pytest.mark.parametrize("kernel", GOOD_CALLS, ids=lambda kernel: kernel.__name__)
def test_the_call_that_the_bad_ones_differ_from_is_good(kernel):
    kernel(**GOOD_CALLS[kernel])


@pytest.mark.parametrize(("kernel", "change", "error", "words"), BAD_CALLS)
def test_bad_calls(kernel, change, error, words):
    with pytest.raises(error, match=f"^{kernel.__name__}: .*{words}"):
        kernel(**GOOD_CALLS[kernel] | change)
