"""Learning-rate schedules, gathered under PyTorch's name `optim.lr_scheduler`."""

from .cosine_annealing_lr import CosineAnnealingLR
from .exponential_lr import ExponentialLR
from .linear_lr import LinearLR
from .one_cycle_lr import OneCycleLR
from .scheduler import LRScheduler
from .sequential_lr import SequentialLR
from .step_lr import MultiStepLR, StepLR

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "SequentialLR",
    "StepLR",
]
