"""The table of operations, with the kernels for a GPU: values, gradients, layouts and rounding as in every home.

Emulated blocks and threads run in forward and in reversed order. There are fewer examples than for the other homes (8
of each property in the quick profile), because every thread is emulated; the named cases are all there. On a real GPU
(see tests/table/homes.py) the same tests run there.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minception.kernels.cuda import launch
from minception.kernels.cuda.emulated import thread_order
from tests.kernels.inputs import is_channels_last
from tests.kernels.test_memory_order import ROWS as IMAGES
from tests.table import test_layouts, test_rounding
from tests.table.homes import OF_GPU, ON_GPU

FEWER = settings(max_examples=max(8, settings().max_examples // 4))
ORDERS = ("forward", "reversed")
EXAMPLES = [
    pytest.param(row, case, id=f"{name}-{title}")
    for name, row in ON_GPU.items()
    for title, case in row.examples.items()
]


def face_of(row):
    """The face whose kernels a GPU has: of the optimizers' updates, those of many parameters."""
    return "kernel for many" if "kernel for many" in row.faces else "kernel"


def run(row, case, dtype, order):
    with thread_order(order):
        return row.run(face_of(row), OF_GPU, case.call(dtype))


@pytest.mark.parametrize("row", ON_GPU.values(), ids=list(ON_GPU))
@FEWER
@given(data=st.data())
def test_equals_torch(row, data):
    case = data.draw(row.cases, label="case")
    dtype = data.draw(st.sampled_from(row.dtypes), label="dtype")
    results = run(row, case, dtype, data.draw(st.sampled_from(ORDERS), label="order of the threads"))
    row.truth(case).judge(results, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("row", "case"), EXAMPLES)
def test_named_case_equals_torch(row, case, dtype):
    """In both orders of the threads, which give the same bits."""
    forward, backward = (run(row, case, dtype, order) for order in ORDERS)
    row.truth(case).judge(forward, dtype)
    for name, result in forward.items():
        np.testing.assert_array_equal(result, backward[name], name)


@pytest.mark.parametrize(("row", "case"), EXAMPLES)
def test_small_grids_and_wide_indices(row, case, monkeypatch):
    """Threads that make several elements each, and arrays too large for indices of 32 bits, give the same bits."""
    expected = run(row, case, np.float32, "forward")
    monkeypatch.setattr(launch, "MOST_BLOCKS", 2)
    monkeypatch.setattr(launch, "MOST_IN_INT", -1)
    for name, result in run(row, case, np.float32, "forward").items():
        np.testing.assert_array_equal(result, expected[name], name)


@pytest.mark.parametrize(("row", "case"), EXAMPLES)
def test_large_pieces(row, case, monkeypatch):
    """Sums in two stages, of pieces as large as those of large arrays."""
    monkeypatch.setattr(launch, "BLOCKS_AT_ONCE", 1)
    row.truth(case).judge(run(row, case, np.float32, "forward"), np.float32)


@pytest.mark.parametrize("row", ON_GPU.values(), ids=list(ON_GPU))
@FEWER
@given(data=st.data())
def test_layout_does_not_matter(row, data):
    """And images leave channels-last in memory, whatever the layout they came in."""

    def choose(options, label):
        return data.draw(st.sampled_from(options), label=label)

    memory = test_layouts.Memory(choose, row.in_place)
    case = data.draw(row.cases, label="case")
    results = row.run(face_of(row), OF_GPU, case.call(np.float32, memory))
    memory.assert_untouched()
    row.truth(case, memory.contiguous).judge(results, np.float32)
    for name in IMAGES.get(row.name, ()):
        assert results[name].ndim < 3 or is_channels_last(results[name]), name


@pytest.mark.parametrize("name", [name for name in ON_GPU if name in test_rounding.ROUNDING])
def test_error_is_no_larger_than_that_of_torch(name, record_property):
    test_rounding.test_error_is_no_larger_than_that_of_torch(ON_GPU[name], OF_GPU, record_property)
