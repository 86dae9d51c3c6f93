"""Pooling as operations: gradients against torch through ties, overhanging windows and rectangles."""

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
def pools(draw):
    """(x, options): rectangles, strides that do not divide, padding up to half the kernel."""
    kernel_size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    options = {
        "kernel_size": kernel_size,
        "stride": draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel_size),
        "ceil_mode": draw(st.booleans()),
    }
    size = [k + draw(st.integers(0, 5)) for k in kernel_size]
    return draw(arrays((draw(st.integers(0, 2)), draw(st.integers(1, 3)), *size), draw(dtypes))), options


@given(pool=pools(), seed=seeds)
def test_max_pool2d(pool, seed):
    x, options = pool
    check(lambda t: F.max_pool2d(t, **options), lambda t: torch.nn.functional.max_pool2d(t, **options), x, seed=seed)


def test_dilated_max_pool2d(rng):
    x = rng.standard_normal((2, 3, 9, 8))
    options = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (2, 3)}
    check(lambda t: F.max_pool2d(t, **options), lambda t: torch.nn.functional.max_pool2d(t, **options), x)


@given(pool=pools(), count_include_pad=st.booleans(), divisor=st.sampled_from([None, 3]), seed=seeds)
def test_avg_pool2d(pool, count_include_pad, divisor, seed):
    x, options = pool
    options |= {"count_include_pad": count_include_pad, "divisor_override": divisor}
    check(
        lambda t: F.avg_pool2d(t, **options),
        lambda t: torch.nn.functional.avg_pool2d(t, **options),
        x,
        seed=seed,
        scale=10.0,
    )


@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_adaptive_avg_pool2d(data, dtype, seed):
    size = data.draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    output_size = data.draw(st.integers(1, 5) | st.tuples(*[st.none() | st.integers(1, 5)] * 2))
    x = data.draw(arrays((2, 3, *size), dtype))
    check(
        lambda t: F.adaptive_avg_pool2d(t, output_size),
        lambda t: torch.nn.functional.adaptive_avg_pool2d(t, output_size),
        x,
        seed=seed,
        scale=10.0,
    )


@given(data=st.data(), dtype=dtypes, seed=seeds)
def test_global_avg_pool2d(data, dtype, seed):
    x = data.draw(arrays(data.draw(st.tuples(*[st.integers(1, 5)] * 4)), dtype))
    check(F.global_avg_pool2d, lambda t: t.mean((2, 3), keepdim=True), x, seed=seed, scale=4.0)


def test_pools_keep_neither_input_nor_output():
    """Max pooling saves one small integer per window; average pooling saves nothing."""
    x = mc.Tensor(np.ones((1, 2, 8, 8)), requires_grad=True)
    for call, bytes_per_output in ((F.max_pool2d, 1), (F.avg_pool2d, 0)):
        y = call(x, 2)
        saved = sum(array.nbytes for array in vars(y.grad_fn.saved).values())
        assert saved <= bytes_per_output * y.numel()


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
def test_errors(pool):
    x = mc.Tensor(np.ones((1, 1, 4, 4)))
    with pytest.raises(ValueError, match="pool2d: x must have 4 dimensions"):
        pool(x[0], 2)
    with pytest.raises(ValueError, match=r"pool2d: .*padding"):
        pool(x, 2, padding=2)
    with pytest.raises(ValueError, match="pool2d: "):
        pool(x, 5)
