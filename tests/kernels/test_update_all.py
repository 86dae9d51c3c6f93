"""Updates of many parameters by one call: the bits of single updates, whatever the parameters are like in memory."""

import itertools

import numpy as np
import pytest

from minception import kernels
from minception.kernels import reference, threads
from minception.kernels.cpu.tables import BLOCK, SMALL, addresses_of, tabulate
from tests.kernels.inputs import in_layout

SHAPES = ((64, 3, 3, 3), (64,), (0, 3), (), (BLOCK + 5,), (16, 32, 1, 1))
NAMES = ("sgd", "rmsprop", "adam", "adamw")
KINDS = {  # how many kinds of state, and those of the options that change which formula is used
    "sgd": (1, [{"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "dampening": 0.3}]),
    "rmsprop": (3, [{"momentum": 0.9}, {"momentum": 0.9, "alpha": 0.3}]),
    "adam": (3, [{}, {"beta1": 0.3, "beta2": 0.9}]),
    "adamw": (3, [{}, {"beta1": 0.3, "beta2": 0.9}]),
}
OPTIONAL = {"sgd": (0,), "rmsprop": (1, 2), "adam": (2,), "adamw": (2,)}  # which state may be absent


def channels_last(array):
    return in_layout(array, "channels last") if array.ndim == 4 else array


def calls():
    """(kernel, which state is absent, options)."""
    for name in NAMES:
        _, variants = KINDS[name]
        absent = [set(c) for n in range(3) for c in itertools.combinations(OPTIONAL[name], n)]
        for without, variant, decay, maximize in itertools.product(absent, variants, (0.0, 0.05), (False, True)):
            yield name, without, variant | {"lr": 0.1, "weight_decay": decay, "maximize": maximize}


def run(update, name, columns, options, steps=2):
    """Columns after some steps of the kernel `update`."""
    columns = [None if c is None else [np.array(a, order="K") for a in c] for c in columns]
    for step in range(1, steps + 1):
        counted = {"first_step": step == 1} if name == "sgd" else {"step": step} if "adam" in name else {}
        update(*columns, **options, **counted)
    return columns


def assert_same_bits(actual, expected):
    for a, b in zip(itertools.chain(*filter(None, actual)), itertools.chain(*filter(None, expected)), strict=True):
        assert a.tobytes() == b.tobytes() and a.strides == b.strides


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("orders", [(False, False), (True, True), (True, False), (False, True)])
def test_bits_are_those_of_single_updates(rng, dtype, orders):
    """With parameters and gradients in equal or different memory order, and options of every kind."""
    parameters, grads = (
        [channels_last(a) if last else a for a in (rng.standard_normal(s).astype(dtype) for s in SHAPES)]
        for last in orders
    )
    for name, without, options in calls():
        state = [[np.zeros_like(p) for p in parameters] for _ in range(KINDS[name][0])]
        state = [None if i in without else column for i, column in enumerate(state)]
        columns = [parameters, grads, *state]
        expected = run(getattr(reference, f"{name}_update_all"), name, columns, options)
        assert_same_bits(run(getattr(kernels, f"{name}_update_all"), name, columns, options), expected)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_the_threads(rng, name, count):
    sizes = (SMALL, 1, 0, 3 * BLOCK + 1, 17)  # enough for several threads; rows end where parts do not
    columns = [[rng.standard_normal(size).astype(np.float32) for size in sizes] for _ in range(2)]
    columns += [[np.zeros(size, np.float32) for size in sizes] for _ in range(KINDS[name][0])]
    options = {"lr": 0.1, "weight_decay": 0.01}
    threads.set_num_threads(count)
    actual = run(getattr(kernels, f"{name}_update_all"), name, columns, options)
    assert_same_bits(actual, run(getattr(reference, f"{name}_update_all"), name, columns, options))


@pytest.mark.parametrize("name", NAMES)
def test_nan_and_infinity_spread_alike(rng, name):
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, 1e-40], np.float32)
    parameter, grad = (a.ravel() for a in np.meshgrid(special, special))
    state = [np.tile(np.abs(special), len(special)) for _ in range(KINDS[name][0])]
    columns = [[column] for column in (parameter, grad, *state)]
    options = {"lr": 0.1, "weight_decay": 0.01}
    with np.errstate(all="ignore"):
        actual = run(getattr(kernels, f"{name}_update_all"), name, columns, options)
        expected = run(getattr(reference, f"{name}_update_all"), name, columns, options)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a[0], b[0])


def test_parameters_that_share_memory_are_updated_in_turn(rng):
    """As the textbook does: one after the other, also where they overlap only in part."""
    memory = rng.standard_normal(10)
    grads = [np.ones(6), np.ones(6), np.ones(10)]

    def updated(update):
        copy = memory.copy()
        update([copy[:6], copy[4:], copy], grads, None, lr=0.1)
        return copy

    actual = updated(kernels.sgd_update_all)
    np.testing.assert_array_equal(actual, updated(reference.sgd_update_all))
    assert actual[5] == memory[5] - 0.1 - 0.1 - 0.1


def test_a_gradient_that_is_the_parameter_itself(rng):
    p = rng.standard_normal(5)
    expected = p - 0.1 * p
    kernels.sgd_update_all([p], [p], None, lr=0.1)
    np.testing.assert_array_equal(p, expected)


def test_parameters_without_a_common_form(rng):
    """Float64 beside float32, sliced, reversed, of a subclass, unaligned: each is updated, some in the fast pass."""

    class Own(np.ndarray):
        pass

    unaligned = np.frombuffer(bytearray(33), np.uint8)[1:].view(np.float32)
    assert not unaligned.flags.aligned
    unaligned[:] = 1
    parameters = [
        rng.standard_normal(8).astype(np.float32),
        rng.standard_normal(8),
        np.ones(16, np.float32)[::2],
        np.ones(8, np.float32)[::-1],
        np.ones(8, np.float32).view(Own),
        unaligned,
        np.ones((4, 2), np.float32).T,
    ]
    grads = [np.full(p.shape, 0.5, p.dtype) for p in parameters]
    expected = [p - p.dtype.type(0.1) * g for p, g in zip(parameters, grads, strict=True)]
    kernels.sgd_update_all(parameters, grads, None, lr=0.1)
    for p, value in zip(parameters, expected, strict=True):
        np.testing.assert_array_equal(p, value)


def test_which_rows_the_table_takes(rng):
    fits, other_order = np.ones((2, 3)), np.ones((3, 2)).T
    columns = [[fits, fits.copy(), np.ones(4)[::2]], [np.ones((2, 3)), other_order, np.ones(2)]]
    table, others = tabulate(columns, [True, False])
    assert list(others) == [2] and table.size == 12 and table.columns[1][1].strides == fits.strides
    table, others = tabulate(columns, [True, True])  # one that is written to cannot be copied
    assert list(others) == [1, 2] and table.size == 6
    assert tabulate([[]], [True]) == (None, [])


def test_every_block_is_updated():
    p = np.ones(3 * BLOCK + 1, np.float32)
    kernels.sgd_update_all([p], [np.ones_like(p)], None, lr=0.5)
    np.testing.assert_array_equal(p, 0.5)


def test_addresses(rng):
    arrays = [rng.standard_normal((3, 4)), np.ones(3, np.float32)[::-1], np.zeros(0), np.array(1.0)]
    assert addresses_of(arrays).tolist() == [a.ctypes.data for a in arrays]


@pytest.mark.parametrize("name", NAMES)
def test_wrong_parameters_change_nothing_and_are_named(name):
    good, bad = np.ones(3), np.ones(4)
    columns = [[good, bad], [np.ones(3), np.ones(3)], *[[np.zeros(3), np.zeros(4)]] * KINDS[name][0]]
    for update in (getattr(kernels, f"{name}_update_all"), getattr(reference, f"{name}_update_all")):
        with pytest.raises(ValueError, match=rf"{name}_update: grad must have shape \(4,\)") as caught:
            update(*columns, lr=0.1, **({"step": 1} if "adam" in name else {}))
        assert caught.value.__notes__ == [f"({name}_update_all: in parameter 1 of 2)"]
        np.testing.assert_array_equal(good, 1)
