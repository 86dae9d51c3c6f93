"""Choices that hold for the whole engine."""

import sys

from .kernels import workspace
from .kernels.settings import get_precision, get_winograd, set_precision, set_winograd
from .kernels.workspace import get_workspace_limit, set_workspace_limit

__all__ = [
    "empty_cache",
    "get_precision",
    "get_winograd",
    "get_workspace_limit",
    "set_precision",
    "set_winograd",
    "set_workspace_limit",
]


def empty_cache():
    """Return all memory that is kept for the next large arrays to the system, that of GPUs too.

    As `torch.cuda.empty_cache`; what arrays in use occupy stays.
    """
    workspace.empty_cache()
    cupy = sys.modules.get("cupy")  # arrays can lie on a GPU only if it was imported
    if cupy is not None:
        cupy.get_default_memory_pool().free_all_blocks()
