"""Choices that hold for the whole engine."""

from .kernels.settings import get_winograd, set_winograd

__all__ = ["get_winograd", "set_winograd"]
