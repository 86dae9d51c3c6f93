"""Kernels: plain functions from arrays to arrays. Nothing here knows of tensors or graphs.

`minception.kernels.NAME` runs the kernel in the home that fits where the array lives (see `dispatch`);
`minception.kernels.reference.NAME` is always the textbook version in NumPy, where each contract is written.
"""

from . import reference
from .dispatch import dispatched, use_kernels

__all__ = ["reference", "use_kernels", *reference.__all__]

globals().update(
    {
        name: getattr(reference, name) if isinstance(getattr(reference, name), type) else dispatched(name)
        for name in reference.__all__
    }
)
