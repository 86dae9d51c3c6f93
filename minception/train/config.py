"""The settings of a training run: their defaults, their limits, and which of them may change on resuming."""

import math
from dataclasses import asdict, dataclass, fields, replace

from minception.kernels.settings import PRECISIONS

DATA = ("auto", "cifar10", "cifar100", "synthetic")
SCHEDULES = ("onecycle", "cosine", "step", "exponential", "constant")
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
AUGMENTATIONS = ("standard", "reflect", "none")
KERNELS = ("cpu", "cuda", "reference")
SQUARES = (0, 2, 4)
FULL_PRECISION = "float32"

# Defaults that depend on another setting, chosen when the setting itself is None.
LR = {"sgd": 0.1, "rmsprop": 0.003, "adam": 0.003, "adamw": 0.003}
WEIGHT_DECAY = {"sgd": 5e-4, "rmsprop": 5e-5, "adam": 5e-5, "adamw": 0.05}
MOMENTUM = {"sgd": 0.9, "rmsprop": 0.0}
GAMMA = {"step": 0.1, "exponential": 0.94}
STEP_EPOCHS = 10
CROP = {"mini_inception": 24}  # pixels; of networks that are trained on windows at first
IMAGE_SIZE = 32  # of all the data sets
CROP_SHARE = 0.6  # of all epochs
CUTOUT = {"mini_inception": 8}  # pixels; of networks that learn their training images by heart otherwise
WHITEN = ("mini_inception",)  # networks that begin with a whitening transform
WINOGRAD = 4
ONECYCLE_WARMUP = 0.25  # of all epochs

# Schedules whose learning rate depends on the number of epochs: it is fixed once the run has begun.
PLANNED_SCHEDULES = ("onecycle", "cosine")
# Settings of the machine rather than of the experiment.
CHANGEABLE = ("data_dir", "threads", "device", "kernels", "precision", "cuda_graph")
# Settings that older runs do not name; their defaults are what those runs did.
ADDED_LATER = {"width", "aux_logits", "crop", "crop_epochs", "whiten", "winograd", "precision", "cuda_graph"}


class ConfigError(ValueError):
    """Settings that are wrong or contradict each other; the message names the command-line options."""


@dataclass(frozen=True)
class TrainConfig:
    """What a run computes. `None` means: the default that fits the other settings (see `resolve`)."""

    model: str = "mini_inception"
    width: float | None = None
    aux_logits: bool | None = None
    whiten: bool | None = None
    data: str = "auto"
    data_dir: str | None = None
    limit_train: int | None = None
    limit_test: int | None = None
    augment: str = "reflect"
    cutout: int | None = None
    crop: int | None = None
    crop_epochs: int | None = None
    epochs: int = 22
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float | None = None
    momentum: float | None = None
    nesterov: bool | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.1
    clip_grad_norm: float | None = None
    schedule: str = "onecycle"
    warmup_epochs: float | None = None
    step_epochs: int | None = None
    gamma: float | None = None
    seed: int = 0
    threads: int | None = None
    device: str = "auto"
    kernels: str | None = None
    winograd: int | None = None
    precision: str = FULL_PRECISION
    cuda_graph: bool = False

    def validate(self, model_names):
        """Raise ConfigError for the first setting out of its range, or without effect beside the others."""
        _one_of("--model", self.model, model_names)
        _one_of("--data", self.data, DATA)
        _one_of("--schedule", self.schedule, SCHEDULES)
        _one_of("--optimizer", self.optimizer, OPTIMIZERS)
        _one_of("--augment", self.augment, AUGMENTATIONS)
        if self.kernels is not None:
            _one_of("--kernels", self.kernels, KERNELS)
        if self.winograd is not None:
            _one_of("--winograd", self.winograd, SQUARES)
        _one_of("--precision", self.precision, PRECISIONS)
        for name in ("epochs", "batch_size", "step_epochs", "threads", "limit_train", "limit_test"):
            _in_range(self, name, 1)
        _in_range(self, "crop", 0, most=IMAGE_SIZE)
        for name in ("cutout", "crop_epochs", "seed", "weight_decay", "warmup_epochs"):
            _in_range(self, name, 0)
        _in_range(self, "width", 0, above=True)
        _in_range(self, "lr", 0, above=True)
        _in_range(self, "clip_grad_norm", 0, above=True)
        _in_range(self, "momentum", 0, below=1)
        _in_range(self, "label_smoothing", 0, below=1)
        _in_range(self, "gamma", 0, above=True, most=1)
        if self.warmup_epochs is not None and self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"--warmup-epochs {self.warmup_epochs:g} must be less than --epochs {self.epochs}"
            )
        if self.crop_epochs is not None and self.crop_epochs > self.epochs:
            raise ConfigError(f"--crop-epochs {self.crop_epochs} must be at most --epochs {self.epochs}")
        _no_effect(self, "crop", self.augment != "none" or not self.crop, "--augment none")
        _no_effect(self, "crop_epochs", self.crop != 0 or not self.crop_epochs, "--crop 0")
        _no_effect(self, "momentum", self.optimizer in MOMENTUM, f"--optimizer {self.optimizer}")
        _no_effect(self, "nesterov", self.optimizer == "sgd", f"--optimizer {self.optimizer}")
        _no_effect(self, "nesterov", self.momentum != 0 or not self.nesterov, "--momentum 0")
        _no_effect(self, "gamma", self.schedule in GAMMA, f"--schedule {self.schedule}")
        _no_effect(self, "step_epochs", self.schedule == "step", f"--schedule {self.schedule}")
        _no_effect(self, "data_dir", self.data != "synthetic", "--data synthetic")

    def resolve(self, available_threads, auto_device="cpu"):
        """Return the config with every default that depends on others filled in. `auto_device`: what "auto" is."""
        device = auto_device if self.device == "auto" else self.device
        sgd = self.optimizer == "sgd"
        momentum = _first(self.momentum, MOMENTUM.get(self.optimizer))
        crop = _first(self.crop, 0 if self.augment == "none" else CROP.get(self.model, 0))
        cutout = 0 if self.augment == "none" else CUTOUT.get(self.model, 0)
        warmup = ONECYCLE_WARMUP * self.epochs if self.schedule == "onecycle" else 0.0
        return replace(
            self,
            lr=_first(self.lr, LR[self.optimizer]),
            weight_decay=_first(self.weight_decay, WEIGHT_DECAY[self.optimizer]),
            momentum=momentum,
            nesterov=_first(self.nesterov, momentum > 0) if sgd else None,
            whiten=_first(self.whiten, self.model in WHITEN),
            warmup_epochs=_first(self.warmup_epochs, warmup),
            gamma=_first(self.gamma, GAMMA.get(self.schedule)),
            step_epochs=_first(self.step_epochs, STEP_EPOCHS if self.schedule == "step" else None),
            cutout=_first(self.cutout, cutout),
            crop=crop,
            crop_epochs=_first(self.crop_epochs, int(CROP_SHARE * self.epochs)) if crop else 0,
            threads=_first(self.threads, available_threads),
            device=device,
            kernels=_first(self.kernels, device.partition(":")[0]),
            winograd=_first(self.winograd, WINOGRAD),
        )

    def check_kernels(self):
        """Raise ConfigError for settings that mean nothing to the kernels of the resolved config."""
        if self.kernels == "cuda":
            return
        beside = f"--device {self.device} and --kernels {self.kernels}"
        if self.precision != FULL_PRECISION:
            raise ConfigError(
                f"--precision {self.precision} is for the tensor cores of a GPU: it has no effect with {beside}; leave "
                f"it out, or go on with a run that had it with --precision {FULL_PRECISION}"
            )
        if self.cuda_graph:
            raise ConfigError(
                f"--cuda-graph is for a GPU: it has no effect with {beside}; leave it out, or go on with a run that "
                "had it with --no-cuda-graph"
            )

    def changed(self, given, dataset, path):
        """Return the config of a resumed run: this one, from the checkpoint `path`, with the options now `given`.

        `given` holds only the options typed on the command line, `dataset` names the data of the run (what
        `auto` became). Options may repeat what the run has; a ConfigError lists all that contradict it.
        """
        changes, conflicts = {}, []
        for name, value in given.items():
            current = getattr(self, name)
            agrees = value == current or (name == "data" and value in ("auto", dataset))
            if agrees:
                continue
            if name in CHANGEABLE or (name == "epochs" and self.schedule not in PLANNED_SCHEDULES):
                changes[name] = value
                continue
            reason = f", which its {self.schedule} schedule was planned for" if name == "epochs" else ""
            has = dataset if name == "data" else current
            conflicts.append(f"{option(name)} {value}: the run has {has}{reason}")
        if conflicts:
            raise ConfigError(
                f"options contradict the checkpoint {path}:\n  " + "\n  ".join(conflicts) + "\n"
                "Leave them out to continue the run, or start a new one without --resume."
            )
        if "device" in changes and "kernels" not in changes and self.kernels != "reference":
            changes["kernels"] = None  # those of the new device
        return replace(self, **changes)

    def to_dict(self):
        """Return the settings as a dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """The inverse of `to_dict`; ConfigError if a setting is missing or unknown (another version's)."""
        names = {field.name for field in fields(cls)}
        if not names - ADDED_LATER <= set(values) <= names:
            odd = ", ".join(sorted(names.symmetric_difference(values)))
            raise ConfigError(f"settings saved by another version of minception: missing or unknown {odd}")
        return cls(**values)


def option(name):
    """The command-line spelling of a setting."""
    return "--" + name.replace("_", "-")


def _first(*values):
    return next((value for value in values if value is not None), None)


def _one_of(spelling, value, known):
    if value not in known:
        raise ConfigError(f"{spelling} {value}: unknown; choose one of {', '.join(map(str, known))}")


def _in_range(config, name, least, above=False, below=None, most=None):
    """Check least <= value (< with `above`), value < below, value <= most, and that the value is finite."""
    value = getattr(config, name)
    if value is None:
        return
    wrong = not math.isfinite(value) or value < least or (above and value == least)
    if wrong or (below is not None and value >= below) or (most is not None and value > most):
        words = f"greater than {least}" if above else f"at least {least}"
        words += f" and less than {below}" if below is not None else ""
        words += f" and at most {most}" if most is not None else ""
        raise ConfigError(f"{option(name)} must be {words}, got {value}")


def _no_effect(config, name, has_effect, beside):
    if getattr(config, name) is not None and not has_effect:
        raise ConfigError(f"{option(name)} has no effect with {beside}; leave one of them out")
