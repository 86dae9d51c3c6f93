"""How many threads the engine uses."""

from .kernels.threads import get_num_threads, set_num_threads

__all__ = ["get_num_threads", "set_num_threads"]
