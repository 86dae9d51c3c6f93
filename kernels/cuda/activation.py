"""ReLU, see `activation.cu`. Contracts: `reference/activation.py`."""

import math

from .. import checks
from ..arrays import array_module
from .launch import blocks_for, launch

__all__ = ["relu", "relu_backward"]


def _memory_order(x):
    """The axes of x from the outermost in memory to the innermost: transposed so, most arrays are C-contiguous.

    Those along which nothing changes, with a stride of 0, count as outermost.
    """
    return sorted(range(x.ndim), key=lambda axis: -(abs(x.strides[axis]) or math.inf))


def _elementwise(name, like, *others):
    """Run a kernel of `activation.cu`; the result has the shape, the dtype and the order in memory of `like`."""
    xp, order = array_module(like), _memory_order(like)
    arrays = [xp.ascontiguousarray(array.transpose(order)) for array in (*others, like)]
    result = xp.empty([like.shape[axis] for axis in order], like.dtype)
    launch("activation.cu", name, like.dtype, *blocks_for(result.size), *arrays, result, result.size)
    return result.transpose(sorted(range(like.ndim), key=order.__getitem__))


def relu(x):
    """See `reference.relu`."""
    checks.floating("relu", x=x)
    return _elementwise("relu", x)


def relu_backward(grad_output, output):
    """See `reference.relu_backward`."""
    checks.floating("relu_backward", grad_output=grad_output, output=output)
    checks.shape("relu_backward", "grad_output", grad_output, output.shape, "that of output")
    return _elementwise("relu_backward", output, grad_output)
