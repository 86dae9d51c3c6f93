"""The operations as methods and operators of Tensor."""

import operator

import numpy as np

from ..device import parse_device
from ..kernels.checks import integer
from ..promotion import parse_dtype
from . import arithmetic, elementwise, reduction, shape
from .activation import relu
from .broadcasting import cast, move

METHODS = {
    "__add__": arithmetic.add,
    "__sub__": arithmetic.subtract,
    "__mul__": arithmetic.multiply,
    "__truediv__": arithmetic.divide,
    "__pow__": arithmetic.power,
    "__matmul__": arithmetic.matmul,
    "__neg__": arithmetic.negate,
    "__abs__": elementwise.absolute,
    "__getitem__": shape.getitem,
    "abs": elementwise.absolute,
    "amax": reduction.amax,
    "amin": reduction.amin,
    "argmax": reduction.argmax,
    "clamp": elementwise.clip,
    "clip": elementwise.clip,
    "clone": shape.clone,
    "exp": elementwise.exp,
    "expand": shape.expand,
    "flatten": shape.flatten,
    "log": elementwise.log,
    "matmul": arithmetic.matmul,
    "max": reduction.reduce_max,
    "mean": reduction.reduce_mean,
    "min": reduction.reduce_min,
    "permute": shape.permute,
    "pow": arithmetic.power,
    "relu": relu,
    "reshape": shape.reshape,
    "sigmoid": elementwise.sigmoid,
    "sqrt": elementwise.sqrt,
    "squeeze": shape.squeeze,
    "sum": reduction.reduce_sum,
    "tanh": elementwise.tanh,
    "transpose": shape.transpose,
    "unsqueeze": shape.unsqueeze,
    "var": reduction.reduce_var,
    "view": shape.reshape,
}

REFLECTED = {
    "__radd__": arithmetic.add,
    "__rsub__": arithmetic.subtract,
    "__rmul__": arithmetic.multiply,
    "__rtruediv__": arithmetic.divide,
    "__rpow__": arithmetic.power,
    "__rmatmul__": arithmetic.matmul,
}

COMPARISONS = {
    "__eq__": operator.eq,
    "__ne__": operator.ne,
    "__lt__": operator.lt,
    "__le__": operator.le,
    "__gt__": operator.gt,
    "__ge__": operator.ge,
}


def _reflected(operation):
    return lambda self, other: operation(other, self)


def _comparison(compare_arrays):
    def method(self, other):
        if other is None or isinstance(other, str):
            return NotImplemented  # Python's answer: == is False, < raises TypeError
        return elementwise.compare(self, other, compare_arrays)

    return method


def names_device(target):
    """Whether `to(target)` is about a device and not about a dtype."""
    return isinstance(target, str) and target.split(":")[0] in ("cpu", "cuda")


def to(self, target):
    """This tensor in another dtype, or on a device, "cpu", "cuda" or "cuda:N"; itself if that changes nothing.

    Moving is part of the graph: gradients go the way back. Raises TypeError for a dtype that is unknown or that
    tensors cannot have, RuntimeError for a device that is unknown or not there.
    """
    if names_device(target):
        return move(self, parse_device("to", target))
    return cast(self, parse_dtype("to", target))


def cuda(self, index=None):
    """`to("cuda")`, or with an index `to("cuda:INDEX")`."""
    return self.to("cuda" if index is None else f"cuda:{integer('cuda', 'index', index)}")


def cpu(self):
    """`to("cpu")`."""
    return self.to("cpu")


def attach_methods(tensor_class):
    """Give Tensor its operators and methods."""
    for name, operation in METHODS.items():
        setattr(tensor_class, name, operation)
    for name, operation in REFLECTED.items():
        setattr(tensor_class, name, _reflected(operation))
    for name, comparison in COMPARISONS.items():
        setattr(tensor_class, name, _comparison(comparison))
    tensor_class.to = tensor_class.astype = to
    tensor_class.cuda, tensor_class.cpu = cuda, cpu
    tensor_class.float = lambda self: cast(self, np.dtype(np.float32))
    tensor_class.double = lambda self: cast(self, np.dtype(np.float64))
    tensor_class.T = property(lambda self: self.permute(*range(self.ndim)[::-1]))
    tensor_class.__hash__ = object.__hash__
