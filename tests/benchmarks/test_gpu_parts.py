"""What the parts of the command for a GPU are made of: clocks, sides that fail, tests that fail, wrong gradients."""

import json
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import torch

from benchmarks.cases import Case
from benchmarks.gpu import compile_ahead, environment, gradients, kernels, steps, suite, team, timing, training, worker
from benchmarks.gpu.parts import Report, Settings
from benchmarks.kernel_report import Result
from benchmarks.sides import OURS, Measured, Side, take_turns
from benchmarks.work import Work
from minception.models import names
from tests.device.conftest import cupy  # noqa: F401 - a fixture

RELU = Case("relu", "forward", "relu", ((2, 3, 4, 5),), (), "test", 1).to_dict()
TINY = Work("-", "mini_xception", 2, 8)
ON_CPU = Settings(smoke=True, torch_device="cpu")


@pytest.fixture
def report(tmp_path):
    return Report(tmp_path / "report.json")


# Clocks


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


# Sides


def test_our_side_measures_a_case_a_step_and_the_roof(cupy):  # noqa: F811
    side = worker.Ours(smoke=True)
    measure, calls, facts = worker.prepare(side, {"case": RELU})
    assert facts == {"flops": 120, "bytes": 960} and 1 <= calls <= worker.MOST_CALLS
    assert worker.turn(measure, calls) > 0
    measure, calls, facts = worker.prepare(side, {"work": vars(TINY)})
    assert calls == 1 and facts["steps"] >= 1 and measure() > 0 and side.memory() > 0
    _, _, rates = worker.prepare(side, {"roof": True})
    assert rates["flops_per_second"] > 0 and rates["bytes_per_second"] > 0


def test_memory_is_that_of_the_work_alone(cupy):  # noqa: F811
    side = worker.Ours(smoke=True)
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


def test_our_side_has_no_tf32(monkeypatch):
    """CuPy multiplies in TF32 where this variable is set; torch's side does not read it."""
    told = {}

    def fake(name, module, arguments, environment):
        told[name] = arguments, environment

    monkeypatch.setattr(team, "Side", fake)
    sides = team.Team(Settings(smoke=False, torch_device="cuda:0"))
    sides.side(OURS), sides.side("torch")
    assert told == {OURS: ([OURS, "cuda:0"], {"CUPY_TF32": None}), "torch": (["torch", "cuda:0"], None)}


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


# The parts


def test_environment_says_why_there_is_no_torch(monkeypatch):
    assert environment.why_no_torch("cpu") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert environment.why_no_torch("cuda:0") == f"PyTorch {torch.__version__} was built without CUDA"
    monkeypatch.setattr(torch.version, "cuda", "12.9")
    assert environment.why_no_torch("cuda:0") == f"PyTorch {torch.__version__} finds no GPU that it can use"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert environment.why_no_torch("cuda:0") is None
    monkeypatch.setitem(sys.modules, "torch", None)
    assert environment.why_no_torch("cpu").startswith("PyTorch cannot be imported: ")
    assert environment.torch_versions() is None


def test_environment_reads_nvidia_smi(monkeypatch):
    assert environment.version(12090) == "12.9" and environment.version(13000) == "13.0"
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    assert environment.nvidia_smi() is None
    monkeypatch.setattr(environment.shutil, "which", lambda name: name)
    says = types.SimpleNamespace(stdout="NVIDIA H200, 575.57, 700.00 W, 1980 MHz, 3201 MHz, Enabled\n")
    monkeypatch.setattr(environment.subprocess, "run", lambda *arguments, **options: says)
    assert environment.nvidia_smi()["driver_version"] == "575.57"

    def fails(command, **options):
        raise subprocess.CalledProcessError(9, command)

    monkeypatch.setattr(environment.subprocess, "run", fails)
    assert environment.nvidia_smi() is None


TESTS = """
import time, pytest
def test_good(): pass
def test_good_too(): pass
def test_bad(): assert 1 == 2, "one is not two"
@pytest.mark.skip
def test_skipped(): pass
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_outcomes_of_tests_are_counted(tmp_path, processes):
    path = tmp_path / "test_it.py"
    path.write_text(TESTS)
    found = suite.run_tests([str(path)], 60, tmp_path / "record", processes)
    assert {name: found[name] for name in ("collected", "passed", "failed", "skipped", "left_out")} == {
        "collected": 4, "passed": 2, "failed": 1, "skipped": 1, "left_out": 0
    }  # fmt: skip
    assert found["finished"] and not found["stopped"]
    (failure,) = found["failures"]
    assert failure["test"].endswith("test_bad") and "one is not two" in failure["text"]


def test_tests_that_take_too_long_are_ended_and_the_others_count(tmp_path):
    path = tmp_path / "test_it.py"
    path.write_text(TESTS + "def test_slow(): time.sleep(100)\ndef test_never(): pass\n")
    found = suite.run_tests([str(path)], 6, tmp_path / "record", 1)
    assert found["stopped"] and found["passed"] == 2 and found["left_out"] == 2


def test_the_suite_tells_what_fails(report, tmp_path, monkeypatch):
    path, broken = tmp_path / "test_it.py", tmp_path / "test_broken.py"
    path.write_text(TESTS)
    broken.write_text("import no_such_module")
    monkeypatch.setattr(suite, "SMOKE", [("some", [str(path)]), ("none", [str(broken)])])
    suite.run(ON_CPU, report)
    failed, ended = report.problems
    assert failed.startswith("some: ") and failed.endswith("test_bad")
    assert ended.startswith("none: pytest ended early: ") and "no_such_module" in ended
    assert [line.split()[-5:-1] for line in suite.lines(report.result)][1] == ["2", "1", "1", "0"]
    monkeypatch.setattr(suite, "SMOKE", [("late", [str(path)])])
    suite.run(Settings(smoke=True, seconds=0.0), report)
    assert report.notes == ["late: no time was left"]


def test_tests_of_the_suite_exist():
    for _, tests in (*suite.TESTS, *suite.SMOKE):
        for test in tests:
            assert not test.endswith(".py") or (suite.ROOT / test).exists()


def test_gradients_of_a_small_network_are_right():
    assert gradients.error_of("lenet5", "cpu") < gradients.TOLERANCE / 10


@pytest.mark.parametrize("what", ["input", "weight"])
def test_a_wrong_gradient_is_noticed(monkeypatch, report, what):
    """One that is wrong by one percent in one kind of layer."""
    from minception.ops.convolution import Conv2d

    backward = Conv2d.backward

    def wrong(self, grad_output):
        found = backward(self, grad_output)
        factors = {"input": (1.01, 1, 1), "weight": (1, 1.01, 1)}[what]
        return tuple(None if g is None else g * f for g, f in zip(found, factors, strict=True))

    monkeypatch.setattr(Conv2d, "backward", wrong)
    monkeypatch.setattr(gradients, "SMOKE", ("lenet5",))
    gradients.run(ON_CPU, report, "cpu")
    (problem,) = report.problems
    assert problem.startswith("lenet5: off by ") and report.result["lenet5"] > 100 * gradients.TOLERANCE


def test_gradients_that_are_no_numbers_are_a_problem(monkeypatch, report):
    monkeypatch.setattr(gradients, "error_of", lambda name, device: float("nan"))
    gradients.run(ON_CPU, report)
    assert len(report.problems) == len(gradients.SMOKE)


def test_networks_that_there_is_no_time_for_are_named(report):
    gradients.run(Settings(smoke=False, seconds=-1.0), report)
    (note,) = report.notes
    assert report.result == {} and all(name in note for name in names())


def test_cases_are_of_all_networks_and_unlike():
    cases = kernels.chosen_cases(smoke=True)
    assert len({case.name for case in cases}) == len(cases) > 20
    assert all(any(words in case.kind or case.kind.startswith(words) for words in (*kernels.GOALS, "softmax"))
               for case in cases)  # fmt: skip


def result(kind, seconds, torch_seconds, bytes):
    case = Case("relu", "forward", kind, ((1, bytes),), (), "net", 1)
    seconds = {"minception": seconds, **({} if torch_seconds is None else {"torch": torch_seconds})}
    return {**vars(Result(case, seconds, None if torch_seconds is None else "torch", 0, bytes, 0.0)),
            "case": case.to_dict()}  # fmt: skip


def test_table_of_kernels():
    results = [result("relu", 2.0, 1.0, 100), result("max pool", 1.1, None, 100), result("conv 1x1", 1.0, 1.0, 100)]
    roof = {"flops_per_second": 1.0, "bytes_per_second": 100.0, "device": "cuda:0"}
    text = "\n".join(kernels.lines({"roof": roof, "results": json.loads(json.dumps(results))}))
    assert "Above the goal: 1 of 2\n  2.00 instead of 1.00: relu, forward" in text
    assert "at less than 80% of the bandwidth: 1 of 2\n   50%: relu, forward" in text
    (line,) = (line for line in text.splitlines() if "max pool, forward, 1x100" in line)
    assert line.split()[:3] == ["1.1", "1100000.0", "us"]
    assert list(kernels.lines({})) == list(kernels.lines({"roof": roof, "results": []})) == []


def test_work_on_a_gpu_can_be_built():
    for work in steps.WORK:
        assert work.network in names() and work.multiply_accumulates() > 0
    assert {work.network for work in steps.WORK} == {"mini_inception", "mini_xception", "googlenet", "xception"}
    assert {work.batch for work in steps.WORK if work.size == 32} == {128, 512}
    assert len({work.name for work in steps.WORK}) == len(steps.WORK)


class FakeTeam:
    """A team whose sides are ready at once, but for one."""

    asked = []  # noqa: RUF012

    def __init__(self, settings):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def measure(self, names, job, rounds, limit=None):
        FakeTeam.asked.append((*names, job["work"]["name"]))
        able = [name for name in names if name != "torch-compile"]
        return [Measured(name, [1.0, 2.0, 3.0], 10.0) for name in able], {
            name: "not ready within 60 seconds" for name in names if name not in able
        }


def test_steps_beside_eager_come_before_those_beside_compiled(report, monkeypatch):
    FakeTeam.asked.clear()
    monkeypatch.setattr(steps, "Team", FakeTeam)
    monkeypatch.setattr(steps, "WORK", steps.WORK[:2])
    steps.run(Settings(torch_device="cpu"), report)
    eager, compiled = (OURS, *steps.EAGER), (OURS, *steps.COMPILED)
    assert FakeTeam.asked == [(*sides, work.name) for sides in (eager, compiled) for work in steps.WORK]
    assert report.problems == [] and len(report.notes) == 2 and "torch-compile: not ready" in report.notes[0]
    text = "\n".join(steps.lines(report.result))
    assert text.count("torch-compile                  left out") == 2 and "1.00*" in text


def test_steps_end_in_time(report, monkeypatch):
    monkeypatch.setattr(steps, "Team", FakeTeam)
    steps.run(Settings(torch_device="cpu", seconds=1.0), report)
    assert len(report.notes) == 2 and "no time was left for mini_inception" in report.notes[0]


def test_our_side_that_fails_is_a_problem(report):
    failing = types.SimpleNamespace(measure=lambda *arguments: ([], {OURS: "OutOfMemoryError: ...", "torch": "x"}))
    steps.measure(failing, steps.SMOKE_WORK[0], ("torch",), 2, 10, report)
    kernels.measure(failing, Case.from_dict(RELU), ("torch",), 2, report)
    assert len(report.problems) == len(report.notes) == 2
    assert all("OutOfMemoryError" in problem for problem in report.problems)


def test_networks_are_compiled_ahead(report, monkeypatch):
    compile_ahead.run(ON_CPU, report)
    assert report.result == {}
    monkeypatch.setattr(compile_ahead, "Team", FakeTeam)
    compile_ahead.run(Settings(torch_device="cpu"), report)
    assert report.result == {work.name: "not ready within 60 seconds" for work in steps.WORK}


def test_training_needs_cifar_where_it_is_said_to_be(report, tmp_path):
    with pytest.raises(ValueError, match=f"--data-dir {tmp_path}: CIFAR-10 is not there"):
        training.run(Settings(data_dir=str(tmp_path)), report)
    with pytest.raises(ValueError, match="is not there"):
        training.require_cifar10(tmp_path / "no such folder")


@pytest.mark.parametrize(
    ("code", "accuracy", "problem"), [(0, 0.5, None), (0, 0.1, "it learned nothing: 10.0%"), (1, 0.5, "exit status 1")]
)
def test_training_on_cifar(report, tmp_path, monkeypatch, code, accuracy, problem):
    rows = [{"epoch": 1, "seconds": 1.0, "images_per_second": 1.0, "train_loss": 1.0, "test_loss": 1.0,
             "test_accuracy": accuracy}]  # fmt: skip

    def fake(command, **options):
        folder = training.Path(command[command.index("--output") + 1])
        folder.mkdir()
        (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert command[command.index("--data-dir") + 1] == str(tmp_path) and "cuda:0" in command
        return types.SimpleNamespace(returncode=code, stderr="why")

    monkeypatch.setattr(training, "require_cifar10", lambda folder: None)
    monkeypatch.setattr(training.subprocess, "run", fake)
    training.run(Settings(data_dir=str(tmp_path)), report)
    assert report.result["epochs"] == rows and report.result["data"] == f"CIFAR-10 from {tmp_path}"
    assert report.problems == [] if problem is None else report.problems[0].startswith(problem)


def test_training_that_takes_too_long(report, monkeypatch):
    def late(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(training.subprocess, "run", late)
    training.run(Settings(seconds=7.0), report)
    assert report.problems == ["it was not done after 7 seconds"] and report.result["epochs"] == []
