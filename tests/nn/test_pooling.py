"""Pooling layers against torch's."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.nn.twins import assert_same, assert_same_step

MAX = [
    ((2,), {}),
    ((3, 2, 1), {}),
    (((3, 2), (2, 1), (1, 0)), {}),
    (([2, 3],), {"stride": [1, 2]}),
    ((3, 2), {"ceil_mode": True}),
    ((3, 2, 1, 1, False, True), {}),
    ((2, 1), {"dilation": (2, 3)}),
]
AVERAGE = [
    ((2,), {}),
    ((3, 2, 1), {}),
    (((3, 2), (1, 2), (1, 0)), {}),
    ((3, 2, 1, True), {}),
    ((3, 2, 1, True, False), {}),
    ((3, 2, 1), {"count_include_pad": False}),
    ((3, 1), {"divisor_override": 5}),
]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("args", "kwargs"), MAX)
def test_max_pool_is_torchs(args, kwargs, ties, rng):
    x = rng.normal(size=(2, 3, 7, 8))
    x = np.round(x) if ties else x
    assert_same(nn.MaxPool2d(*args, **kwargs), torch.nn.MaxPool2d(*args, **kwargs), x, rng, modes=[True])


@pytest.mark.parametrize(("args", "kwargs"), AVERAGE)
def test_avg_pool_is_torchs(args, kwargs, rng):
    x = rng.normal(size=(2, 3, 8, 7))
    assert_same(nn.AvgPool2d(*args, **kwargs), torch.nn.AvgPool2d(*args, **kwargs), x, rng, modes=[True])


@pytest.mark.parametrize("size", [1, 3, (2, 5), (None, 2), (4, None), [3, 1], 9])
def test_adaptive_avg_pool_is_torchs(size, rng):
    x = rng.normal(size=(2, 3, 5, 7))
    assert_same(nn.AdaptiveAvgPool2d(size), torch.nn.AdaptiveAvgPool2d(size), x, rng, modes=[True])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_global_avg_pool_is_adaptive_to_one(dtype, rng):
    x = rng.normal(size=(2, 3, 5, 7)).astype(dtype)
    assert_same_step(nn.GlobalAvgPool2d(), torch.nn.AdaptiveAvgPool2d(1), x, rng)
    assert repr(nn.GlobalAvgPool2d()) == "GlobalAvgPool2d()"


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size must be positive"),
        (lambda: nn.MaxPool2d((2, 2, 2)), ValueError, "MaxPool2d: kernel_size must be an integer or a pair"),
        (lambda: nn.MaxPool2d(2.0), TypeError, "MaxPool2d: kernel_size must be an integer"),
        (lambda: nn.MaxPool2d(2, 0), ValueError, "MaxPool2d: stride must be positive"),
        (lambda: nn.MaxPool2d(2, padding=-1), ValueError, "MaxPool2d: padding must be non-negative"),
        (lambda: nn.MaxPool2d(2, dilation=0), ValueError, "MaxPool2d: dilation must be positive"),
        (lambda: nn.MaxPool2d(2, return_indices=True), ValueError, "return_indices must be False"),
        (lambda: nn.AvgPool2d(2, stride="2"), TypeError, "AvgPool2d: stride must be an integer"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), ValueError, "AdaptiveAvgPool2d: output_size must be"),
        (lambda: nn.AdaptiveAvgPool2d(0), ValueError, "AdaptiveAvgPool2d: output_size must be positive"),
    ],
)
def test_wrong_arguments_fail_at_construction(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.MaxPool2d(3), (1, 1, 2, 5)),
        (nn.AvgPool2d(3), (1, 1, 5, 2)),
        (nn.MaxPool2d(2, padding=2), (1, 1, 5, 5)),
        (nn.AvgPool2d(2, padding=2), (1, 1, 5, 5)),
        (nn.AdaptiveAvgPool2d(1), (2, 5)),
        (nn.GlobalAvgPool2d(), (2, 5)),
    ],
)
def test_wrong_inputs_fail_at_the_call(layer, shape):
    with pytest.raises(ValueError, match="pool"):
        layer(mc.Tensor(np.zeros(shape, np.float32)))
