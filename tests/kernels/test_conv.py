"""conv2d against its definition; its chunks, its long sums, its memory."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest

from minception.kernels.reference import conv
from tests.compare import assert_close
from tests.kernels.inputs import in_layout


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


def test_an_integer_means_both_axes(rng):
    x, weight, bias = (rng.standard_normal(shape) for shape in ((2, 3, 9, 8), (4, 3, 3, 3), 4))
    pairs = conv.conv2d(x, weight, bias, (2, 2), [2, 2], (np.int64(2), 2))
    np.testing.assert_array_equal(conv.conv2d(x, weight, bias, 2, np.int32(2), 2), pairs)


@pytest.mark.parametrize("chunk_bytes", [1, 2500, 2**40])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_size_of_a_chunk_does_not_matter(rng, groups, chunk_bytes):
    """One image per chunk; several, the last chunk shorter; all images at once."""
    x, weight = rng.integers(-4, 5, (5, 2, 4, 4)) * 1.0, rng.integers(-4, 5, (4, 2 // groups, 3, 3)) * 1.0
    options = {"stride": (1, 2), "padding": 1, "groups": groups}
    grad = rng.integers(-4, 5, (5, 4, 4, 2)) * 1.0

    def results():
        yield conv.conv2d(x, weight, **options)
        yield conv.conv2d_backward_input(grad, weight, x.shape, **options)
        yield conv.conv2d_backward_weight(grad, x, weight.shape, **options)

    expected = list(results())
    with patch.object(conv, "CHUNK_BYTES", chunk_bytes):
        for actual, same in zip(results(), expected, strict=True):  # integers: exact in any order
            np.testing.assert_array_equal(actual, same)


def channels_last_images(rng, *shape):
    return in_layout(rng.standard_normal(shape, dtype=np.float32), "channels last")


def test_long_float32_sums_are_accurate(rng):
    """Gradients of bias and weight are sums over all pixels, here 65536 positive numbers; a few roundings remain.

    Added one after the other, the numbers of the bias gradient would lose two more digits.
    """
    x, grad = (np.abs(channels_last_images(rng, 16, channels, 64, 64)) for channels in (4, 8))
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


def test_pointwise_convolution_copies_nothing(rng):
    """1x1 with stride 1 on channels-last memory: the columns are the input itself."""
    x = channels_last_images(rng, 4, 64, 32, 32)
    weight, bias = rng.standard_normal((8, 64, 1, 1), dtype=np.float32), np.ones(8, np.float32)
    output_bytes = 4 * 8 * 32 * 32 * 4
    assert peak_memory(conv.conv2d, x, weight, bias) < output_bytes + 50_000 < x.nbytes / 4


def test_columns_of_a_large_batch_stay_small(rng):
    x, weight = channels_last_images(rng, 64, 16, 32, 32), rng.standard_normal((16, 16, 3, 3), dtype=np.float32)
    columns_bytes = 9 * x.nbytes
    assert peak_memory(conv.conv2d, x, weight, padding=1) < x.nbytes + 3 * conv.CHUNK_BYTES < columns_bytes / 3
