"""Convolution layers against torch's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import nn
from tests.nn.twins import assert_same, assert_same_step, copy_state, fill_randomly

CASES = {
    "plain": ((3, 5, 3), {}),
    "rectangle": ((4, 2, (1, 3)), {"stride": (2, 1), "padding": (0, 2)}),
    "column": ((2, 3, (7, 1)), {"padding": (3, 0), "bias": False}),
    "dilated": ((2, 3, (3, 2)), {"dilation": (2, 3), "padding": 1}),
    "grouped": ((4, 6, 3), {"groups": 2, "padding": 1}),
    "grouped and strided": ((6, 3, (2, 3)), {"groups": 3, "stride": 2, "bias": False}),
    "depthwise": ((4, 4, 3), {"groups": 4, "padding": 1}),
    "depthwise, multiplied": ((3, 6, (3, 1)), {"groups": 3, "stride": (1, 2), "padding": (2, 0), "bias": False}),
    "one channel": ((1, 2, 3), {"groups": 1}),
    "pointwise": ((5, 4, 1), {}),
    "same": ((3, 2, (3, 5)), {"padding": "same", "dilation": (2, 1)}),
    "same, even kernel": ((3, 2, (2, 4)), {"padding": "same"}),
    "same, depthwise": ((3, 3, (3, 4)), {"padding": "same", "groups": 3}),
    "valid": ((3, 2, 3), {"padding": "valid", "stride": 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_conv2d_is_torchs(case, rng):
    args, kwargs = CASES[case]
    x = rng.normal(size=(2, args[0], 7, 9))
    assert_same(nn.Conv2d(*args, **kwargs), torch.nn.Conv2d(*args, **kwargs), x, rng, modes=[True])


@given(data=st.data())
def test_conv2d_of_any_geometry_is_torchs(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    small = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups = data.draw(st.integers(1, 3))
    kernel, stride, dilation = data.draw(small), data.draw(small), data.draw(small)
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    args = (groups * data.draw(st.integers(1, 2)), groups * data.draw(st.integers(1, 3)), kernel)
    kwargs = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": data.draw(st.booleans()),
    }
    height, width = (d * (k - 1) + 1 + data.draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True))
    x = rng.normal(size=(data.draw(st.integers(1, 3)), args[0], height, width))
    assert_same(nn.Conv2d(*args, **kwargs), torch.nn.Conv2d(*args, **kwargs), x, rng, modes=[True])


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_conv2d_is_a_grouped_convolution(multiplier, rng):
    layer = nn.DepthwiseConv2d(4, (3, 2), (2, 1), (1, 0), (1, 2), multiplier, False).double()
    twin = torch.nn.Conv2d(4, 4 * multiplier, (3, 2), (2, 1), (1, 0), (1, 2), groups=4, bias=False)
    fill_randomly(twin, rng)
    copy_state(twin, layer)
    assert layer.weight.shape == (4 * multiplier, 1, 3, 2)
    assert_same_step(layer, twin, rng.normal(size=(2, 4, 6, 5)), rng)


class TorchSeparable(torch.nn.Module):
    """A separable convolution in torch, with the names of ours."""

    def __init__(self, in_channels, out_channels, kernel_size, multiplier, bias, **window):
        super().__init__()
        middle = in_channels * multiplier
        self.depthwise = torch.nn.Conv2d(
            in_channels, middle, kernel_size, groups=in_channels, bias=False, **window
        )
        self.pointwise = torch.nn.Conv2d(middle, out_channels, 1, bias=bias)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_separable_conv2d_is_depthwise_then_pointwise(multiplier, bias, dtype, rng):
    window = {"stride": 2, "padding": 1, "dilation": (1, 2)}
    layer = nn.SeparableConv2d(3, 5, (3, 2), **window, depth_multiplier=multiplier, bias=bias).to(dtype)
    twin = TorchSeparable(3, 5, (3, 2), multiplier, bias, **window)
    fill_randomly(twin, rng)
    copy_state(twin, layer)
    assert_same_step(layer, twin, rng.normal(size=(2, 3, 7, 6)).astype(dtype), rng)


def test_separable_children_run_their_hooks():
    layer = nn.SeparableConv2d(2, 3, 3)
    seen = []
    for name, child in layer.named_children():
        child.register_forward_hook(lambda module, args, output, name=name: seen.append((name, output.shape)))
    layer(mc.Tensor(np.zeros((1, 2, 5, 4), np.float32)))
    assert seen == [("depthwise", (1, 2, 3, 2)), ("pointwise", (1, 3, 3, 2))]


def test_depthwise_repr_names_the_multiplier_only_if_there_is_one():
    assert repr(nn.DepthwiseConv2d(4, 3, padding=1)) == (
        "DepthwiseConv2d(4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"
    )
    assert repr(nn.DepthwiseConv2d(4, 3, dilation=2, depth_multiplier=2, bias=False)) == (
        "DepthwiseConv2d(4, kernel_size=(3, 3), stride=(1, 1), dilation=(2, 2), depth_multiplier=2, bias=False)"
    )


def test_channels_last_and_sliced_inputs_give_the_same(rng):
    layer = nn.Conv2d(3, 4, 3, padding=1).double()
    x = rng.normal(size=(2, 3, 6, 5))
    expected = np.asarray(layer(mc.Tensor(x)))
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    spread = np.zeros((2, 6, 12, 10))
    spread[:, ::2, ::2, ::2] = x
    for same in (channels_last, spread[:, ::2, ::2, ::2], np.asfortranarray(x)):
        np.testing.assert_allclose(np.asarray(layer(mc.from_numpy(same))), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=0), ValueError, "groups must be a positive integer"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, "out_channels must be divisible by groups"),
        (lambda: nn.Conv2d(0, 3, 3), ValueError, "in_channels must be a positive integer"),
        (lambda: nn.Conv2d(3, 2.0, 3), TypeError, "out_channels must be an integer"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size must be an integer or a pair"),
        (lambda: nn.Conv2d(3, 4, 0), ValueError, "kernel_size must be positive"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), ValueError, "stride must be positive"),
        (lambda: nn.Conv2d(3, 4, 3, dilation=(1, 0)), ValueError, "dilation must be positive"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "padding must be non-negative"),
        (lambda: nn.Conv2d(3, 4, 3, padding=1.5), TypeError, "padding must be an integer"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), ValueError, "padding must be 'same', 'valid'"),
        (
            lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"),
            ValueError,
            "padding='same' is not supported for strided convolutions",
        ),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="reflect"), ValueError, "padding_mode must be 'zeros'"),
        (lambda: nn.DepthwiseConv2d(0, 3), ValueError, "DepthwiseConv2d: channels must be a positive integer"),
        (lambda: nn.DepthwiseConv2d(3, 3, depth_multiplier=0), ValueError, "depth_multiplier must be a positive"),
        (lambda: nn.SeparableConv2d(3, 0, 3), ValueError, "out_channels must be a positive integer"),
    ],
)
def test_wrong_arguments_fail_at_construction(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(1, 3, 5, 5), (2, 5, 5), (1, 2, 2, 5)])
def test_wrong_inputs_fail_at_the_call(groups, shape):
    with pytest.raises(ValueError, match="conv2d"):
        nn.Conv2d(2, 4, 3, groups=groups)(mc.Tensor(np.zeros(shape, np.float32)))


def test_input_of_another_dtype_fails():
    with pytest.raises(TypeError, match="one dtype"):
        nn.Conv2d(2, 4, 3)(mc.Tensor(np.zeros((1, 2, 5, 5))))


def test_empty_batch_gives_empty_output_and_zero_gradients():
    layer = nn.Conv2d(2, 4, 3)
    y = layer(mc.Tensor(np.zeros((0, 2, 5, 6), np.float32), requires_grad=True))
    assert y.shape == (0, 4, 3, 4)
    y.backward(np.zeros(y.shape, np.float32))
    np.testing.assert_array_equal(np.asarray(layer.weight.grad), 0)
    np.testing.assert_array_equal(np.asarray(layer.bias.grad), 0)
