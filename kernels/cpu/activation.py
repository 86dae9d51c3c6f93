"""ReLU in one pass over memory, divided among the threads. Contracts: `reference/activation.py`."""

import numpy as np

from .. import checks
from ..reference import activation as reference
from ..threads import run_parts
from .compile import compiled
from .rows import flat_view, like

__all__ = ["relu", "relu_backward"]


@compiled
def _mask(grad_output, output, out):
    zero = grad_output.dtype.type(0)  # a plain 0 would turn the loop into float64
    for i in range(output.size):
        out[i] = zero if output[i] <= zero else grad_output[i]


def relu(x):
    """See `reference.relu`."""
    checks.floating("relu", x=x)
    flat = flat_view(x)
    if flat is None or x.size == 0:
        return reference.relu(x)
    out, flat_out = like(x)
    run_parts(lambda i, j: np.maximum(flat[i:j], 0, out=flat_out[i:j]), flat.size)
    return out


def relu_backward(grad_output, output):
    """See `reference.relu_backward`."""
    flat = flat_view(output)
    alike = grad_output.dtype == output.dtype and grad_output.shape == output.shape
    if flat is None or output.ndim == 0 or output.size == 0 or not alike:
        return reference.relu_backward(grad_output, output)
    checks.floating("relu_backward", grad_output=grad_output, output=output)
    out, flat_out = like(output)
    if grad_output.strides == output.strides:
        flat_grad = flat_view(grad_output)
    else:  # most often a slice of channels: bring it into the order of `output` first
        run_parts(lambda i, j: np.copyto(out[i:j], grad_output[i:j]), len(out))
        flat_grad = flat_out
    run_parts(lambda i, j: _mask(flat_grad[i:j], flat[i:j], flat_out[i:j]), flat.size)
    return out
