"""What the parts of the command for a GPU find, and what they say of what fails, is wrong, or takes too long."""

import json
import subprocess
import sys
import types

import pytest
import torch

from benchmarks.cases import Case
from benchmarks.gpu import compile_ahead, environment, gradients, kernels, steps, suite, training
from benchmarks.gpu.parts import Report, Settings
from benchmarks.kernel_report import Result
from benchmarks.sides import OURS, Measured
from minception.models import names

RELU = Case("relu", "forward", "relu", ((2, 3, 4, 5),), (), "test", 1).to_dict()
ON_CPU = Settings(smoke=True, torch_device="cpu")


@pytest.fixture
def report(tmp_path):
    return Report(tmp_path / "report.json")


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
    found = suite.run_tests([str(path)], 10, tmp_path / "record", 1)
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


def result(kind, seconds, torch_seconds, bytes, precision=None):
    case = Case("relu", "forward", kind, ((1, bytes),), (), "net", 1)
    seconds = {"minception": seconds, **({} if torch_seconds is None else {"torch": torch_seconds})}
    return {**vars(Result(case, seconds, None if torch_seconds is None else "torch", 0, bytes, 0.0, precision)),
            "case": case.to_dict()}  # fmt: skip


def test_table_of_kernels():
    results = [result("relu", 2.0, 1.0, 100), result("max pool", 1.1, None, 100), result("conv 1x1", 1.0, 1.0, 100)]
    results.append(result("conv 3x3", 3.0, 1.0, 100, "tf32"))
    roofs = {name: {"flops_per_second": 1.0, "bytes_per_second": 100.0} for name in ("float32", "tf32")}
    text = "\n".join(kernels.lines(json.loads(json.dumps({"roofs": roofs, "results": results}))))
    assert "Above the goal: 1 of 2\n  2.00 instead of 1.00: relu, forward" in text
    assert "at less than 80% of the bandwidth: 1 of 2\n   50%: relu, forward" in text
    assert "Above the goal: 1 of 1\n  3.00 instead of 1.43: tf32: conv 3x3, forward" in text
    assert text.index("cuda:0, float32: ") < text.index("cuda:0, tf32: ")
    (line,) = (line for line in text.splitlines() if "max pool, forward, 1x100" in line)
    assert line.split()[:3] == ["1.1", "1100000.0", "us"]
    assert list(kernels.lines({})) == list(kernels.lines({"roofs": roofs, "results": []})) == []


def test_dense_convolutions_are_measured_in_tf32_too():
    work = kernels.chosen_work(smoke=True)
    assert [precision for precision, _ in work] == [None] * (len(work) - 1) + ["tf32"]
    assert work[-1][1].operation == "conv2d"


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
    lots = [steps.WORK[:2], steps.WORK[2:4]]
    monkeypatch.setattr(steps, "LOTS", lots)
    steps.run(Settings(torch_device="cpu"), report)
    eager = OURS, f"{OURS}-tf32", f"{OURS}-bfloat16", "torch", "torch-tf32", "torch-channels_last-autocast"
    compiled = OURS, f"{OURS}-graph", f"{OURS}-bfloat16-graph", "torch-compile"
    assert FakeTeam.asked == [(*sides, w.name) for lot in lots for sides in (eager, compiled) for w in lot]
    assert report.problems == [] and len(report.notes) == 4 and "torch-compile: not ready" in report.notes[0]
    text = "\n".join(steps.lines(report.result))
    assert text.count("torch-compile                  left out") == 4


def test_table_of_steps_compares_the_same_precision():
    sides = [
        {"side": side, "median": seconds, "spread": 0.0, "memory": 1.0}
        for side, seconds in ((OURS, 8.0), (f"{OURS}-tf32", 6.0), ("torch", 4.0), ("torch-tf32", 2.0))
    ]
    work = {"name": "w", "multiply_accumulates": 2e12, "sides": sides, "left_out": {}}
    found = {line.split()[1]: line.split() for line in steps.lines({"works": [work]}) if line.startswith("w ")}
    assert found["torch"][5] == "2.00" and found["torch-tf32"][5] == "3.00"
    assert found[OURS][-2:] == ["0.50", "TFLOP/s"]


def test_steps_end_in_time(report, monkeypatch):
    monkeypatch.setattr(steps, "Team", FakeTeam)
    steps.run(Settings(torch_device="cpu", seconds=1.0), report)
    (note,) = report.notes
    assert "no time was left for mini_inception" in note and "beside torch-compile" in note


def test_our_side_that_fails_is_a_problem(report):
    failing = types.SimpleNamespace(measure=lambda *arguments: ([], {OURS: "OutOfMemoryError: ...", "torch": "x"}))
    steps.measure(failing, steps.SMOKE_LOTS[0][0], ("torch",), 2, 10, report)
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
