"""Weights in files: published ones of every usual format into a model, and a model's own into a file."""

from .errors import WeightsError
from .freeze import freeze, unfreeze
from .head import head_names
from .load import load_weights, save_weights
from .pretrained import download_weights
from .read import read_weights

__all__ = [
    "WeightsError",
    "download_weights",
    "freeze",
    "head_names",
    "load_weights",
    "read_weights",
    "save_weights",
    "unfreeze",
]
