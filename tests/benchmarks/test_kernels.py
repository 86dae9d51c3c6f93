"""The benchmark of single kernels: its cases, that both sides do the same, and its sums; not the times."""

import json

import numpy as np
import pytest
import torch

from benchmarks import in_torch, ours
from benchmarks.cases import DIRECTIONS, Case, all_cases, cases_of, heaviest_cases
from benchmarks.cpu import kernels
from benchmarks.cpu.compare import sides_of
from benchmarks.cpu.sources import QUICK, SOURCES
from benchmarks.kernel_report import Result, report
from benchmarks.sides import take_turns
from minception.study import Roof
from minception.study.profile_costs import cost_of_kernel

SMALL = [("mini_inception", 3, 32, {}, tuple(DIRECTIONS)), ("mini_xception", 3, 32, {}, tuple(DIRECTIONS))]
WINDOW = (("ceil_mode", False), ("kernel_size", (3, 3)), ("padding", (1, 1)), ("stride", (2, 2)))
CONV = (("dilation", (1, 1)), ("groups", 1), ("padding", (1, 0)), ("stride", (2, 1)))
X = (3, 8, 7, 6)
TINY = {
    "conv2d": ((X, (4, 8, 3, 3)), CONV),
    "depthwise_conv2d": ((X, (8, 1, 3, 3)), CONV),
    "batch_norm_relu": ((X,), ()),
    "max_pool2d": ((X,), (*WINDOW, ("dilation", (1, 1)))),
    "avg_pool2d": ((X,), (*WINDOW, ("count_include_pad", True))),
    "global_avg_pool2d": ((X,), ()),
    "relu": ((X,), ()),
    "local_response_norm": ((X,), (("size", 5), ("alpha", 0.1), ("beta", 0.75), ("k", 2.0))),
    "add": ((X,), ()),
    "concatenate": ((X, (3, 2, 7, 6)), ()),
    "softmax_cross_entropy": (((5, 4),), ()),
    "sgd": ((X, (4,)), ()),
    "adam": ((X, (4,)), ()),
}


def tiny(operation, direction):
    shapes, options = TINY[operation]
    return Case(operation, direction, operation, shapes, options, "test", 1)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("operation", "direction"), [(name, d) for name, all_of in DIRECTIONS.items() for d in all_of])
def test_both_sides_do_the_same(operation, direction, channels_last):
    case = tiny(operation, direction)
    found = ours.prepare(case)()
    found = found[0] if isinstance(found, tuple) else found
    with torch.no_grad():
        expected = in_torch.prepare(case, channels_last)().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_floor():
    case = tiny("conv2d", "weight gradient")
    x, weight, grad = (np.zeros(shape, np.float32) for shape in (X, (4, 8, 3, 3), (3, 4, 4, 4)))
    expected = cost_of_kernel("conv2d_backward_weight", (grad, x, weight.shape), {}, weight)
    assert ours.floor(ours.prepare(case)) == (expected.flops, expected.bytes)


def test_cases_of_networks():
    cases = all_cases(SMALL)
    assert len({case.name for case in cases}) == len(cases)
    assert {case.operation for case in cases} == set(DIRECTIONS) - {"avg_pool2d", "local_response_norm"}
    assert all(case.shapes[0][0] == 3 for case in cases if case.operation not in ("sgd", "adam"))
    assert all(Case.from_dict(json.loads(json.dumps(case.to_dict()))) == case for case in cases)
    assert {"conv 1x1, forward", "conv 3x3, weight gradient", "depthwise 3x3, input gradient"} <= {
        c.group for c in cases
    }
    for_images = [case for case in cases if case.operation == "conv2d" and case.shapes[0][1] == 3]
    assert {case.direction for case in for_images} == {"forward", "weight gradient"}
    (stem,) = (case for case in for_images if case.source == "mini_inception 32" and case.direction == "forward")
    assert stem.count == 1 and stem.shapes[0] == (3, 3, 32, 32)
    quick = heaviest_cases(cases, QUICK)
    assert set(quick) <= set(cases) and len({case.group for case in quick}) == len(quick) > 5


def test_same_and_valid_are_numbers():
    """Paddings in words are those of the kernel."""
    (network, batch, size, options, operations) = (
        "inception_v3",
        1,
        75,
        {"width": 0.1, "aux_logits": False},
        ("conv2d",),
    )
    assert network in {source[0] for source in SOURCES}
    cases = cases_of(network, batch, size, options, operations)
    assert all(isinstance(dict(case.options)["padding"], tuple) for case in cases)
    assert {"conv 1x7", "conv 7x1", "conv 3x3 strided"} <= {case.kind for case in cases}
    for case in cases:
        if case.kind in ("conv 1x7", "conv 7x1"):
            assert sum(dict(case.options)["padding"]) == 3


def results():
    """A fast and a slow case of one kind, and one without a goal."""

    def result(kind, ours, torch, count):
        case = Case("conv2d", "forward", kind, ((1, ours),), (), "net", count)
        return Result(case, {"minception": ours, "torch": torch, "torch+malloc": 2 * torch}, "torch", 10, 10, 0.0)

    return [result("conv 1x1", 1.0, 2.0, 3), result("conv 1x1", 8.0, 4.0, 1), result("relu", 1.0, 1.0, 1)]


def test_report():
    text = "\n".join(report(results(), Roof(20.0, 40.0, 2), kernels.GOALS, kernels.GOALS_OF_ALL)).splitlines()
    (line,) = (line for line in text if line.startswith("conv 1x1, forward"))
    # sqrt(0.5 * 2); 3 * 1 + 8 beside 3 * 2 + 4; four floors of 0.5 beside 11
    assert line.split()[3:] == ["2", "1.00", "1.10", "18%", "1.15"]
    (line,) = (line for line in text if line.startswith("all: conv"))
    assert line.split()[-1] == "0.90"
    assert "Above the goal: 1 of 2" in text and text[-1].startswith("  2.00 instead of 1.15: conv 1x1, forward")


def test_results_are_kept_and_not_measured_again(tmp_path, monkeypatch, capsys):
    path = tmp_path / "kernels.json"
    cases = all_cases([("mini_xception", 2, 32, {}, ("add",))])
    measured = []

    def measure(waiting, threads, rounds):
        for case in waiting:
            measured.append(case)
            yield Result(case, {"minception": 1.0, "torch": 2.0}, "torch", 10, 10, 0.0)

    monkeypatch.setattr(kernels, "all_cases", lambda sources: cases)
    monkeypatch.setattr(kernels, "measure", measure)
    monkeypatch.setattr(kernels, "measured_roof", lambda threads: Roof(20.0, 40.0, threads))
    first = cases[0].name
    kernels.main(["--threads", "2", "--only", first, "--json", str(path)])
    assert measured == cases[:1]
    kernels.main(["--threads", "2", "--json", str(path)])
    assert measured == cases
    kernels.main(["--threads", "2", "--only", first, "--again", "--json", str(path)])
    assert measured == [*cases, cases[0]]
    _, kept = kernels.load(path, 2)
    assert {result.case for result in kept} == set(cases)
    out = capsys.readouterr().out
    assert all(case.name in out for case in cases)
    with pytest.raises(SystemExit, match="was measured with 2 threads"):
        kernels.main(["--threads", "1", "--json", str(path)])


def test_sides_take_turns():
    with sides_of(["torch"], 1) as sides:
        found = take_turns(sides, {"case": tiny("relu", "forward").to_dict()}, 2, print)
        assert [measured.side for measured in found] == ["minception", "torch", "torch+malloc"]
        assert all(len(measured.seconds) == 2 and min(measured.seconds) > 0 for measured in found)
        assert found[0].facts == {"flops": 3 * 8 * 7 * 6, "bytes": 2 * 4 * 3 * 8 * 7 * 6}
        notes = []
        unknown = {**tiny("relu", "forward").to_dict(), "operation": "sinh"}
        assert take_turns(sides, {"case": unknown}, 2, lambda *words: notes.append(words)) == []
        assert len(notes) == 3 and notes[0] == ("minception", "KeyError: 'sinh'")
        assert take_turns(sides, {"case": tiny("add", "forward").to_dict()}, 2, print)[2].median > 0
