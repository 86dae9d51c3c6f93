"""The networks, one file for each paper."""

from .auxiliary import GoogLeNetOutputs, InceptionOutputs, classification_loss
from .count import count_multiply_accumulates, count_parameters
from .mini_inception import mini_inception
from .mini_xception import mini_xception
from .preprocessing import Preprocessing
from .registry import Entry, create, entry, names, register

__all__ = [
    "Entry",
    "GoogLeNetOutputs",
    "InceptionOutputs",
    "Preprocessing",
    "classification_loss",
    "count_multiply_accumulates",
    "count_parameters",
    "create",
    "entry",
    "mini_inception",
    "mini_xception",
    "names",
    "register",
]
