"""The command for a machine with a GPU, without one: each of its parts runs on the stand-in for CuPy.

Times mean nothing here. PyTorch computes on the CPU.
"""

import json
import os
import subprocess
import sys
import time

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import parts
from benchmarks.gpu.parts import PARTS, Part, Report, Settings, run_part, write
from benchmarks.gpu.text import text_of
from tests.device.conftest import cupy  # noqa: F401 - a fixture

from .conftest import ROOT

TORCH_ON_CPU = ("--torch-device", "cpu")


def run_command(environment, *arguments):
    """(the finished process, the report) of a smoke run."""
    out = os.path.join(environment["TMPDIR"], "report")
    line = [sys.executable, "-m", "benchmarks.gpu", "--smoke", "--out", out, *arguments]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    with open(f"{out}.json") as file:
        report = json.load(file)
    with open(f"{out}.txt") as file:
        assert file.read() == text_of(report) + "\n"
    return done, report


@pytest.fixture
def machine(with_stand_in, tmp_path):
    """Environment variables of a machine with a GPU, as far as Python can see."""
    return {**with_stand_in, "TMPDIR": str(tmp_path)}


def test_every_part_runs(machine):
    done, report = run_command(machine, *TORCH_ON_CPU, "--minutes", "30")
    records = report["parts"]
    assert list(records) == list(PARTS)
    assert {name: (r["status"], r["error"], r["problems"]) for name, r in records.items()} == dict.fromkeys(
        PARTS, ("ok", None, [])
    )
    assert done.returncode == 0
    results = {name: record["result"] for name, record in records.items()}
    assert results["environment"]["gpu"] == "Stand-in 0" and results["environment"]["without torch"] is None
    assert all(found["passed"] > 0 and found["failed"] == 0 for found in results["suite"].values())
    assert set(results["gradients"]) == {"lenet5", "mini_xception"}
    cases = results["kernels"]["results"]
    assert len(cases) > 20 and all("minception" in c["seconds"] and c["best"] in c["seconds"] for c in cases)
    assert all(case["flops"] >= 0 and case["bytes"] > 0 for case in cases)
    assert [case["precision"] for case in cases] == [None] * (len(cases) - 1) + ["tf32"]
    roofs = results["kernels"]["roofs"]
    assert list(roofs) == ["float32", "tf32"] and all(rate > 0 for roof in roofs.values() for rate in roof.values())
    (work,) = results["steps"]["works"]
    ours = ["minception", "minception-tf32", "minception-bfloat16"]
    assert [side["side"] for side in work["sides"]] == [*ours, "torch", "torch-tf32", "torch-channels_last-autocast"]
    assert all(len(side["seconds"]) == 2 and min(side["seconds"]) > 0 for side in work["sides"])
    assert work["sides"][0]["memory"] > 0
    (epoch,) = results["training"]["epochs"]
    assert epoch["train_loss"] > 0 and "synthetic" in results["training"]["data"]
    text = text_of(report)
    for words in ("SMOKE", "PyTorch computed on the CPU", "conv 3x3, forward", "TFLOP/s", "lenet5", "images/s"):
        assert words in text
    assert "no table" not in text


def test_columns_of_torch_are_empty_where_it_has_no_cuda(machine):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this PyTorch has CUDA")
    done, report = run_command(machine, "--only", "environment", "kernels", "steps", "--minutes", "30")
    assert done.returncode == 0
    reason = f"columns of PyTorch are empty: PyTorch {torch.__version__} was built without CUDA"
    for name in ("environment", "kernels", "steps"):
        assert report["parts"][name]["notes"][0] == reason
    results = report["parts"]["kernels"]["result"]["results"]
    assert results and all(r["best"] is None and set(r["seconds"]) == {"minception"} for r in results)
    (work,) = report["parts"]["steps"]["result"]["works"]
    assert [side["side"] for side in work["sides"]] == ["minception"]


def test_without_a_gpu(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert command.main([]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("python -m benchmarks.gpu needs an NVIDIA GPU and CuPy: CuPy is not")
    assert list(tmp_path.iterdir()) == []


def test_what_was_done_before_ctrl_c_is_kept(cupy, monkeypatch, capsys, tmp_path):  # noqa: F811
    monkeypatch.chdir(tmp_path)

    def fake(part, settings, seconds):
        if part.name != "environment":
            raise KeyboardInterrupt
        return {"what": "", "module": part.module, "status": "ok", "seconds": 1.0, "error": None, "problems": [],
                "notes": [], "result": {"gpu": "one"}}  # fmt: skip

    monkeypatch.setattr(command, "run_part", fake)
    assert command.main(["--out", "it.json", "--only", "environment", "kernels"]) == 130
    assert "interrupted; 1 of 2 parts are written" in capsys.readouterr().err
    assert list(json.loads((tmp_path / "it.json").read_text())["parts"]) == ["environment"]


@pytest.mark.parametrize("options", [["--only", "no such part"], ["--minutes", "0"], ["--minutes", "soon"]])
def test_wrong_options(options, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(options)
    assert caught.value.code == 2 and options[0] in capsys.readouterr().err


def of_tests(name, seconds=60):
    """A part of `tests.benchmarks.parts`."""
    return Part(name, f"that is {name}", seconds, "tests.benchmarks.parts")


def ended(pid):
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_part_that_does_what_it_should(with_stand_in):
    record = run_part(of_tests("good"), Settings(), 60)
    assert record["status"] == "ok" and record["error"] is None and record["notes"] == ["a note"]
    assert record["result"] == {"seconds": 55.0}, "it is told to be done before its deadline"
    assert 0 < record["seconds"] < 60


def test_a_part_that_raises_keeps_what_it_found(with_stand_in):
    record = run_part(of_tests("raising"), Settings(), 60)
    assert (record["status"], record["error"]) == ("failed", "ValueError: what went wrong")
    assert record["result"] == {"found": 1} and "in run" in record["traceback"]


def test_a_part_with_a_problem_fails(with_stand_in):
    record = run_part(of_tests("wrong"), Settings(), 60)
    assert (record["status"], record["error"], record["problems"]) == ("failed", None, ["a problem"])


def test_a_part_whose_process_crashes(with_stand_in):
    record = run_part(of_tests("crashing"), Settings(), 60)
    assert record["status"] == "failed" and record["error"].startswith("its process ended with signal 11: last words")


def test_a_part_that_is_too_slow_is_ended_with_all_that_it_started(with_stand_in):
    started = time.monotonic()
    record = run_part(of_tests("slow"), Settings(), 5)
    assert time.monotonic() - started < 30
    assert (record["status"], record["error"]) == ("stopped", "it was not done after 5 seconds")
    deadline = time.monotonic() + 10
    while not ended(record["result"]["child"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ended(record["result"]["child"])


def test_the_other_parts_go_on(with_stand_in, tmp_path, capsys):
    """And each finished part is in the files at once."""
    report = {"date": "today", "settings": {"smoke": False, "torch_device": "cuda:0"}, "parts": {}}
    chosen, out, saved = [of_tests(name) for name in ("raising", "wrong", "crashing", "good")], tmp_path / "out", []

    def save():
        command.save(out, report)
        saved.append(len(json.loads((tmp_path / "out.json").read_text())["parts"]))

    command.run_parts(chosen, Settings(), 1.0, report, save)
    assert saved == [1, 2, 3, 4]
    assert [record["status"] for record in report["parts"].values()] == ["failed", "failed", "failed", "ok"]
    text = (tmp_path / "out.txt").read_text()
    for words in (
        "== raising: that is raising: failed", "error: ValueError: what went wrong\nfound 1", "problem: a problem",
        "no table: KeyError: 'no such column'", "signal 11", "note: a note\ntold",
    ):  # fmt: skip
        assert words in text, text
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.json", "out.txt"]


def test_time_that_is_left_over_is_given_on(monkeypatch):
    told = []

    def fake(part, settings, seconds):
        told.append(seconds)
        return {"status": "ok", "seconds": 4.0}

    monkeypatch.setattr(command, "run_part", fake)
    command.run_parts([of_tests(name, 10) for name in "abc"], Settings(), 0.5, {"parts": {}}, lambda: None)
    assert told == [5.0, 6.0, 7.0]


def test_parts_are_done_in_time():
    assert sum(part.seconds for part in PARTS.values()) <= 60 * parts.MINUTES
    for part in PARTS.values():
        assert os.path.exists(ROOT / "benchmarks" / "gpu" / f"{part.name}.py")


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path, "old")

    def fails(self, text):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "write_text", fails)
        with pytest.raises(OSError):
            write(path, "new")
    assert path.read_text() == "old"
    write(path, "new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_table_is_made_of_whatever_there_is():
    """Parts that were ended before they had found anything."""
    empty = {"status": "stopped", "seconds": 1.0, "error": "late", "problems": [], "notes": [], "result": {}}
    records = {name: {**empty, "what": part.what, "module": part.module} for name, part in PARTS.items()}
    text = text_of({"date": "", "settings": {"smoke": False, "torch_device": "cuda:0"}, "parts": records})
    assert "no table" not in text and text.count("error: late") == len(PARTS)


def test_a_report_is_saved_with_what_it_has(tmp_path):
    report = Report(tmp_path / "report.json")
    report.result["a"] = 1
    report.save()
    found = json.loads((tmp_path / "report.json").read_text())
    assert found == {"result": {"a": 1}, "problems": [], "notes": [], "error": None, "traceback": None}
