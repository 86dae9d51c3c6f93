"""Operands of elementwise operations: promoted to one dtype, broadcast, and the sum that undoes broadcasting."""

import numpy as np

from ..autograd import Function
from ..kernels.transfer import device_of, to_device
from ..promotion import DEFAULT_FLOAT, as_array, result_dtype
from ..tensor import Tensor
from .arguments import require_broadcast


def total(x, axes=None, keepdims=False):
    """Sum of an array over axes. float32 accumulates in float64: NumPy adds float32 naively along outer axes."""
    if x.dtype != np.float32:
        return x.sum(axis=axes, keepdims=keepdims)
    return x.sum(axis=axes, keepdims=keepdims, dtype=np.float64).astype(np.float32)


def unbroadcast(grad, shape):
    """Sum `grad` over the axes along which an operand of `shape` was repeated: the adjoint of broadcasting."""
    if grad.shape == shape:
        return grad
    leading = grad.ndim - len(shape)
    repeated = tuple(range(leading)) + tuple(
        leading + axis for axis, size in enumerate(shape) if size == 1 and grad.shape[leading + axis] != 1
    )
    return total(grad, repeated, keepdims=True).reshape(shape)


def promoted(name, *operands, floating=False, device=None):
    """Tensors of one dtype, PyTorch's result type, from tensors, arrays and Python numbers; float32 instead of
    integers if `floating`.

    Numbers, and NumPy arrays and tensors on the CPU that hold just one and have no dimensions, go where the others are,
    as in PyTorch: to `device` or the first tensor's.

    Raises, in the name of the operation, TypeError for an operand that is none of these, ValueError for shapes that
    do not broadcast.
    """
    operands = [operand if isinstance(operand, Tensor) else _checked(name, operand) for operand in operands]
    require_broadcast(name, *(_shape(operand) for operand in operands))
    dtype = result_dtype(*(getattr(operand, "_array", operand) for operand in operands))
    if floating and dtype.kind != "f":
        dtype = DEFAULT_FLOAT
    made = [cast(operand, dtype) if isinstance(operand, Tensor) else Tensor(operand, dtype) for operand in operands]
    known = [t.device for t in made if t.ndim or t.device != "cpu"]
    device = device or next((place for place in known if place != "cpu"), "cpu")
    return [move(t, device) if t.ndim == 0 and t.device == "cpu" else t for t in made]


def _shape(operand):
    return operand.shape if hasattr(operand, "shape") else np.shape(operand)


def _checked(name, operand):
    """The operand as it is: a number or nested lists are rounded once, when the result's dtype is known."""
    if not isinstance(operand, (bool, int, float)):
        as_array(operand, name=name)
    return operand


class Cast(Function):
    """Change of dtype; the gradient is cast back."""

    def forward(self, x, dtype):
        return x.astype(dtype)

    def backward(self, grad_output):
        return grad_output


class ToDevice(Function):
    """A copy on another device; the gradient goes the way back"""

    def forward(self, x, device):
        self.source = device_of(x)
        return to_device(x, device)

    def backward(self, grad_output):
        return to_device(grad_output, self.source)


def move(x, device):
    """`x` on the device "cpu" or "cuda:N"; `x` itself if it is there."""
    return x if x.device == device else ToDevice.apply(x, device=device)


def cast(x, dtype):
    """`x` in another dtype; `x` itself if it has it already. From floating to integer nothing is recorded."""
    return x if x.dtype == dtype else Cast.apply(x, dtype=dtype)
