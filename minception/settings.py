"""Choices that hold for the whole engine."""

from .kernels.settings import get_winograd, set_winograd
from .kernels.workspace import empty_cache, get_workspace_limit, set_workspace_limit

__all__ = ["empty_cache", "get_winograd", "get_workspace_limit", "set_winograd", "set_workspace_limit"]
