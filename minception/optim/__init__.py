"""Optimizers, learning-rate schedules and gradient clipping, with PyTorch's names, defaults and formulas."""

from . import lr_scheduler
from .adam import Adam
from .adamw import AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer
from .param_groups import split_weight_decay
from .rmsprop import RMSProp, RMSprop
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
    "split_weight_decay",
]
