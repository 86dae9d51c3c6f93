"""Settings: ranges, defaults that depend on each other, and the way to JSON and back."""

import argparse
import json
from dataclasses import fields, replace

import pytest

from minception.train.arguments import add_arguments, given_settings
from minception.train.config import ConfigError, TrainConfig, option

MODELS = ["one", "other"]
GOOD = TrainConfig(model="one")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"model": "vgg"}, "--model vgg: unknown; choose one of one, other"),
        ({"data": "imagenet"}, "--data imagenet: unknown; choose one of auto, cifar10"),
        ({"schedule": "linear"}, "--schedule linear: unknown"),
        ({"optimizer": "lion"}, "--optimizer lion: unknown; choose one of sgd, rmsprop, adam, adamw"),
        ({"augment": "heavy"}, "--augment heavy: unknown"),
        ({"kernels": "gpu"}, "--kernels gpu: unknown; choose one of cpu, cuda, reference"),
        ({"epochs": 0}, "--epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "--batch-size must be at least 1, got 0"),
        ({"threads": 0}, "--threads must be at least 1, got 0"),
        ({"limit_train": 0}, "--limit-train must be at least 1, got 0"),
        ({"limit_test": -5}, "--limit-test must be at least 1, got -5"),
        ({"seed": -1}, "--seed must be at least 0, got -1"),
        ({"crop": -1}, "--crop must be at least 0 and at most 32, got -1"),
        ({"crop": 33}, "--crop must be at least 0 and at most 32, got 33"),
        ({"crop_epochs": -1}, "--crop-epochs must be at least 0, got -1"),
        ({"crop": 24, "crop_epochs": 9, "epochs": 8}, "--crop-epochs 9 must be at most --epochs 8"),
        ({"crop": 24, "augment": "none"}, "--crop has no effect with --augment none"),
        ({"crop": 0, "crop_epochs": 5}, "--crop-epochs has no effect with --crop 0"),
        ({"winograd": 3}, "--winograd 3: unknown; choose one of 0, 2, 4"),
        ({"precision": "half"}, "--precision half: unknown; choose one of float32, tf32, bfloat16, float16"),
        ({"cutout": -1}, "--cutout must be at least 0, got -1"),
        ({"width": 0.0}, "--width must be greater than 0, got 0.0"),
        ({"width": float("nan")}, "--width must be greater than 0, got nan"),
        ({"lr": -0.1}, "--lr must be greater than 0, got -0.1"),
        ({"lr": 0.0}, "--lr must be greater than 0, got 0.0"),
        ({"lr": float("nan")}, "--lr must be greater than 0, got nan"),
        ({"lr": float("inf")}, "--lr must be greater than 0, got inf"),
        ({"clip_grad_norm": 0.0}, "--clip-grad-norm must be greater than 0, got 0.0"),
        ({"weight_decay": -1e-4}, "--weight-decay must be at least 0, got -0.0001"),
        ({"momentum": 1.0}, "--momentum must be at least 0 and less than 1, got 1.0"),
        ({"label_smoothing": 1.0}, "--label-smoothing must be at least 0 and less than 1, got 1.0"),
        ({"schedule": "step", "gamma": 1.5}, "--gamma must be greater than 0 and at most 1, got 1.5"),
        ({"schedule": "step", "step_epochs": 0}, "--step-epochs must be at least 1, got 0"),
        ({"epochs": 5, "warmup_epochs": 5.0}, "--warmup-epochs 5 must be less than --epochs 5"),
        ({"warmup_epochs": -1.0}, "--warmup-epochs must be at least 0, got -1.0"),
        ({"optimizer": "adam", "momentum": 0.9}, "--momentum has no effect with --optimizer adam"),
        ({"optimizer": "rmsprop", "nesterov": True}, "--nesterov has no effect with --optimizer rmsprop"),
        ({"momentum": 0.0, "nesterov": True}, "--nesterov has no effect with --momentum 0"),
        ({"gamma": 0.5}, "--gamma has no effect with --schedule onecycle"),
        ({"schedule": "exponential", "step_epochs": 5}, "--step-epochs has no effect with --schedule exponential"),
        ({"data": "synthetic", "data_dir": "x"}, "--data-dir has no effect with --data synthetic"),
    ],
)
def test_wrong_settings(settings, words):
    with pytest.raises(ConfigError) as caught:
        replace(GOOD, **settings).validate(MODELS)
    assert words in str(caught.value)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "step", "exponential", "constant"])
def test_defaults_are_valid_and_stay_so_when_resolved(optimizer, schedule):
    config = replace(GOOD, optimizer=optimizer, schedule=schedule)
    config.validate(MODELS)
    resolved = config.resolve(available_threads=3)
    resolved.validate(MODELS)
    assert resolved.resolve(available_threads=8) == resolved
    assert resolved.threads == 3 and resolved.lr > 0
    assert (resolved.momentum is None) == optimizer.startswith("adam")
    assert (resolved.gamma is None) == (schedule not in ("step", "exponential"))


def test_what_is_given_is_kept():
    config = replace(GOOD, lr=0.7, momentum=0.0, weight_decay=0.0, warmup_epochs=0.0, threads=1)
    resolved = config.resolve(available_threads=8)
    assert (resolved.lr, resolved.momentum, resolved.nesterov) == (0.7, 0.0, False)
    assert (resolved.weight_decay, resolved.warmup_epochs, resolved.threads) == (0.0, 0.0, 1)


def test_through_json_and_back():
    config = GOOD.resolve(available_threads=2)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_settings_of_another_version():
    values = GOOD.to_dict() | {"mixup": 0.2}
    del values["seed"]
    with pytest.raises(ConfigError, match="another version of minception: missing or unknown mixup, seed"):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    "settings, crop, epochs",
    [
        ({"model": "mini_inception", "epochs": 20}, 24, 12),
        ({"model": "mini_inception", "epochs": 1}, 24, 0),
        ({"model": "mini_inception", "epochs": 20, "crop": 16, "crop_epochs": 3}, 16, 3),
        ({"model": "mini_inception", "crop": 0}, 0, 0),
        ({"model": "mini_inception", "augment": "none"}, 0, 0),
        ({"model": "other"}, 0, 0),
        ({"model": "other", "crop": 28, "epochs": 10}, 28, 6),
    ],
)
def test_windows_at_first(settings, crop, epochs):
    resolved = TrainConfig(**settings).resolve(available_threads=1)
    assert (resolved.crop, resolved.crop_epochs) == (crop, epochs)


@pytest.mark.parametrize(
    "settings, cutout",
    [
        ({"model": "mini_inception"}, 8),
        ({"model": "mini_inception", "cutout": 0}, 0),
        ({"model": "mini_inception", "augment": "none"}, 0),
        ({"model": "other"}, 0),
        ({"model": "other", "augment": "none", "cutout": 4}, 4),
    ],
)
def test_cutout(settings, cutout):
    assert TrainConfig(**settings).resolve(available_threads=1).cutout == cutout


def test_settings_of_a_run_made_before_there_were_some():
    values = GOOD.to_dict()
    for name in ("width", "aux_logits", "crop", "crop_epochs", "whiten", "winograd", "precision", "cuda_graph"):
        del values[name]
    assert TrainConfig.from_dict(values) == GOOD


# ------------------------------------------------------------------------------------------- options


def parser():
    made = argparse.ArgumentParser()
    add_arguments(made)
    return made


def test_every_setting_has_an_option_and_nothing_is_given_by_default():
    assert given_settings(parser().parse_args([])) == {}
    spellings = {spelling for action in parser()._actions for spelling in action.option_strings}
    assert {option(field.name) for field in fields(TrainConfig)} <= spellings


def test_given_settings_are_those_typed():
    typed = ["--epochs", "3", "--no-nesterov", "--lr", "0.5", "--output", "x"]
    assert given_settings(parser().parse_args(typed)) == {"epochs": 3, "nesterov": False, "lr": 0.5}


def test_help_names_the_defaults():
    text = " ".join(parser().format_help().split())
    for words in (
        f"(default {GOOD.epochs})",
        f"(default {GOOD.batch_size})",
        "(default: sgd 0.1",
        "onecycle 25% of --epochs",
        "(default runs/MODEL-DATE-TIME)",
    ):
        assert words in text
