"""The passes of batch norm over memory: long rows, rows that lie apart, pieces, and where ReLU blocks."""

import numpy as np
import pytest

import minception as mc
from minception.kernels import cpu, reference
from minception.kernels.cpu import batch_norm, batch_norm_passes
from minception.kernels.cpu.row_steps import rows_in_memory
from tests.compare import assert_close
from tests.kernels.inputs import LAYOUTS, in_layout

SHAPES = [(1, 2, 1, 2), (2, 3, 1, 5), (3, 24, 7, 5), (4, 190, 8, 8), (2, 1024, 3, 3), (1, 1100, 1, 67), (16, 5, 32, 3)]


def column_moments(rows):
    """Mean and sum of squared deviations of each column by the compiled loop alone."""
    width = rows.shape[1]
    mean, square = np.zeros(width), np.zeros(width)
    memory = np.ascontiguousarray(rows).reshape(-1)
    batch_norm_passes._column_moments(memory, width, width, 1, 0, len(rows), mean, square)
    return mean, square


def test_moments():
    """Of float32 columns whose deviations, and the means of whose blocks, are as small as 1e-6 of the mean."""
    for count in (1, 2, 3, 15, 17, 63, 64, 65, 130, 2000):
        rng = np.random.default_rng(count)
        scale = 10.0 ** rng.uniform(-6, 2, 9)
        rows = rng.standard_normal((count, 9)) * scale + rng.standard_normal(9)
        rows[: count // 2] += scale
        rows = rows.astype(np.float32)
        mean, square = column_moments(rows)
        exact = rows.astype(np.float64)
        deviation = exact - exact.mean(axis=0)
        # Deviations round relative to themselves, and they are added up in blocks of 64.
        eps = np.finfo(np.float32).eps
        assert (abs(mean - exact.mean(axis=0)) <= 64 * eps * abs(deviation).mean(axis=0) + 1e-15 * abs(mean)).all()
        assert (abs(square - (deviation**2).sum(axis=0)) <= 64 * eps * (deviation**2).sum(axis=0)).all()


@pytest.mark.parametrize("order", ["as drawn", "sorted", "first block far away"])
def test_variance_of_offset_data_in_any_order(order, rng):
    """A mean of 1e4 and a deviation of 1e-2 in float32, whose neighbours there are 1e-3 apart."""
    x = (1e4 + 1e-2 * rng.standard_normal((20_000, 3))).astype(np.float32)
    if order == "sorted":
        x.sort(axis=0)
    if order == "first block far away":
        x[:64] -= 10
    _, mean, var = cpu.batch_norm_train(x, None, None)
    assert_close(var, x.astype(np.float64).var(axis=0).astype(np.float32), terms=64)
    np.testing.assert_array_equal(mean, x.astype(np.float64).mean(axis=0).astype(np.float32))


@pytest.fixture(params=[1, 2, 3], ids=lambda count: f"{count} pieces")
def pieces(request, monkeypatch):
    """Passes over small arrays are divided too."""
    monkeypatch.setattr(batch_norm, "GRAIN", 1)
    mc.set_num_threads(request.param)
    yield request.param


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_and_layout_in_pieces(shape, layout, pieces, rng):
    channels = shape[1]
    x, g = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    weight, bias = (rng.standard_normal(channels).astype(np.float32) for _ in range(2))
    wide = [a.astype(np.float64) for a in (x, weight, bias)]
    placed, g_placed = in_layout(x, layout), in_layout(g, layout)

    output, *numbers = cpu.batch_norm_relu_train(placed, weight, bias)
    expected = reference.batch_norm_relu_train(*wide)
    assert_close(output, expected[0].astype(np.float32), terms=128, scale=4)
    for actual, number in zip(numbers, expected[1:], strict=True):
        assert_close(actual, number.astype(np.float32), terms=64, scale=max(1, abs(number).max()))

    # The gradients for one mask: the one of this forward pass.
    grads = cpu.batch_norm_relu_train_backward(g_placed, placed, weight, *numbers)
    blocked = np.where(output > 0, g, 0).astype(np.float64)
    mean, var = (a.astype(np.float64) for a in numbers[:2])
    scale = np.sqrt(x.size) * max(1, abs(numbers[2]).max())
    for actual, expected in zip(
        grads, reference.batch_norm_train_backward(blocked, wide[0], wide[1], mean, var), strict=True
    ):
        assert_close(actual, expected.astype(np.float32), terms=128, scale=scale)

    statistics = numbers[0], numbers[1], weight, bias
    output = cpu.batch_norm_relu_eval(placed, *statistics)
    grads = cpu.batch_norm_relu_eval_backward(g_placed, placed, *statistics)
    blocked = np.where(output > 0, g, 0).astype(np.float64)
    expected = reference.batch_norm_eval_backward(blocked, wide[0], wide[1], mean, var)
    for actual, exact in zip(grads, expected, strict=True):
        assert_close(actual, exact.astype(np.float32), terms=128, scale=scale)


def blocked_where_cut_off(shape, layout, training):
    """Every channel has a value whose output is 0 up to rounding; a gradient for that alone tells if it was blocked."""
    rng = np.random.default_rng(sum(shape))
    n, channels, height, _ = shape
    x = in_layout(rng.standard_normal(shape).astype(np.float32), layout)
    weight = rng.standard_normal(channels).astype(np.float32)
    place = rng.integers(n, size=channels), np.arange(channels), rng.integers(height, size=channels), 0
    _, mean, var, scale, _ = cpu.batch_norm_relu_train(x, weight, None)
    bias = (-(x[place].astype(np.float64) - mean) * scale).astype(np.float32)
    bias *= 1 + rng.integers(-2, 3, channels).astype(np.float32) * np.finfo(np.float32).eps / 2
    g = np.zeros(shape, np.float32)
    g[place] = 1
    if training:
        output, *numbers = cpu.batch_norm_relu_train(x, weight, bias)
        _, _, grad_bias = cpu.batch_norm_relu_train_backward(g, x, weight, *numbers)
    else:
        output = cpu.batch_norm_relu_eval(x, mean, var, weight, bias)
        _, _, grad_bias = cpu.batch_norm_relu_eval_backward(g, x, mean, var, weight, bias)
    np.testing.assert_array_equal(grad_bias, output[place] > 0)
    return output[place]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_same_bits_in_forward_and_backward(layout, training):
    on_the_edge = np.concatenate([blocked_where_cut_off(shape, layout, training) for shape in SHAPES[2:]])
    assert 0.2 < (on_the_edge > 0).mean() < 0.8, "the values are not as near to zero as they should be"


def test_backward_blocks_where_forward_cut_off():
    for training in (True, False):
        blocked_where_cut_off((3, 190, 5, 4), "channels last", training)


@pytest.mark.parametrize("home", [reference, cpu], ids=["reference", "cpu"])
def test_zero_blocks_and_nan_does_not(home):
    """As in relu_backward: an output of 0 blocks the gradient, NaN lets it pass."""
    x = np.array([-1, 0, 1, -1, 0, 1], np.float32).reshape(6, 1)
    output, *numbers = home.batch_norm_relu_train(x, None, None)
    np.testing.assert_array_equal(output > 0, x > 0)
    _, _, grad_bias = home.batch_norm_relu_train_backward(np.ones_like(x), x, None, *numbers)
    assert grad_bias == 2
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    x[1] = np.nan
    output = home.batch_norm_relu_eval(x, zero, one, None, None)
    np.testing.assert_array_equal(np.isnan(output), np.isnan(x))
    _, _, grad_bias = home.batch_norm_relu_eval_backward(np.ones_like(x), x, zero, one, None, None)
    assert grad_bias == 3


def test_slices_of_channels_are_read_in_place(rng):
    whole = np.moveaxis(rng.standard_normal((4, 5, 6, 20)).astype(np.float32), -1, 1)
    for part in (whole, whole[:, 3:11], whole[1:, :, 2:4], whole[:, 19:], whole[2:3, 4:9, 1:2]):
        memory, step = rows_in_memory(part)
        if part.shape[2] in (1, 6):
            assert np.shares_memory(memory, whole) and step in (20, part.shape[1])
        for r, row in enumerate(np.moveaxis(part, 1, -1).reshape(-1, part.shape[1])):
            np.testing.assert_array_equal(memory[r * step : r * step + part.shape[1]], row)


def test_slices_of_channels_give_what_copies_give():
    """To the last bit. The gradient of a concatenation is a slice of channels; what is concatenated may be one too."""
    rng = np.random.default_rng(0)
    whole, g_whole = (np.moveaxis(rng.standard_normal((4, 9, 8, 40)).astype(np.float32), -1, 1) for _ in range(2))
    x, g = whole[:, 8:24], g_whole[:, 3:19]
    contiguous = np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)  # channels-last, as x is
    output, *numbers = cpu.batch_norm_relu_train(x, None, None)
    copied, *of_copy = cpu.batch_norm_relu_train(contiguous, None, None)
    grads = cpu.batch_norm_relu_train_backward(g, x, None, *numbers)
    of_slice = cpu.batch_norm_relu_train_backward(g, contiguous, None, *numbers)
    of_copies = cpu.batch_norm_relu_train_backward(g.copy(), contiguous, None, *numbers)
    found, expected = (output, *numbers, *grads, *of_slice), (copied, *of_copy, *of_copies, *of_copies)
    for actual, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(actual, same)
