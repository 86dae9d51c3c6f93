"""Convolutions as operations: every gradient against torch, the choice of kernel, errors that name the argument."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minception as mc
from minception import functional as F
from tests.kernels.inputs import arrays, dtypes, seeds
from tests.ops.check import check


@st.composite
def convolutions(draw, depthwise=False):
    """(x, weight, bias, options) with rectangles, strides that do not divide, groups."""
    dtype = draw(dtypes)
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups = draw(st.integers(2, 3)) if depthwise else draw(st.integers(1, 2))
    inputs = 1 if depthwise else draw(st.integers(1, 2))
    outputs = groups * draw(st.integers(1, 2))
    kernel_size, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    size = [d * (k - 1) + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel_size, dilation, strict=True)]
    x = draw(arrays((draw(st.integers(1, 2)), groups * inputs, *size), dtype))
    weight, bias = draw(arrays((outputs, inputs, *kernel_size), dtype)), draw(arrays((outputs,), dtype))
    return x, weight, bias, {"stride": stride, "padding": padding, "dilation": dilation}, groups


@pytest.mark.parametrize("depthwise", [False, True])
@given(data=st.data(), biased=st.booleans(), seed=seeds)
def test_conv2d(depthwise, data, biased, seed):
    """As many groups as channels runs the depthwise kernels: the same answer."""
    x, weight, bias, options, groups = data.draw(convolutions(depthwise))
    inputs = (x, weight, bias) if biased else (x, weight)
    check(
        lambda *t: F.conv2d(*t, **options, groups=groups),
        lambda *t: torch.nn.functional.conv2d(*t, **options, groups=groups),
        *inputs,
        seed=seed,
        scale=100.0,
    )


@given(data=st.data(), biased=st.booleans(), seed=seeds)
def test_depthwise_conv2d(data, biased, seed):
    x, weight, bias, options, groups = data.draw(convolutions(depthwise=True))
    inputs = (x, weight, bias) if biased else (x, weight)
    check(
        lambda *t: F.depthwise_conv2d(*t, **options),
        lambda *t: torch.nn.functional.conv2d(*t, **options, groups=groups),
        *inputs,
        seed=seed,
        scale=100.0,
    )


@given(data=st.data(), seed=seeds)
def test_separable_conv2d(data, seed):
    x, depthwise, _, options, groups = data.draw(convolutions(depthwise=True))
    pointwise = data.draw(arrays((3, depthwise.shape[0], 1, 1), x.dtype))
    bias = data.draw(arrays((3,), x.dtype))

    def separable(x, depthwise, pointwise, bias):
        middle = torch.nn.functional.conv2d(x, depthwise, **options, groups=groups)
        return torch.nn.functional.conv2d(middle, pointwise, bias)

    check(lambda *t: F.separable_conv2d(*t, **options), separable, x, depthwise, pointwise, bias, seed=seed, scale=1e3)


@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_padding_and_integers(padding, rng):
    x, weight = rng.standard_normal((2, 3, 7, 5)), rng.standard_normal((4, 3, 3, 1))
    check(
        lambda *t: F.conv2d(*t, padding=padding), lambda *t: torch.nn.functional.conv2d(*t, padding=padding), x, weight
    )


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("needed", range(3))
def test_one_gradient_alone(groups, needed, rng):
    """Gradients that nobody needs are not computed, and their arrays not saved."""
    values = [rng.standard_normal(shape) for shape in ((2, 4, 5, 6), (4, 4 // groups, 3, 2), (4,))]
    tensors = [mc.Tensor(value, requires_grad=i == needed) for i, value in enumerate(values)]
    twins = [torch.tensor(value, requires_grad=i == needed) for i, value in enumerate(values)]
    y = F.conv2d(*tensors, groups=groups)
    saved = [array for array in vars(y.grad_fn.saved).values() if array is not None]
    assert [id(array) for array in saved] == [id(t._array) for t in tensors[:2][::-1]][needed : needed + 1]
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent)
    torch.nn.functional.conv2d(*twins, groups=groups).backward(torch.tensor(cotangent))
    assert [t.grad is None for t in tensors] == [twin.grad is None for twin in twins]
    np.testing.assert_allclose(tensors[needed].grad.numpy(), twins[needed].grad.numpy(), rtol=1e-10, atol=1e-12)


def test_kernel_choice():
    x = mc.Tensor(np.ones((1, 4, 3, 3)), requires_grad=True)
    names = {
        groups: F.conv2d(x, mc.Tensor(np.ones((4, 4 // groups, 3, 3))), groups=groups).grad_fn.name
        for groups in (1, 2, 4)
    }
    assert names == {1: "Conv2d", 2: "Conv2d", 4: "DepthwiseConv2d"}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, w: F.conv2d(x, w[:, :2]), ValueError, r"conv2d: weight expects 2 input channels"),
        (lambda x, w: F.conv2d(x[0], w), ValueError, "conv2d: x must have 4 dimensions"),
        (lambda x, w: F.conv2d(x, w.float()), TypeError, "conv2d: all arrays must have one dtype"),
        (lambda x, w: F.conv2d(x, w, mc.Tensor(np.ones(3))), ValueError, "conv2d: bias"),
        (lambda x, w: F.conv2d(x, w, stride=0), ValueError, "conv2d: stride must be positive"),
        (lambda x, w: F.conv2d(x, w, padding="full"), ValueError, "conv2d: padding"),
        (lambda x, w: F.conv2d(x, w, groups=3), ValueError, "conv2d: "),
        (lambda x, w: F.conv2d(x[..., :1], w), ValueError, "conv2d: "),
        (lambda x, w: F.conv2d(x, w.numpy()), TypeError, "conv2d: weight must be a Tensor, got ndarray"),
        (lambda x, w: F.depthwise_conv2d(x, w), ValueError, "depthwise_conv2d: weight"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(mc.Tensor(np.ones((2, 4, 5, 5))), mc.Tensor(np.ones((2, 4, 3, 3))))
