"""Updates of all parameters on a GPU: one launch, whose bits in the emulation are those of the reference."""

import numpy as np
import pytest

from minception.kernels import cuda, reference
from minception.kernels.cuda import rows
from minception.kernels.cuda.emulated import thread_order
from tests.kernels.test_update_all import KINDS, NAMES, SHAPES, assert_same_bits, calls, run


@pytest.fixture
def launched(monkeypatch):
    """(kernel, dtype) of each launch, in a list that grows."""
    found, original = [], rows.launch

    def spy(source, name, dtype, *arguments, **options):
        found.append((name, np.dtype(dtype)))
        original(source, name, dtype, *arguments, **options)

    monkeypatch.setattr(rows, "launch", spy)
    return found


def columns_of(rng, name, shapes, dtype=np.float32, grads_order="C"):
    parameters, grads = ([rng.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(2))
    grads = [np.array(grad, order=grads_order) for grad in grads]
    return [parameters, grads, *([np.zeros_like(p) for p in parameters] for _ in range(KINDS[name][0]))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("grads_order", ["C", "F"])
def test_bits_are_those_of_single_updates(rng, launched, dtype, order, grads_order):
    """Of parameters smaller and larger than a block's share, of none, and with options of every kind."""
    for name, without, options in calls():
        columns = columns_of(rng, name, SHAPES, dtype, grads_order)
        columns[2:] = [None if i in without else column for i, column in enumerate(columns[2:])]
        expected = run(getattr(reference, f"{name}_update_all"), name, columns, options)
        launched.clear()
        with thread_order(order):
            actual = run(getattr(cuda, f"{name}_update_all"), name, columns, options)
        assert_same_bits(actual, expected)
        assert launched == [(f"{name.removesuffix('w')}_update_all", dtype)] * 2  # two steps


@pytest.mark.parametrize("name", NAMES)
def test_one_launch_for_each_dtype(rng, launched, name):
    single, double = columns_of(rng, name, [(3, 4), (5,)]), columns_of(rng, name, [(2, 7)], np.float64)
    columns = [a[:1] + b + a[1:] for a, b in zip(single, double, strict=True)]
    expected = run(getattr(reference, f"{name}_update_all"), name, columns, {"lr": 0.1}, steps=1)
    assert_same_bits(run(getattr(cuda, f"{name}_update_all"), name, columns, {"lr": 0.1}, steps=1), expected)
    assert [dtype for _, dtype in launched] == [np.float32, np.float64]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_with_gaps_are_updated_by_the_reference(rng, launched, name):
    columns, expected = columns_of(rng, name, [(6, 4), (5,)]), []
    for update_all in (getattr(cuda, f"{name}_update_all"), getattr(reference, f"{name}_update_all")):
        own = [[array.copy() for array in column] for column in columns]
        own[0][0] = np.repeat(own[0][0], 2, axis=1)[:, ::2]
        counted = {"step": 1} if "adam" in name else {}
        update_all(*own, lr=0.1, **counted)
        expected.append(own)
    assert_same_bits(*expected)
    assert len(launched) == 1


@pytest.mark.parametrize("name", NAMES)
def test_memory_that_is_shared_is_updated_once_for_each(rng, launched, name):
    results = []
    columns = columns_of(rng, name, [(6,), (6,)])
    for update_all in (getattr(cuda, f"{name}_update_all"), getattr(reference, f"{name}_update_all")):
        own = [[array.copy() for array in column] for column in columns]
        memory = own[0][0]
        own[0] = [memory, memory]
        counted = {"step": 1} if "adam" in name else {}
        update_all(*own, lr=0.1, **counted)
        results.append(own)
    assert_same_bits(*results)
    assert launched == []


def test_no_parameters(launched):
    cuda.sgd_update_all([], [], None, 0.1)
    cuda.adam_update_all([], [], [], [], None, 1, 0.1)
    assert launched == []


@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_norms_in_one_launch_for_each_dtype(rng, launched, order):
    """The norm of arrays with gaps too, which are copied; their common factor only of arrays without."""
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES] + [rng.standard_normal((3, 4))]
    arrays.append(rng.standard_normal((50, 60)).astype(np.float32)[:, ::2])
    expected = sum(float((array.astype(np.float64) ** 2).sum()) for array in arrays)
    with thread_order(order):
        assert cuda.sum_of_squares(arrays) == pytest.approx(expected, rel=1e-13)
        assert launched == [("sum_of_squares", np.float32), ("sum_of_squares", np.float64)]
        scaled = [array.copy() for array in arrays[:-1]]
        cuda.scale_all(scaled, 0.3)
    assert launched[2:] == [("scale_all", np.float32), ("scale_all", np.float64)]
    for array, before in zip(scaled, arrays[:-1], strict=True):
        np.testing.assert_array_equal(array, before * array.dtype.type(0.3))


def test_an_array_that_is_listed_twice_is_scaled_twice(launched):
    array = np.full(5, 3.0, np.float32)
    cuda.scale_all([array, array[1:]], 2.0)
    assert array.tolist() == [6, 12, 12, 12, 12]
    assert launched == []
