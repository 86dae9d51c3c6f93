"""im2col against its definition, col2im as its adjoint; both return new memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.reference import conv
from tests.kernels.inputs import in_layout
from tests.table.rows.convolution import im2col_cases


@given(im2col_cases(), st.sampled_from([np.float32, np.float64]))
def test_adjoint(case, dtype):
    """<im2col(x), c> == <x, col2im(c)> for every x and c. Small integers make both sides exact."""
    rng = np.random.default_rng(case.seed)
    x = rng.integers(-9, 10, case.inputs["x"].shape).astype(dtype)
    columns = conv.im2col(x, **case.options)
    cotangent = rng.integers(-9, 10, columns.shape).astype(dtype)
    images = conv.col2im(cotangent, x.shape, **case.options)
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
def test_the_result_is_new_memory_even_where_nothing_moves(rng, layout):
    """For 1x1 windows the columns equal the channels-last input; writing to them must not write to it."""
    x = in_layout(rng.standard_normal((2, 3, 4, 5)), layout)
    columns = conv.im2col(x, 1)
    assert columns.flags.c_contiguous
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
