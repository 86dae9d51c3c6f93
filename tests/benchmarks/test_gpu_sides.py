"""What compares on a GPU: clocks, and sides that take turns, fail, are late, and compute in a precision."""

import time
import types

import numpy as np
import pytest
import torch

import minception as mc
from benchmarks import ours
from benchmarks.cases import Case
from benchmarks.gpu import team, timing, worker
from benchmarks.gpu.parts import Settings
from benchmarks.sides import OURS, Side, take_turns
from benchmarks.work import Work
from tests.device.conftest import cupy  # noqa: F401 - a fixture
from tests.kept_settings import settings_kept

CONV = (("dilation", (1, 1)), ("groups", 1), ("padding", (1, 1)), ("stride", (1, 1)))
RELU = Case("relu", "forward", "relu", ((2, 3, 4, 5),), (), "test", 1).to_dict()
TINY = Work("-", "mini_xception", 2, 8)
ON_CPU = Settings(smoke=True, torch_device="cpu")


@pytest.fixture(autouse=True)
def kept():
    with settings_kept():
        yield


class FakeEvent:
    """An event that says what is done when, and when it was recorded."""

    done = []  # noqa: RUF012

    def __init__(self, enable_timing=None):
        self.at = None

    def record(self, stream=None):
        FakeEvent.done.append("mark")
        self.at = len([what for what in FakeEvent.done if what == "mark"])

    def synchronize(self):
        FakeEvent.done.append("wait")

    def elapsed_time(self, other):
        return 1000.0 * (other.at - self.at)


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_events_are_around_the_call_and_the_cache_is_read_before(cupy, monkeypatch, library):  # noqa: F811
    FakeEvent.done.clear()
    if library == "cupy":
        clock = timing.CupyClock(1 << 12)
        monkeypatch.setattr(cupy.cuda, "Event", FakeEvent)
        monkeypatch.setattr(cupy.cuda, "get_elapsed_time", lambda start, stop: start.elapsed_time(stop))
    else:
        clock = timing.TorchClock("cuda:0", 1 << 12)
        monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(clock, "fill", lambda: FakeEvent.done.append("fill"))
    assert clock.seconds(lambda: FakeEvent.done.append("call")) == 1.0
    assert FakeEvent.done == ["fill", "mark", "call", "mark", "wait"]


def test_the_buffer_is_larger_than_any_cache(cupy):  # noqa: F811
    assert timing.BUFFER_BYTES > 8 * 60e6
    clock = timing.CupyClock(1 << 12)
    clock.fill()
    assert isinstance(clock.buffer, cupy.ndarray) and clock.buffer.nbytes == 1 << 12
    clock = timing.TorchClock("cpu", 1 << 12)
    clock.fill()
    assert clock.buffer.nbytes == 1 << 12
    assert clock.seconds(lambda: time.sleep(0.01)) >= 0.01


def test_steps_are_waited_for():
    events = []
    clock = types.SimpleNamespace(wait=lambda: events.append("wait"))
    seconds = timing.seconds_of_calls(clock, lambda: (events.append("call"), time.sleep(0.01)), 3)
    assert events == ["wait", "call", "call", "call", "wait"] and 0.01 <= seconds < 0.03


def test_our_side_measures_a_case_a_step_and_the_roof(cupy):  # noqa: F811
    side = worker.Ours(OURS, smoke=True)
    measure, calls, facts = worker.prepare(side, {"case": RELU})
    assert facts == {"flops": 120, "bytes": 960} and 1 <= calls <= worker.MOST_CALLS
    assert worker.turn(measure, calls) > 0
    measure, calls, facts = worker.prepare(side, {"work": vars(TINY)})
    assert calls == 1 and facts["steps"] >= 1 and measure() > 0 and side.memory() > 0
    _, _, rates = worker.prepare(side, {"roof": True})
    assert rates["flops_per_second"] > 0 and rates["bytes_per_second"] > 0


@pytest.mark.parametrize("precision", [None, "tf32", "bfloat16"])
def test_our_side_has_a_precision(cupy, precision):  # noqa: F811
    """In which convolutions run: the convolution by a number that it rounds to 1 differs then."""
    side = worker.Ours(OURS if precision is None else f"{OURS}-{precision}", smoke=True)
    assert mc.get_precision() == (precision or "float32")
    case = Case("conv2d", "forward", "conv 3x3", ((1, 2, 4, 4), (2, 2, 3, 3)), CONV, "test", 1)
    function, facts = side.prepare_case(case)
    rounded = mc.kernels.reference.conv2d(ours.images(case.shapes[0]), ours.draw(case.shapes[1], 1), padding=1)
    assert (abs(function().get() - rounded).max() > 1e-5) == (precision is not None)
    assert facts["flops"] == 2 * 2 * 16 * 2 * 9


@pytest.mark.parametrize("mode", [f"{OURS}-graph", f"{OURS}-bfloat16-graph"])
def test_our_side_takes_steps_as_graphs(cupy, monkeypatch, mode):  # noqa: F811
    replays, replay = [], mc.cuda.CUDAGraph.replay
    monkeypatch.setattr(mc.cuda.CUDAGraph, "replay", lambda self: replays.append(replay(self)))
    side = worker.Ours(mode, smoke=True)
    assert mc.get_precision() == ("bfloat16" if "bfloat16" in mode else "float32")
    measure, _, _ = worker.prepare(side, {"work": vars(TINY)})
    before = len(replays)
    assert measure() > 0 and len(replays) > before


def test_memory_is_that_of_the_work_alone(cupy):  # noqa: F811
    side = worker.Ours(OURS, smoke=True)
    side.clock.fill()
    large = cupy.zeros(1 << 20, np.uint8)
    assert side.memory() >= 1.0
    del large
    side.forget()
    assert side.memory() < 1.0 and side.clock.buffer is None


@pytest.mark.parametrize("mode", ["torch", "torch-channels_last", "torch-channels_last-autocast", "torch-tf32"])
def test_the_side_of_torch(mode):
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    flags = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    try:
        side = worker.Torchs(mode, "cpu", smoke=True)
        assert torch.backends.cudnn.allow_tf32 == ("tf32" in mode) and torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == ("high" if "tf32" in mode else "highest")
        measure, calls, facts = worker.prepare(side, {"case": RELU})
        assert worker.turn(measure, calls) > 0 and facts == {}
        measure, calls, facts = worker.prepare(side, {"work": vars(TINY)})
        assert measure() > 0 and torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = flags


def test_a_side_that_fails_is_started_again(with_stand_in):
    with team.Team(ON_CPU) as sides:
        measured, reasons = sides.measure([OURS, "torch"], {"case": {**RELU, "operation": "sinh"}}, 1)
        assert measured == [] and reasons == dict.fromkeys([OURS, "torch"], "KeyError: 'sinh'")
        assert sides.sides == {}
        measured, reasons = sides.measure([OURS, "torch"], {"case": RELU}, 2)
        assert [side.side for side in measured] == [OURS, "torch"] and reasons == {}
        assert all(len(side.seconds) == 2 for side in measured) and measured[0].facts["bytes"] == 960
        processes = [side.process for side in sides.sides.values()]
    assert all(process.poll() == 0 for process in processes)


def test_a_side_that_fails_in_its_turn_is_left_out_and_the_others_go_on():
    class Fake:
        def __init__(self, side, turns):
            self.side, self.turns = side, turns

        def ask(self, job, limit=None):
            if "turn" not in job:
                return {"ready": True, "bytes": 1}
            if not self.turns:
                raise RuntimeError("an illegal memory access")
            self.turns -= 1
            return {"seconds": 1.0, "memory": 2.0}

    told = []
    sides = [Fake("good", 9), Fake("bad", 1), Fake("good too", 9)]
    measured = take_turns(sides, {"case": 1}, 3, lambda *words: told.append(words))
    assert [(m.side, m.seconds, m.memory) for m in measured] == [(n, [1.0] * 3, 2.0) for n in ("good", "good too")]
    assert told == [("bad", "an illegal memory access")]


def test_our_side_has_tf32_only_where_it_is_asked_for(monkeypatch):
    """CuPy multiplies in TF32 where this variable is set; torch's side does not read it."""
    told = {}

    def fake(name, module, arguments, environment):
        told[name] = arguments, environment

    monkeypatch.setattr(team, "Side", fake)
    sides = team.Team(Settings(smoke=False, torch_device="cuda:0"))
    for name in (OURS, f"{OURS}-tf32", f"{OURS}-bfloat16", "torch-tf32"):
        sides.side(name)
        assert told[name][0] == [name, "cuda:0"]
    assert [environment for _, environment in told.values()] == [
        {"CUPY_TF32": None}, {"CUPY_TF32": "1"}, {"CUPY_TF32": None}, None
    ]  # fmt: skip


def test_a_side_gets_its_environment(with_stand_in, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "1")
    for given, seen in ((None, "1"), ({"CUPY_TF32": None}, None), ({"CUPY_TF32": "0"}, "0")):
        side = Side("x", "tests.benchmarks.parts.environment", ["CUPY_TF32"], given)
        assert side.ask({}) == {"value": seen}
        side.end()


def test_a_side_that_is_not_ready_in_time_is_ended(with_stand_in):
    side = Side("silent", "tests.benchmarks.parts.silent", [])
    with pytest.raises(RuntimeError, match="not ready within 1 seconds"):
        side.ask({"work": 1}, limit=1)
    side.end()
    assert side.process.poll() is not None
