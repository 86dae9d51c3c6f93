"""Layers and networks: modules that name their state and leave the arithmetic to `minception.functional`."""

from . import init
from .activation import ELU, LogSoftmax, ReLU, Softmax
from .containers import ModuleDict, ModuleList, Sequential
from .convolution import Conv2d, DepthwiseConv2d, SeparableConv2d
from .dropout import Dropout
from .linear import Linear
from .loss import CrossEntropyLoss
from .module import Module
from .normalization import BatchNorm1d, BatchNorm2d, BatchNormReLU2d, LocalResponseNorm
from .parameter import Parameter
from .pooling import AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool2d, MaxPool2d
from .shape import Flatten, Identity

__all__ = [
    "ELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNormReLU2d",
    "Conv2d",
    "CrossEntropyLoss",
    "DepthwiseConv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Identity",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "SeparableConv2d",
    "Sequential",
    "Softmax",
    "init",
]
