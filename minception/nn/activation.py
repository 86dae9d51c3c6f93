"""Activation layers, elementwise or along one axis."""

from .. import functional as F
from ..kernels.checks import integer, real
from .module import Module


class ReLU(Module):
    """max(x, 0), with gradient 0 at 0. PyTorch's `inplace` is not offered."""

    def forward(self, input):
        return F.relu(input)


class ELU(Module):
    """x where x > 0, alpha * (exp(x) - 1) elsewhere: Clevert, Unterthiner and Hochreiter, "Fast and Accurate Deep
    Network Learning by Exponential Linear Units" (2016), section 3. PyTorch's `inplace` is not offered.
    Raises TypeError for an alpha that is not a real number."""

    def __init__(self, alpha=1.0):
        super().__init__()
        real("ELU", "alpha", alpha)
        self.alpha = alpha

    def forward(self, input):
        return F.elu(input, self.alpha)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class Softmax(Module):
    """exp(x) / sum of exp(x) along the axis `dim`, which must be given: TypeError if it is not an integer."""

    def __init__(self, dim):
        super().__init__()
        self.dim = integer(type(self).__name__, "dim", dim)

    def forward(self, input):
        return F.softmax(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of `Softmax` along the axis `dim`, which must be given: TypeError if it is not an integer."""

    def __init__(self, dim):
        super().__init__()
        self.dim = integer(type(self).__name__, "dim", dim)

    def forward(self, input):
        return F.log_softmax(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"
