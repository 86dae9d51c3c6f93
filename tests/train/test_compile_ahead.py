"""Compiling before the first epoch: what is shown of it, and that it leaves no trace in the run."""

import io
import itertools
import sys

import numba
import numpy as np
import pytest

import minception as mc
from minception import nn
from minception.kernels.cpu import compile as compilation
from minception.train import compilation_line as module
from minception.train.build import build_state
from minception.train.compilation_line import CompilationLine
from minception.train.compile_ahead import compile_ahead
from minception.train.config import TrainConfig


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def kernels(monkeypatch):
    """Makes functions that no cache holds; the second calls the first."""
    monkeypatch.setattr(compilation, "_declared", list(compilation._declared))

    def make():
        inner = compilation.compiled(lambda x: x + 1, cache=False)
        return inner, compilation.compiled(lambda x: inner(x) + 1, cache=False)

    return make


@pytest.fixture
def clock(monkeypatch):
    """Each look at it takes 2 s."""
    ticks = itertools.count(0, 2)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(ticks)))


def test_one_line_on_a_terminal(monkeypatch, kernels):
    monkeypatch.setattr(sys, "stderr", Terminal())
    _, outer = kernels()
    with CompilationLine().watching("cpu") as line:
        assert outer(1) == 3
    shown = sys.stderr.getvalue()
    assert line.count == 2 and shown.count("\n") == 1 and shown.endswith("\n")
    began, *_, ended = shown.split("\r\x1b[K")[1:]
    assert began.startswith("Compiling kernels for this processor (at every start: no folder to keep them in can be ")
    assert f": 0 of at most {compilation.count_declared()}, 0 s" in began
    assert ended.startswith("Compiled 2 kernels in ")


def test_plain_lines_without_a_terminal(kernels, clock, capsys):
    with CompilationLine().watching("cpu"):
        for _ in range(3):
            inner, outer = kernels()
            inner(1)
            outer(1)
    lines = capsys.readouterr().err.splitlines()
    assert 3 <= len(lines) <= 6 and all("of at most" in text for text in lines[:-1])
    assert lines[-1].startswith("Compiled 6 kernels in ")


def test_the_line_says_that_kernels_are_kept(monkeypatch, kernels, capsys):
    monkeypatch.setattr(compilation, "is_cached", lambda function: True)
    with CompilationLine().watching("cpu"):
        kernels()[0](1)
    assert "(at the first start only): 0 of" in capsys.readouterr().err


def test_an_interrupted_line_is_ended(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    line = CompilationLine()
    with pytest.raises(KeyboardInterrupt), line.watching("cpu"):
        line._begins(compilation._declared[0])
        raise KeyboardInterrupt
    assert sys.stderr.getvalue().endswith("\n")


@pytest.mark.parametrize("show", [True, False])
def test_silent_where_there_is_nothing_to_compile_or_nothing_to_show(kernels, show, capsys):
    inner, _ = kernels()
    if show:
        inner(1)
    with CompilationLine(show).watching("cpu") as line:
        inner(1)
        numba.njit(lambda x: x)(1)
    assert line.count == (not show)
    assert capsys.readouterr().err == ""


def test_the_reference_is_not_watched(kernels, capsys):
    with CompilationLine().watching("reference") as line:
        kernels()[0](1)
    assert line.count == 0 and capsys.readouterr().err == ""


def everything(state):
    """The state of a run and what else could change: modes and gradients."""
    saved = state.state_dict()
    modes = {name: module.training for name, module in state.model.named_modules()}
    return saved["model"], repr((saved["optimizer"], saved["schedule"], saved["generator"], modes))


@pytest.mark.parametrize("name, batch_size", [("tiny", 16), ("mini_inception", 3), ("tiny", 2)])
def test_a_run_is_left_as_it_was(monkeypatch, name, batch_size):
    """Also where a whole batch is run, because something was compiled."""
    monkeypatch.setattr(CompilationLine, "count", 1, raising=False)
    monkeypatch.setattr(CompilationLine, "__init__", lambda self, show: None)
    monkeypatch.setattr(CompilationLine, "watching", lambda self, home: _Yields(self))
    config = TrainConfig(model=name, batch_size=batch_size, clip_grad_norm=1.0).resolve(available_threads=1)
    state = build_state(config, 10, 5)
    state.model.train()
    mc.default_generator().random(3)
    before, text = everything(state)
    compile_ahead(state, config, (3, 32, 32), 10)
    after, same = everything(state)
    assert same == text
    for key, array in before.items():
        assert array.tobytes() == after[key].tobytes(), key
    assert all(p.grad is None for p in state.model.parameters())


class _Yields:
    def __init__(self, value):
        self.value = value

    def __enter__(self):
        return self.value

    def __exit__(self, *error):
        pass


def test_modes_and_buffers_come_back_where_a_network_fails():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x):
            self.norm(x)
            raise RuntimeError("no such thing")

    config = TrainConfig(model="tiny").resolve(available_threads=1)
    state = build_state(config, 10, 5)
    state.model = Fails().eval()
    with pytest.raises(RuntimeError, match="no such thing"):
        compile_ahead(state, config, (3, 32, 32), 10)
    assert not state.model.training and int(state.model.norm.num_batches_tracked) == 0
    np.testing.assert_array_equal(np.asarray(state.model.norm.running_mean), 0)


def test_the_reference_has_nothing_to_compile(monkeypatch):
    config = TrainConfig(model="tiny", kernels="reference").resolve(available_threads=1)
    state = build_state(config, 10, 5)
    monkeypatch.setattr(type(state.model), "forward", None)
    compile_ahead(state, config, (3, 32, 32), 10)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
def test_the_first_steps_compile_nothing_more(optimizer):
    """A whole epoch after it: neither steps nor the test find a kernel that is not compiled."""
    from minception.train import datasets
    from minception.train.interruption import Interruption
    from minception.train.loop import train
    from minception.train.progress import Progress

    class NoFolder:
        def save_epoch(self, state):
            pass

    config = TrainConfig(model="mini_inception", batch_size=16, epochs=1, optimizer=optimizer, clip_grad_norm=1.0)
    config = config.resolve(available_threads=2)
    images = datasets.select("synthetic", limit_train=32, limit_test=16)
    state = build_state(config, 10, 2)
    compile_ahead(state, config, (3, 32, 32), 10, show=False)
    found = []
    with compilation.watch_compilation(found.append, found.append), Interruption() as interruption:
        train(state, images, config, NoFolder(), Progress(False), interruption)
    assert found == []
