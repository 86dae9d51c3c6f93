"""Inputs for kernel tests: values that tie, overflow or are not numbers, in every layout that memory can have."""

from contextlib import contextmanager

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from tests.compare import torch_grads

DTYPES = (np.float32, np.float64)
LAYOUTS = ("contiguous", "channels last", "fortran", "sliced", "reversed")

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(DTYPES)
shapes = array_shapes(min_dims=0, max_dims=4, max_side=5) | st.sampled_from([(0,), (0, 3), (0, 2, 3, 1)])


def in_layout(array, layout):
    """The same values with another order, spacing or direction in memory. Gaps hold NaN, to be seen if read."""
    if array.ndim == 0:
        return array.copy()
    if layout == "fortran" or (layout == "channels last" and array.ndim < 3):
        return np.asfortranarray(array)
    if layout == "channels last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    if layout == "sliced":
        wide = np.full([2 * length + 1 for length in array.shape], np.nan, array.dtype)
        window = wide[tuple(slice(1, 1 + 2 * length, 2) for length in array.shape)]
        window[...] = array
        return window
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[backwards])[backwards]
    return np.ascontiguousarray(array)


def fill(kind, shape, dtype, rng):
    """An array of one kind of values: "normal", "ties" (small integers), "nonfinite" (with inf, -inf, NaN)."""
    if kind == "ties":
        return rng.integers(-2, 3, shape).astype(dtype)
    array = np.asarray(rng.standard_normal(shape), dtype)
    if kind == "nonfinite":
        array = np.where(rng.random(shape) < 0.3, rng.choice([np.inf, -np.inf, np.nan], shape), array)
    return array.astype(dtype)


@st.composite
def arrays(draw, shape, dtype, kinds=("normal", "ties")):
    """An array of the shape and dtype, of a drawn kind of values and layout, sometimes read-only."""
    rng = np.random.default_rng(draw(seeds))
    array = in_layout(fill(draw(st.sampled_from(kinds)), shape, dtype, rng), draw(st.sampled_from(LAYOUTS)))
    if draw(st.booleans()):
        array.flags.writeable = False
    return array


@contextmanager
def unmodified(*inputs):
    """Fail if any of the arrays changes inside the block (NaN equals NaN)."""
    before = [array.copy() for array in inputs]
    yield
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy, "an input was modified")


def oracle(function, cotangent, *inputs):
    """(output, gradients) of a torch function computed in float64, rounded to the dtype of the inputs."""
    dtype = next(a.dtype for a in inputs if a is not None)
    wide = [None if a is None else np.asarray(a, np.float64) for a in inputs]
    output, grads = torch_grads(function, np.asarray(cotangent, np.float64), *wide)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite there
        return output.astype(dtype), [None if g is None else g.astype(dtype) for g in grads]


def largest(*inputs):
    """The largest finite magnitude in the arrays; 0 if there is none."""
    magnitudes = [np.abs(a[np.isfinite(a)]).max(initial=0) for a in map(np.asarray, inputs)]
    return float(max(magnitudes))


def is_channels_last(array):
    """Whether (N, C, H, W) lies in memory as contiguous (N, H, W, C)."""
    return array.transpose(0, 2, 3, 1).flags.c_contiguous
