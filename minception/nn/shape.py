"""Layers that rearrange or pass on their input."""

from .. import functional as F
from ..kernels.checks import integer
from .module import Module


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` (inclusive): by default all but the batch.

    Raises TypeError for axes that are not integers.
    """

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = integer("Flatten", "start_dim", start_dim)
        self.end_dim = integer("Flatten", "end_dim", end_dim)

    def forward(self, input):
        return F.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Returns its input. Takes any arguments and ignores them, so that it can stand in for another layer."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return input
