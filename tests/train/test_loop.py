"""The loop itself: what a step computes, in which mode, on which batches; and what stops it."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import checkpoint
from minception.train import datasets, loop
from minception.train.build import build_state
from minception.train.config import TrainConfig
from minception.train.interruption import Interruption
from minception.train.progress import Progress

CONFIG = TrainConfig(model="tiny", lr=0.25, momentum=0.0, weight_decay=0.0, schedule="constant", label_smoothing=0.2)


class NoFolder:
    def save_epoch(self, state):
        pass


@pytest.fixture
def data():
    return datasets.select("synthetic", limit_train=50, limit_test=20)


def config(**settings):
    return replace(CONFIG, batch_size=16, epochs=2, **settings).resolve(available_threads=1)


def grads_of(model, images, labels, label_smoothing):
    """Loss and gradients of a model computed here, with the generator where it stands."""
    model.zero_grad()
    loss = F.cross_entropy(model(mc.from_numpy(images)), labels, label_smoothing=label_smoothing)
    loss.backward()
    return float(loss), {name: np.array(p.grad) for name, p in model.named_parameters()}


def test_steps_of_gradient_descent(data):
    """Two steps, without momentum and decay: weights -= lr * gradient, each gradient afresh."""
    chosen = config()
    batches = list(data.train_loader(chosen, 0).epoch(0))[:2]
    state, twin = (build_state(chosen, 10, 4) for _ in range(2))
    for images, labels in batches:
        draws = mc.default_generator().bit_generator.state
        loss, grads = grads_of(twin.model, images, labels, 0.2)
        mc.default_generator().bit_generator.state = draws
        before = state.model.state_dict()
        measured, correct = loop.train_step(state, images, labels, chosen, 4)
        assert measured == loss and 0 <= correct <= 16
        after = state.model.state_dict()
        for name, grad in grads.items():
            moved = after[name].astype(float) - before[name]
            rounding = np.finfo(np.float32).eps * (np.abs(before[name]).max() + np.abs(moved).max())
            np.testing.assert_allclose(moved, -0.25 * grad, rtol=1e-5, atol=rounding, err_msg=name)
        twin.model.load_state_dict(after)


def spy(monkeypatch, name, record):
    """Call `record(*arguments)` before each call of loop.name."""
    original = getattr(loop, name)

    def wrapped(*arguments, **keywords):
        record(*arguments, **keywords)
        return original(*arguments, **keywords)

    monkeypatch.setattr(loop, name, wrapped)


def test_modes(data, monkeypatch):
    """Steps in training mode, even after somebody left the model in the other; tests in eval mode."""
    modes = []
    spy(monkeypatch, "train_step", lambda state, *rest: modes.append(state.model.training))
    state = build_state(config(), 10, 4)
    state.model.eval()
    loop.train(state, data, config(), NoFolder(), Progress(False), Interruption())
    assert modes == [True] * 8
    assert (state.epoch, state.batch, len(state.history)) == (2, 0, 2)


def test_each_epoch_holds_every_image_once_in_an_order_of_its_own(data, monkeypatch):
    labels = []
    spy(monkeypatch, "train_step", lambda state, images, batch, *rest: labels.append(batch))
    loop.train(build_state(config(), 10, 4), data, config(), NoFolder(), Progress(False), Interruption())
    assert [len(batch) for batch in labels] == [16, 16, 16, 2] * 2
    first, second = np.concatenate(labels[:4]), np.concatenate(labels[4:])
    np.testing.assert_array_equal(np.sort(first), np.sort(data.train.labels))
    np.testing.assert_array_equal(np.sort(second), np.sort(data.train.labels))
    assert not np.array_equal(first, second)


def test_the_first_epochs_see_windows(data, monkeypatch):
    sizes = []
    spy(monkeypatch, "train_step", lambda state, images, *rest: sizes.append(images.shape[2:]))
    chosen = replace(config(), crop=24, crop_epochs=1)
    loop.train(build_state(chosen, 10, 4), data, chosen, NoFolder(), Progress(False), Interruption())
    assert sizes == [(24, 24)] * 4 + [(32, 32)] * 4


def test_weights_that_break_in_the_last_step_are_not_saved(quick, tmp_path, capsys):
    """One step an epoch: its loss is fine, what it leaves behind is not."""
    options = ["--limit-train", 16, "--lr", "1e30", "--schedule", "constant"]
    assert quick("--output", "run", "--epochs", 1, *options) == 1
    message = capsys.readouterr().err
    assert "in epoch 1" in message and "The last good checkpoint is kept" in message
    assert checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")["epoch"] == 0
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_ctrl_c_does_not_save_broken_weights(quick, tmp_path, monkeypatch, capsys):
    def poison(state, *rest):
        if state.batch == 3:
            os.kill(os.getpid(), signal.SIGINT)
            dict(state.model.named_buffers())["stem.1.running_var"]._array[0] = np.nan  # a step does not notice

    spy(monkeypatch, "train_step", poison)
    assert quick("--output", "run", "--epochs", 1) == 1
    assert "stem.1.running_var is not finite" in capsys.readouterr().err
    saved = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert (saved["epoch"], saved["batch"]) == (0, 0)


def test_ctrl_c_is_python_s_own_again_after_a_run(quick):
    before = signal.getsignal(signal.SIGINT)
    quick("--output", "run", "--epochs", 1)
    assert signal.getsignal(signal.SIGINT) is before


def test_overflow_is_left_to_the_checks(quick, monkeypatch):
    """NumPy's warnings, errors in these tests, are off inside the loop."""
    spy(monkeypatch, "train_step", lambda *rest: np.float32(3e38) * np.float32(10))
    assert quick("--output", "run", "--epochs", 1) == 0


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_threads(quick, minception, monkeypatch, command):
    quick("--output", "run", "--epochs", 1)
    counts = []
    monkeypatch.setattr(mc, "set_num_threads", counts.append)
    if command == "train":
        quick("--output", "other", "--epochs", 1, "--threads", 3)
    else:
        minception("evaluate", "run", "--limit-test", 20, "--threads", 3)
    assert counts == [3]


def test_a_folder_made_in_vain_is_removed(minception, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINCEPTION_DATA", str(tmp_path))
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"half of a file")
    (tmp_path / "mine").mkdir()
    for output in ("run", "mine"):
        assert minception("train", "--model", "tiny", "--no-progress", "--output", output) == 1
        assert "cifar-10-python.tar.gz" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar-10-python.tar.gz", "mine"]
