"""Every operation, through every face and in every home: values and gradients are torch's.

A face is a way to call the operation: the kernels by hand, the function under autograd, the layer. A home is a set of
kernels: the readable reference, the fast CPU ones. The truth is torch in float64 on the same numbers, and the gradient
of the output is drawn, never ones.
"""

import functools
import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from .homes import HOMES
from .table import TABLE

FACES = [pytest.param(row, face, id=f"{name}-{face}") for name, row in TABLE.items() for face in row.faces]
EXAMPLES = [
    pytest.param(row, face, case, id=f"{name}-{face}-{title}")
    for name, row in TABLE.items()
    for face in row.faces
    for title, case in row.examples.items()
]


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("operation", "face"), FACES)
@given(data=st.data())
def test_equals_torch(operation, face, home, data):
    case = data.draw(operation.cases, label="case")
    dtype = data.draw(st.sampled_from(operation.dtypes), label="dtype")
    threads = 1 if home == "reference" else data.draw(st.integers(1, 3), label="threads")
    results = operation.run(face, home, case.call(dtype), threads)
    operation.truth(case).judge(results, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("operation", "face", "case"), EXAMPLES)
def test_named_case_equals_torch(operation, face, case, home, dtype):
    results = operation.run(face, home, case.call(dtype))
    operation.truth(case).judge(results, dtype)


def full_of_nan(empty):
    """`numpy.empty`, or a function like it, whose new floating arrays hold NaN."""

    @functools.wraps(empty)
    def filled(*arguments, **options):
        array = empty(*arguments, **options)
        if array.dtype.kind == "f":
            array.fill(np.nan)
        return array

    return filled


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("operation", "face", "case"), EXAMPLES)
def test_same_call_gives_same_bits(operation, face, case, home, monkeypatch):
    """Also where new memory holds NaN, as memory that was used before may: nothing is read before it is written."""
    first = operation.run(face, home, case.call(np.float32))
    call = case.call(np.float32)
    for module in (np, importlib.import_module("cupy")) if home == "cuda" else (np,):
        for name in ("empty", "empty_like"):
            monkeypatch.setattr(module, name, full_of_nan(getattr(module, name)))
    second = operation.run(face, home, call)
    for name, result in first.items():
        np.testing.assert_array_equal(result, second[name], name)
