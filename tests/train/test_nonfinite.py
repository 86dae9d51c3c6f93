"""Runs whose numbers run away: they stop at once, say where it began, and keep the last good checkpoint."""

import numpy as np
import pytest

import minception as mc
from minception import checkpoint, nn
from minception.train import nonfinite
from minception.train.build import build_state
from minception.train.config import TrainConfig
from minception.train.errors import NonFiniteError

CONFIG = TrainConfig(model="tiny", lr=0.25, kernels="reference").resolve(available_threads=1)


def test_a_huge_learning_rate(quick, tmp_path, capsys):
    assert quick("--output", "run", "--epochs", 2, "--lr", "1e30", "--schedule", "constant") == 1
    message = capsys.readouterr().err
    assert "at step 2 (epoch 1, batch 2 of 6)" in message
    assert "a lower --lr (the peak is 1e+30, this step had 1e+30), --clip-grad-norm 1" in message
    assert "The last good checkpoint is kept in run/checkpoint.safetensors" in message
    saved = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert all(np.isfinite(array).all() for array in saved["model"].values())


def test_a_poisoned_weight(quick, minception, tmp_path, capsys):
    quick("--output", "run", "--epochs", 1, "--schedule", "constant")
    path = tmp_path / "run" / "checkpoint.safetensors"
    saved = checkpoint.load(path)
    saved["model"]["conv.weight"] = np.array(saved["model"]["conv.weight"])
    saved["model"]["conv.weight"][1, 2, 0, 0] = np.nan
    checkpoint.save(path, saved)
    assert minception("train", "--resume", "run", "--epochs", 2) == 1
    message = capsys.readouterr().err
    assert "the loss became nan at step 7 (epoch 2, batch 1 of 6)" in message
    assert "parameter conv.weight was already not finite (1 NaN and 0 infinite of 576 values)" in message
    assert "The first output that is not finite is that of module conv (Conv2d): " in message
    kept = checkpoint.load(path)
    assert kept["history"] == saved["history"]
    assert all(np.array_equal(kept["model"][name], saved["model"][name], equal_nan=True) for name in saved["model"])


def attempt(change=lambda model: None, images=None, config=CONFIG):
    """One forward pass of the tiny network after `change(model)`, ready to be checked."""
    state = build_state(config, num_classes=10, steps_per_epoch=5)
    change(state.model)
    rng = np.random.default_rng(0)
    if images is None:
        images = rng.standard_normal((4, 3, 32, 32)).astype(np.float32)
    return nonfinite.Attempt(state, images, rng.integers(0, 10, 4), config, 5)


@pytest.mark.parametrize(
    "name, module, kind",
    [
        ("stem.0.weight", "stem.0", "Conv2d"),
        ("stem.1.bias", "stem.1", "BatchNorm2d"),
        ("fc.bias", "fc", "Linear"),
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_module_in_order_of_execution(name, module, kind, value):
    def poison(model):
        dict(model.named_parameters())[name]._array.reshape(-1)[3] = value

    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError) as caught:
        attempt(poison).check_loss(float("nan"))
    assert f"that of module {module} ({kind}): " in str(caught.value)
    assert f"parameter {name} was already not finite" in str(caught.value)
    assert "whose input" not in str(caught.value)


def test_bad_images():
    images = np.zeros((4, 3, 32, 32), np.float32)
    images[2, 1, 5, 5] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError) as caught:
        attempt(images=images).check_loss(float("nan"))
    assert "The images of the batch are not finite (0 NaN and 1 infinite of 12288 values)" in str(caught.value)
    assert "module stem.0 (Conv2d), whose input was already so" in str(caught.value)


def test_logits_that_are_too_large_for_the_loss():
    with pytest.raises(NonFiniteError, match="the logits are too large for the loss"):
        attempt().check_loss(float("inf"))


def test_outputs_in_a_dictionary():
    class Named(nn.Module):
        def forward(self, x):
            return {"fine": x, "scaled": x * float("nan")}

    text = nonfinite.first_nonfinite_module(Named(), np.ones((1, 2), np.float32))
    assert "that of the model itself (Named): 2 NaN" in text


def test_an_operation_between_modules():
    class Between(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.last(self.first(x) * float("inf"))

    with np.errstate(invalid="ignore"):
        text = nonfinite.first_nonfinite_module(Between(), np.ones((1, 2), np.float32))
    assert "module last (Linear), whose input was already so" in text


def test_the_search_repeats_dropout_and_leaves_the_model_as_it_was():
    this = attempt()
    before = this.state.model.state_dict()
    draws = mc.default_generator().bit_generator.state
    mc.default_generator().random(5)  # as a forward pass would
    with pytest.raises(NonFiniteError):
        this.check_loss(float("inf"))
    after = this.state.model.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    replay = mc.default_generator()
    after_search = replay.bit_generator.state
    replay.bit_generator.state = draws
    with mc.no_grad():
        this.state.model(mc.from_numpy(this.images))
    assert replay.bit_generator.state == after_search


def test_gradients_are_checked_before_they_reach_the_weights(quick, tmp_path, capsys, monkeypatch):
    from tests.train.tiny import Tiny

    class Exploding(Tiny):
        def __init__(self, num_classes, in_channels):
            super().__init__(num_classes, in_channels)
            self.conv.bias.register_hook(lambda grad: grad * float("inf"))

    monkeypatch.setitem(mc.models.registry._ENTRIES, "tiny", mc.models.Entry("tiny", Exploding, "-", 32))
    assert quick("--output", "run", "--epochs", 1) == 1
    message = capsys.readouterr().err
    assert "gradients became NaN or infinite at step 1 (epoch 1, batch 1 of 6)" in message
    assert "the gradient of conv.bias (0 NaN and 8 infinite of 8 values)" in message
    saved = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert (saved["epoch"], saved["batch"]) == (0, 0)


def test_large_but_finite_gradients_pass():
    """Their float32 sum overflows; they do not."""
    this = attempt()
    for parameter in this.state.model.parameters():
        parameter.grad = mc.Tensor(np.full(parameter.shape, 3e38, np.float32))
    this.check_gradients()


@pytest.mark.parametrize("name", ["conv.weight", "stem.1.running_var"])
def test_nothing_bad_is_saved(name):
    state = attempt().state
    nonfinite.check_before_saving(state)
    tensors = dict(state.model.named_parameters()) | dict(state.model.named_buffers())
    tensors[name]._array.reshape(-1)[0] = np.inf
    with pytest.raises(NonFiniteError, match=f"after batch 0 of epoch 1, {name} is not finite"):
        nonfinite.check_before_saving(state)


def test_a_test_loss_that_overflows():
    with pytest.raises(NonFiniteError, match="the test loss became inf in epoch 1, with finite weights"):
        nonfinite.check_before_saving(attempt().state, test_loss=float("inf"))


def test_advice_when_clipping_already():
    config = TrainConfig(model="tiny", clip_grad_norm=5.0).resolve(available_threads=1)
    with pytest.raises(NonFiniteError, match=r"a lower --clip-grad-norm \(now 5\)"):
        attempt(config=config).check_loss(float("nan"))
