"""The benchmark's machinery, not the times: what it runs exists, and its processes take turns."""

import pytest

from benchmarks.cpu.compare import compare
from benchmarks.cpu.work import WORK
from benchmarks.sides import OURS, Measured
from benchmarks.work import Work
from minception import models


def test_work_can_be_built():
    assert len({work.name for work in WORK}) == len(WORK)
    for work in WORK:
        assert work.network in models.names()
        assert work.multiply_accumulates() > 0 and work.aim <= work.must


def test_a_training_step_multiplies_three_times():
    once = Work("-", "mini_inception", 1, 32, training=False).multiply_accumulates()
    assert once == models.entry("mini_inception").multiply_accumulates
    assert Work("-", "mini_inception", 4, 32).multiply_accumulates() == 12 * once


def test_sides_take_turns():
    (work,) = (work for work in WORK if work.name == "small xception training")
    ours, *peers = compare(work, threads=1, rounds=2, peers=["torch"])
    assert ours.side == OURS and [peer.side for peer in peers] == ["torch", "torch+malloc"]
    for side in (ours, *peers):
        assert len(side.seconds) == 2 and min(side.seconds) > 0 and side.memory > 10


def test_a_side_that_cannot_run_is_noted():
    notes = []
    measured = compare(Work("unknown", "mini_inception", 1, 32), threads=1, rounds=1, peers=[], note=notes.append)
    assert measured == [] and len(notes) == 1 and "unknown: minception: " in notes[0]


def test_median_and_spread():
    measured = Measured("x", [1.0, 2.0, 3.0, 4.0, 100.0], 0.0)
    assert measured.median == 3.0 and measured.spread == pytest.approx((52.0 - 1.5) / 2 / 3)
