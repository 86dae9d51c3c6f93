"""From settings to objects: the model, the optimizer and the learning-rate schedule of a run."""

import inspect

from minception import manual_seed, models, optim
from minception.amp import GradScaler
from minception.optim import lr_scheduler

from .config import ConfigError, option
from .state import TrainingState

FINAL_LR_DIVISOR = 1e4  # onecycle ends at its starting rate divided by this (torch's default)
START_DIVISOR = 25.0  # onecycle starts at the peak rate divided by this (torch's default)


def build_state(config, num_classes, steps_per_epoch):
    """Seed the default generator and return a fresh TrainingState for a resolved TrainConfig, on its device.

    Initial values are drawn on the CPU and then moved, so that a seed gives the same ones everywhere.
    """
    manual_seed(config.seed)
    model = build_model(config, num_classes).to(config.device)
    optimizer = build_optimizer(config, model)
    schedule = build_schedule(config, optimizer, steps_per_epoch)
    return TrainingState(model, optimizer, schedule, GradScaler(enabled=config.precision == "float16"))


def build_model(config, num_classes):
    """The network `config.model` in its version for images of 3x32x32 pixels.

    Raises ConfigError for a --width or --aux-logits that this network does not have.
    """
    entry = models.entry(config.model)
    options = dict(entry.small_images)
    accepted = inspect.signature(entry.constructor).parameters
    for name in ("width", "aux_logits"):
        value = getattr(config, name)
        if value is not None:
            if name not in accepted:
                raise ConfigError(f"{option(name)}: {config.model} does not have it")
            options[name] = value
    return models.create(config.model, num_classes=num_classes, in_channels=3, **options)


def build_optimizer(config, model):
    """The optimizer over two parameter groups: weights, which decay, and biases and batch-norm parameters."""
    groups = optim.split_weight_decay(model, config.weight_decay)
    if config.optimizer == "sgd":
        return optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
    if config.optimizer == "rmsprop":
        return optim.RMSprop(groups, lr=config.lr, momentum=config.momentum)
    return {"adam": optim.Adam, "adamw": optim.AdamW}[config.optimizer](groups, lr=config.lr)


def build_schedule(config, optimizer, steps_per_epoch):
    """The schedule of `config`, advanced once per step."""
    total = config.epochs * steps_per_epoch
    warmup = min(round(config.warmup_epochs * steps_per_epoch), total - 1)
    if config.schedule == "onecycle":
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=config.lr,
            total_steps=total,
            pct_start=warmup / total if warmup > 1 else 0.0,  # a rise of one step would have no length
            cycle_momentum=False,
            div_factor=START_DIVISOR,
            final_div_factor=FINAL_LR_DIVISOR,
        )
    after = _after_warmup(config, optimizer, steps_per_epoch, total - warmup)
    if warmup == 0:
        return after
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / warmup, end_factor=1.0, total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, after], milestones=[warmup])


def _after_warmup(config, optimizer, steps_per_epoch, steps):
    if config.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    if config.schedule == "step":
        return lr_scheduler.StepLR(optimizer, config.step_epochs * steps_per_epoch, gamma=config.gamma)
    gamma = config.gamma if config.schedule == "exponential" else 1.0
    return lr_scheduler.ExponentialLR(optimizer, gamma=gamma ** (1 / steps_per_epoch))
