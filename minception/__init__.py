"""minception: a tensor engine to read, and the Inception family trained on it."""

try:
    from . import kernels
except ImportError as error:
    if error.name != "minception.kernels" and "kernels" not in str(error):
        raise
    raise ImportError(
        "minception.kernels is not installed: Python found the source folder instead of the installed package; "
        "run `pip install -e .` in the source folder, or start Python elsewhere"
    ) from error

from .tensor import Tensor, as_tensor, from_numpy  # before the operations, which need Tensor

# isort: split

from . import amp, cuda, functional, nn, optim
from .autograd import Function, enable_grad, is_grad_enabled, no_grad
from .functional import cat, concatenate, stack, where
from .gradcheck import gradcheck
from .kernels import use_kernels
from .random import default_generator, manual_seed
from .settings import (
    empty_cache,
    get_precision,
    get_winograd,
    get_workspace_limit,
    set_precision,
    set_winograd,
    set_workspace_limit,
)
from .threads import get_num_threads, set_num_threads
from .weights import load_weights, save_weights

__version__ = "0.1.0"

__all__ = [
    "Function",
    "Tensor",
    "amp",
    "as_tensor",
    "cat",
    "concatenate",
    "cuda",
    "default_generator",
    "empty_cache",
    "enable_grad",
    "from_numpy",
    "functional",
    "get_num_threads",
    "get_precision",
    "get_winograd",
    "get_workspace_limit",
    "gradcheck",
    "is_grad_enabled",
    "kernels",
    "load_weights",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "save_weights",
    "set_num_threads",
    "set_precision",
    "set_winograd",
    "set_workspace_limit",
    "stack",
    "use_kernels",
    "where",
]
