"""What is shown while a run computes, on a terminal and without one."""

import io
import sys
import time

import pytest

from minception.train import progress as module
from minception.train.progress import Progress
from minception.train.state import Totals, TrainingState


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(progress, steps=3, before=0, pause=0.0):
    """An epoch of batches of 10 images, from the image number `before` on, with a pause before each step."""
    state = TrainingState(None, None, None, epoch=1, totals=Totals(images=before))
    state.totals.loss, state.totals.correct = 2.0 * before, before // 2
    with progress.epoch(state, 5, 100):
        for _ in range(steps):
            time.sleep(pause)
            state.totals.add(2.0, 5, 10, 0.1)
            progress.step(state.totals, 10)
        progress.testing()


def test_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    show(Progress(), before=20, pause=0.11)  # a bar is drawn anew after 0.1 s at the earliest
    shown = sys.stderr.getvalue()
    assert "epoch 2/5  20%|" in shown and "epoch 2/5  50%|" in shown and "left, testing" in shown
    assert "loss 2.000, acc 50.0%" in shown and "images/s, " in shown and " left, " in shown
    assert not shown.rpartition("\r")[2].strip(), "the bar stays behind"


def test_plain_lines_without_a_terminal(monkeypatch, capsys):
    clock = iter(range(0, 1000, 20))  # each look at the clock takes 20 s
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(module, "PLAIN_INTERVAL", 30.0)
    show(Progress(), steps=4, before=20)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    # 20 of the 40 images are of this sitting, in 60 s: the other 60 take three times as long.
    assert lines[0] == "epoch 2/5: 40/100 images, loss 2.000, acc 50.0%, 0 images/s, 3:00 left"
    assert lines[1].startswith("epoch 2/5: 60/100 images")


def test_nothing_within_the_interval(capsys):
    show(Progress())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_no_progress(monkeypatch, terminal):
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setattr(module, "PLAIN_INTERVAL", 0.0)
    show(Progress(bars=False))
    assert sys.stderr.getvalue() == ""


def test_the_bar_closes_when_the_run_stops(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    state = TrainingState(None, None, None)
    with pytest.raises(KeyboardInterrupt), Progress().epoch(state, 1, 100):
        raise KeyboardInterrupt
    assert not sys.stderr.getvalue().rpartition("\r")[2].strip()


def test_rows_line_up_under_one_header(capsys):
    progress = Progress(bars=False)
    row = {
        "epoch": 3,
        "learning_rate": 0.1,
        "train_loss": 2.30259,
        "train_accuracy": 1.0,
        "test_loss": 123.45678,
        "test_accuracy": 0.098765,
        "images_per_second": 12345.6,
        "seconds": 59.96,
    }
    progress.row(row)
    progress.row(row | {"learning_rate": 1.23456e-05, "epoch": 100})
    header, first, second = capsys.readouterr().out.splitlines()
    assert len(header) == len(first) == len(second)
    assert first.split() == ["3", "0.1", "2.3026", "100.00%", "123.4568", "9.88%", "12346", "60.0"]
    assert second.split()[:2] == ["100", "1.23e-05"]


@pytest.mark.parametrize("seconds, words", [(0.4, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "61:01")])
def test_clock(seconds, words):
    assert module._clock(seconds) == words
