"""Differentiable operations: each a small `Function` beside the plain function that checks its arguments."""

from .methods import attach_methods
from .shape import raw_index

__all__ = ["attach_methods", "raw_index"]
