"""Memory of large arrays is used again once nobody can see it any more, and only then; what is kept has a ceiling."""

import gc
import threading

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import minception as mc
import minception.functional as F
from minception import models, optim
from minception.kernels import workspace

MIB = 1 << 20


@pytest.fixture(autouse=True)
def fresh():
    limit = mc.get_workspace_limit()
    mc.set_workspace_limit(1 << 30)
    mc.empty_cache()
    yield
    mc.set_workspace_limit(limit)
    mc.empty_cache()


def address(array):
    return array.__array_interface__["data"][0]


def is_ours(array):
    return not array.flags.owndata


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(MIB,), (3, 1000, 999), (2, 64, 64, 33, 2)])
def test_array_is_an_ordinary_one(shape, dtype):
    array = workspace.empty(shape, dtype)
    assert type(array) is np.ndarray and array.shape == shape and array.dtype == dtype
    assert array.flags.c_contiguous and array.flags.writeable and address(array) % 16 == 0
    array[...] = 1
    assert (array == 1).all()


@pytest.mark.parametrize("shape", [(), (0,), (0, MIB), (5, 7), (MIB - 1,)])
def test_small_arrays_are_numpys(shape):
    assert not is_ours(workspace.empty(shape, np.uint8))


def test_freed_memory_is_used_again():
    array = workspace.empty((MIB,), np.float32)
    before = address(array)
    del array
    again = workspace.empty((2, MIB // 4), np.float64)  # as many bytes
    assert address(again) == before


def test_size_is_rounded_up_by_an_eighth_at_most():
    for size in [MIB, MIB + 1, 3 * MIB - 7, 10**7, 2**25 + 1]:
        array = workspace.empty((size,), np.uint8)
        del array
        (kept,) = (memory.size for blocks in workspace._free.blocks.values() for memory in blocks)
        assert size <= kept <= size * 1.125 + 1
        mc.empty_cache()


VIEWS = {
    "transposed": lambda a: a.T,
    "slice": lambda a: a[1:, ::2],
    "slice of a view": lambda a: a.reshape(-1)[5:][::3],
    "other dtype": lambda a: a.view(np.int32),
    "buffer": memoryview,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "tensor": lambda a: mc.from_numpy(a),
}


@pytest.mark.parametrize("name", VIEWS)
def test_memory_in_sight_is_not_used_again(name):
    array = workspace.empty((1024, 1024), np.float32)
    before = address(array)
    view = VIEWS[name](array)
    del array
    gc.collect()
    other = workspace.empty((1024, 1024), np.float32)
    assert address(other) != before
    del view
    assert address(workspace.empty((1024, 1024), np.float32)) == before


def test_ceiling():
    mc.set_workspace_limit(3 * MIB)
    arrays = [workspace.empty((MIB,), np.uint8) for _ in range(5)]
    arrays.clear()
    assert workspace._free.kept == 3 * MIB
    mc.set_workspace_limit(2 * MIB)
    assert workspace._free.kept == 2 * MIB and mc.get_workspace_limit() == 2 * MIB
    mc.empty_cache()
    assert workspace._free.kept == 0


def test_no_memory_is_kept_above_the_ceiling():
    mc.set_workspace_limit(MIB)
    assert not is_ours(workspace.empty((2 * MIB,), np.uint8))
    mc.set_workspace_limit(0)
    assert not is_ours(workspace.empty((MIB,), np.uint8))


def test_sizes_out_of_use_leave_first():
    mc.set_workspace_limit(6 * MIB)
    old, new = workspace.empty((4 * MIB,), np.uint8), workspace.empty((2 * MIB,), np.uint8)
    del old, new
    extra = [workspace.empty((2 * MIB,), np.uint8) for _ in range(2)]
    extra.clear()
    assert [size for size, blocks in workspace._free.blocks.items() if blocks] == [2 * MIB]


def test_nothing_kept():
    with workspace.nothing_kept():
        assert mc.get_workspace_limit() == 0 and not is_ours(workspace.empty((MIB,), np.uint8))
    assert mc.get_workspace_limit() == 1 << 30


class Allocations(RuleBasedStateMachine):
    """Arrays come and go in any order, and each keeps what was written to it."""

    def __init__(self):
        super().__init__()
        mc.empty_cache()
        mc.set_workspace_limit(8 * MIB)
        self.arrays = {}
        self.count = 0

    @rule(size=st.sampled_from([MIB, MIB + 9, 2 * MIB, 3 * MIB]))
    def allocate(self, size):
        self.count += 1
        array = workspace.empty((size,), np.uint8)
        array[...] = self.count % 251
        self.arrays[self.count] = array

    @precondition(lambda self: self.arrays)
    @rule(data=st.data())
    def free(self, data):
        del self.arrays[data.draw(st.sampled_from(sorted(self.arrays)))]

    @precondition(lambda self: self.arrays)
    @rule(data=st.data())
    def keep_a_view(self, data):
        key = data.draw(st.sampled_from(sorted(self.arrays)))
        self.arrays[key] = self.arrays[key][len(self.arrays[key]) // 2 :]

    @rule(limit=st.sampled_from([0, 2 * MIB, 8 * MIB]))
    def set_limit(self, limit):
        mc.set_workspace_limit(limit)

    @invariant()
    def contents_stay(self):
        for number, array in self.arrays.items():
            assert (array == number % 251).all()

    @invariant()
    def kept_below_the_ceiling(self):
        free = workspace._free
        assert free.kept == sum(size * len(blocks) for size, blocks in free.blocks.items()) <= free.limit


TestAllocations = Allocations.TestCase
TestAllocations.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_threads():
    """Arrays of several threads never share memory."""
    wrong = []

    def work(number):
        rng = np.random.default_rng(number)
        mine = []
        for _ in range(150):
            array = workspace.empty((MIB,), np.uint8)
            array[...] = number
            mine.append(array)
            if rng.random() < 0.7:
                wrong.extend(n for n in (mine.pop(rng.integers(len(mine))).min(),) if n != number)
            if len(mine) > 4:
                wrong.extend(n for a in mine for n in (a.min(), a.max()) if n != number)
                mine.clear()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert workspace._free.kept == sum(size * len(blocks) for size, blocks in workspace._free.blocks.items())


def _training(model, images, labels):
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def test_training_asks_for_nothing_after_its_first_steps(monkeypatch):
    asked = []
    original = workspace._Memory.__init__

    def count(self, size):
        asked.append(size)
        original(self, size)

    monkeypatch.setattr(workspace._Memory, "__init__", count)
    mc.manual_seed(0)
    images = mc.Tensor(np.random.default_rng(0).standard_normal((32, 3, 32, 32)).astype(np.float32))
    step = _training(models.mini_xception(), images, np.arange(32) % 10)
    for _ in range(2):
        step()
    assert asked
    asked.clear()
    for _ in range(2):
        step()
    assert not asked


def test_training_has_the_same_bits_without():
    images = mc.Tensor(np.random.default_rng(0).standard_normal((32, 3, 32, 32)).astype(np.float32))
    losses = []
    for limit in (0, 1 << 30):
        mc.set_workspace_limit(limit)
        mc.manual_seed(0)
        step = _training(models.mini_inception(dropout=0.0), images, np.arange(32) % 10)
        losses.append([step() for _ in range(3)])
    assert losses[0] == losses[1]


def test_gradients_in_such_memory_are_added_up_in_place(monkeypatch):
    """As those in memory of their own are."""
    found = []
    original = mc.kernels.conv2d_backward_input

    def spy(*args, add_to=None, **options):
        found.append(add_to is not None)
        return original(*args, add_to=add_to, **options)

    monkeypatch.setattr(mc.kernels, "conv2d_backward_input", spy)
    rng = np.random.default_rng(0)
    shapes = [(4, 32, 64, 64), (8, 32, 1, 1), (8, 32, 3, 3)]
    x, *weights = (mc.Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes)
    hidden = F.relu(x)
    F.cat([F.conv2d(hidden, weights[0]), F.conv2d(hidden, weights[1], padding=1)], 1).sum().backward()
    assert found == [False, True]
