"""The fully connected layer."""

import numpy as np

from .. import functional as F
from ..kernels.checks import integer
from . import init
from .module import Module
from .parameter import Parameter


class Linear(Module):
    """y = x W^T + b over the last axis: (..., in_features) to (..., out_features).

    Parameters: `weight` (out_features, in_features) and, with `bias`, `bias` (out_features,). Raises ValueError for
    sizes below 1, TypeError for sizes that are not integers.
    """

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        for argument, value in (("in_features", in_features), ("out_features", out_features)):
            if integer("Linear", argument, value) < 1:
                raise ValueError(f"Linear: {argument} must be a positive integer, got {value}")
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.zeros((out_features, in_features), np.float32))
        self.register_parameter("bias", Parameter(np.zeros(out_features, np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias from U(-1/sqrt(in_features), 1/sqrt(in_features)), PyTorch's default."""
        init.fan_in_uniform_(self.weight, self.bias)

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )
