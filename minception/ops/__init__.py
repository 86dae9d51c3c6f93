"""Differentiable operations: each a small `Function` beside the plain function that checks its arguments."""

from .arguments import axis_index
from .indexing import checked_index, raw_index, split_index
from .methods import attach_methods

__all__ = ["attach_methods", "axis_index", "checked_index", "raw_index", "split_index"]
