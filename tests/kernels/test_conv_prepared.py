"""Weights that were made ready: used for images of all sizes, on all threads, bias and ReLU exactly once."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minception as mc
from minception.kernels import cpu, reference
from minception.kernels.cpu import conv_prepared, correlation, plan, winograd
from minception.kernels.cpu.separable import lines_at_once


@st.composite
def layers(draw):
    """(weight, bias or None, options, images of several sizes): integers, so that sums are exact in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (1, 7), (5, 3)]))
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    channels, outputs = (groups * draw(st.sampled_from([1, 3, 32, 33, 140])) for _ in range(2))
    weight = rng.integers(-2, 3, (outputs, channels // groups, *kernel)).astype(dtype)
    bias = draw(st.sampled_from([None, rng.integers(-9, 10, outputs).astype(dtype)]))
    stride, padding = draw(st.sampled_from([1, 2])), draw(st.sampled_from([0, 1, (2, 0)]))
    images = [
        rng.integers(-2, 3, (draw(st.integers(1, 3)), channels, *(k + draw(st.integers(0, 6)) for k in kernel)))
        for _ in range(2)
    ]
    options = {"stride": stride, "padding": padding, "groups": groups, "relu": draw(st.booleans())}
    return weight, bias, options, [x.astype(dtype) for x in images]


@given(layer=layers(), threads=st.integers(1, 3))
def test_equals_the_reference(layer, threads):
    weight, bias, options, images = layer
    mc.set_num_threads(threads)
    mc.set_winograd(2)
    prepared = reference.conv2d_prepare(weight, bias, **options)
    for x in (*images, images[0]):
        output = cpu.conv2d_prepared(x, prepared)
        np.testing.assert_array_equal(output, reference.conv2d_prepared(x, prepared))
        assert output.transpose(0, 2, 3, 1).flags.c_contiguous


def test_bias_once_and_relu_last():
    """Of sums that come in pieces: 300 channels, 7 taps, and a first piece that is negative."""
    weight = np.ones((40, 300, 1, 7), np.float32)
    x = np.ones((1, 300, 3, 9), np.float32)
    x[:, :150] = -1
    x[:, 150:] = 1.25
    bias = np.arange(40, dtype=np.float32)
    output = cpu.conv2d_prepared(x, reference.conv2d_prepare(weight, bias, padding=(0, 3), relu=True))
    expected = reference.conv2d(x, weight, bias, padding=(0, 3))
    assert expected.min() > 0
    np.testing.assert_allclose(output, expected, rtol=1e-6)
    negative = cpu.conv2d_prepared(-x, reference.conv2d_prepare(weight, bias, padding=(0, 3), relu=True))
    np.testing.assert_array_equal(negative, np.zeros_like(negative))


def test_threads_share_outputs_where_pixels_are_few():
    rng = np.random.default_rng(0)
    for kernel in (1, 3):
        x = rng.integers(-2, 3, (1, 32, 7, 7)).astype(np.float32)
        weight = rng.integers(-2, 3, (256, 32, kernel, kernel)).astype(np.float32)
        bias = np.arange(256.0, dtype=np.float32)
        expected = reference.conv2d(x, weight, bias, padding=kernel // 2)
        for threads in (1, 2, 3):
            mc.set_num_threads(threads)
            prepared = reference.conv2d_prepare(weight, bias, padding=kernel // 2)
            np.testing.assert_array_equal(cpu.conv2d_prepared(x, prepared), expected)
    mc.set_num_threads(2)
    assert correlation.split_by_blocks(7, 7, 8) and not correlation.split_by_blocks(400, 40, 7)


def test_setting_for_winograd_is_followed_afterwards():
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((32, 32, 3, 3), np.float32), rng.standard_normal((8, 32, 8, 8), np.float32)
    prepared = reference.conv2d_prepare(weight, padding=1)
    for squares in (0, 4, 2, 0):
        mc.set_winograd(squares)
        np.testing.assert_array_equal(cpu.conv2d_prepared(x, prepared), cpu.conv2d(x, weight, padding=1))


def test_later_changes_of_the_weights_do_not_count():
    weight, bias = np.ones((2, 1, 1, 1)), np.ones(2)
    prepared = reference.conv2d_prepare(weight, bias)
    weight[:], bias[:] = 7, 7
    np.testing.assert_array_equal(cpu.conv2d_prepared(np.ones((1, 1, 2, 2)), prepared), np.full((1, 2, 2, 2), 2.0))


def test_winograd_only_where_its_many_weights_are_used_often(monkeypatch):
    """The same weights are multiplied directly with a small image, and in squares with a large one."""
    used = []
    for name in ("correlate", "correlate_squares"):
        original = getattr(plan, name)
        monkeypatch.setattr(plan, name, lambda *a, name=name, original=original: used.append(name) or original(*a))
    rng = np.random.default_rng(0)
    weight = rng.integers(-2, 3, (32, 32, 3, 3)).astype(np.float32)
    prepared = reference.conv2d_prepare(weight, padding=1)
    mc.set_winograd(2)
    for images, size in ((1, 7), (1, 14), (2, 7), (1, 5)):
        x = rng.integers(-2, 3, (images, 32, size, size)).astype(np.float32)
        np.testing.assert_array_equal(cpu.conv2d_prepared(x, prepared), reference.conv2d_prepared(x, prepared))
    assert used == ["correlate", "correlate_squares", "correlate_squares", "correlate"]


@pytest.mark.parametrize("groups", [1, 8])
def test_nan_passes_through_relu(groups):
    x = np.full((1, 8, 4, 4), -1.0, np.float32)
    x[0, :, 2, 2] = np.nan
    weight = np.ones((8, 8 // groups, 1, 1), np.float32)
    output = cpu.conv2d_prepared(x, reference.conv2d_prepare(weight, relu=True, groups=groups))
    assert np.isnan(output[0, :, 2, 2]).all() and np.isnan(output).sum() == 8 and np.nanmax(output) == 0


def test_nothing_is_prepared_twice(monkeypatch):
    packed = []
    original = winograd.transform_kernels
    monkeypatch.setattr("minception.kernels.cpu.plan.transform_kernels", lambda *a: packed.append(1) or original(*a))
    prepared = reference.conv2d_prepare(np.ones((32, 32, 3, 3), np.float32), padding=1)
    for size in (8, 8, 11, 8):
        cpu.conv2d_prepared(np.ones((1, 32, size, size), np.float32), prepared)
    assert len(packed) == 1


def separable(channels, outputs, dtype=np.float32, **options):
    """A depthwise convolution of 3x3 taps and the pointwise one after it, of small integers."""
    rng, shapes = np.random.default_rng(channels), ((channels, 1, 3, 3), (outputs, channels, 1, 1))
    taps, weight = (rng.integers(-2, 3, shape).astype(dtype) for shape in shapes)
    bias = np.arange(outputs, dtype=dtype)
    first = reference.conv2d_prepare(taps, bias[:1].repeat(channels), padding=1, groups=channels, relu=True, **options)
    return reference.conv2d_prepare(weight, bias, before=first)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 48, 7, 9), (3, 33, 19, 19), (2, 16, 40, 37), (1, 5, 4, 300)])
def test_separable_halves_in_one(size, threads, monkeypatch):
    mc.set_num_threads(threads)
    done, inner = [], conv_prepared.correlate_separable
    monkeypatch.setattr(conv_prepared, "correlate_separable", lambda *given: done.append(inner(*given)) or done[-1])
    both = separable(size[1], 40)
    x = np.random.default_rng(1).integers(-2, 3, size).astype(np.float32)
    wide = np.full((*size[:3], size[3] + 2), np.nan, np.float32)
    wide[..., 1:-1] = x
    expected = reference.conv2d_prepared(x, both)
    for images in (x, wide[..., 1:-1], x.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2)):
        np.testing.assert_array_equal(cpu.conv2d_prepared(images, both), expected)
    assert done == [True] * 3


def test_which_halves_are_one():
    images = np.ones((2, 8, 9, 9))
    for options, possible in (({}, True), ({"stride": 2}, False), ({"dilation": 2}, False)):
        both = separable(8, 8, np.float64, **options)
        np.testing.assert_array_equal(cpu.conv2d_prepared(images, both), reference.conv2d_prepared(images, both))
        assert (both.ready["separable", images.shape] is not None) == possible
    mc.set_num_threads(2)
    assert separable_lines(1, 10, 10, 1024, 16) > 0
    assert separable_lines(1, 1, 5, 16, 4096) == 0, "few pixels: the threads share out the outputs"


def separable_lines(images, lines, columns, channels, outputs):
    return lines_at_once(images, lines, columns, channels, outputs, 32, mc.get_num_threads())


@given(
    images=st.integers(1, 20), lines=st.integers(1, 200), columns=st.integers(1, 300), channels=st.integers(1, 2100),
    threads=st.integers(1, 3),
)  # fmt: skip
@example(images=1, lines=19, columns=80, channels=16, threads=1)
@example(images=1, lines=2, columns=7, channels=16, threads=2)
def test_chunks_end_between_tiles(images, lines, columns, channels, threads):
    """The depthwise half makes two lines at a time, which must not reach into the next chunk."""
    mc.set_num_threads(threads)
    at_once = lines_at_once(images, lines, columns, channels, 64, 32, threads)
    assert 0 <= at_once <= lines
    assert at_once % 2 == 0 or at_once == lines
