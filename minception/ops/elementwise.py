"""Elementwise functions of one tensor, and the choice between two."""

import numpy as np

from ..autograd import Function, no_grad
from ..device import require_one_device
from ..kernels.arrays import array_module
from ..kernels.transfer import device_of, on_device_of, to_numpy
from ..promotion import DEFAULT_FLOAT, as_array, result_dtype
from ..tensor import Tensor
from .arguments import operand, raw_array, require_broadcast
from .broadcasting import cast, promoted, unbroadcast


class Exp(Function):
    """y = exp(x);  dx = dy * y"""

    def forward(self, x):
        y = array_module(x).exp(x)
        self.save(y=y)
        return y

    def backward(self, grad_output):
        return grad_output * self.saved.y


class Log(Function):
    """y = log(x);  dx = dy / x"""

    def forward(self, x):
        self.save(x=x)
        return array_module(x).log(x)

    def backward(self, grad_output):
        return grad_output / self.saved.x


class Sqrt(Function):
    """y = sqrt(x);  dx = dy / (2 y)"""

    def forward(self, x):
        y = array_module(x).sqrt(x)
        self.save(y=y)
        return y

    def backward(self, grad_output):
        return grad_output / (2 * self.saved.y)


class Abs(Function):
    """y = |x|;  dx = dy * sign(x)"""

    def forward(self, x):
        self.save(x=x)
        return array_module(x).abs(x)

    def backward(self, grad_output):
        return grad_output * array_module(grad_output).sign(self.saved.x)


class Tanh(Function):
    """y = tanh(x);  dx = dy * (1 - y**2)"""

    def forward(self, x):
        y = array_module(x).tanh(x)
        self.save(y=y)
        return y

    def backward(self, grad_output):
        return grad_output * (1 - self.saved.y**2)


class Sigmoid(Function):
    """y = 1 / (1 + exp(-x));  dx = dy * y * (1 - y)"""

    def forward(self, x):
        xp = array_module(x)
        decay = xp.exp(-xp.abs(x))  # never overflows
        y = xp.where(x >= 0, 1, decay) / (1 + decay)
        self.save(y=y)
        return y

    def backward(self, grad_output):
        y = self.saved.y
        return grad_output * (y * (1 - y))


class Clip(Function):
    """y = min(max(x, low), high);  dx = dy where low <= x <= high"""

    def forward(self, x, low, high):
        self.save(x=x)
        self.low, self.high = low, high
        return array_module(x).clip(x, low, high)

    def backward(self, grad_output):
        x, xp = self.saved.x, array_module(grad_output)
        inside = xp.ones(x.shape, bool)
        if self.low is not None:
            inside &= x >= self.low
        if self.high is not None:
            inside &= x <= self.high
        return xp.where(inside, grad_output, xp.zeros_like(grad_output))


class Extremum(Function):
    """Elementwise maximum or minimum of two tensors; where they are equal, each gets half the gradient."""

    def forward(self, a, b, largest):
        self.save(a=a, b=b)
        self.largest = largest
        xp = array_module(a)
        return xp.maximum(a, b) if largest else xp.minimum(a, b)

    def backward(self, grad_output):
        a, b, xp = self.saved.a, self.saved.b, array_module(grad_output)
        shared = xp.where(a == b, grad_output / 2, grad_output)
        a_loses, b_loses = (a < b, a > b) if self.largest else (a > b, a < b)
        zero = xp.zeros_like(grad_output)
        return (
            unbroadcast(xp.where(a_loses, zero, shared), a.shape),
            unbroadcast(xp.where(b_loses, zero, shared), b.shape),
        )


class Where(Function):
    """y = a where `condition`, else b"""

    def forward(self, a, b, condition):
        self.save(condition=condition)
        self.shapes = a.shape, b.shape
        return array_module(a).where(condition, a, b)

    def backward(self, grad_output):
        xp = array_module(grad_output)
        condition, zero = self.saved.condition, xp.zeros_like(grad_output)
        return (
            unbroadcast(xp.where(condition, grad_output, zero), self.shapes[0]),
            unbroadcast(xp.where(condition, zero, grad_output), self.shapes[1]),
        )


def _elementwise(function, text):
    name = function.__name__.lower()

    def operation(x):
        x = operand(name, x)
        return function.apply(x if x.is_floating_point() else cast(x, DEFAULT_FLOAT))

    operation.__doc__ = f"{text}, elementwise; integers become float32."
    operation.__name__ = operation.__qualname__ = name
    return operation


exp = _elementwise(Exp, "e ** x")
log = _elementwise(Log, "Natural logarithm")
sqrt = _elementwise(Sqrt, "Square root")
tanh = _elementwise(Tanh, "Hyperbolic tangent")
sigmoid = _elementwise(Sigmoid, "1 / (1 + e ** -x)")


def absolute(x):
    """|x|, elementwise."""
    return Abs.apply(operand("abs", x))


def clip(x, min=None, max=None):
    """x limited to [min, max], numbers or None; where min > max, max. An integer tensor with float bounds: float32."""
    if min is None and max is None:
        raise ValueError("clip: at least one of min and max must be given")
    x = operand("clip", x)
    low, high = (_bound(argument, bound) for argument, bound in (("min", min), ("max", max)))
    dtype = result_dtype(x._array, *(bound for bound in (low, high) if bound is not None))
    return Clip.apply(cast(x, dtype), low=low, high=high)


def _bound(argument, value):
    """A bound of `clip` as a Python number, or None."""
    if value is None:
        return None
    as_array(value, name=f"clip: {argument}")
    value = to_numpy(value._array) if isinstance(value, Tensor) else np.asarray(value)
    if value.size != 1:
        raise ValueError(f"clip: {argument} must be a number, got shape {value.shape}")
    return value.item()


def maximum(a, b):
    """The larger of two tensors, elementwise with broadcasting."""
    return Extremum.apply(*promoted("maximum", a, b), largest=True)


def minimum(a, b):
    """The smaller of two tensors, elementwise with broadcasting."""
    return Extremum.apply(*promoted("minimum", a, b), largest=False)


def where(condition, a, b):
    """`a` where `condition` (bool) is true, else `b`, with broadcasting."""
    tensors = [value for value in (condition, a, b) if isinstance(value, Tensor)]
    condition = raw_array(condition, tensors[0].device if tensors else "cpu")
    if condition.dtype != np.bool_:
        raise TypeError(f"where: condition must be bool, got {condition.dtype}")
    with on_device_of(condition):
        condition = condition.copy()  # kept for backward
    a, b = promoted("where", a, b, device=device_of(condition))
    require_broadcast("where", condition.shape, a.shape, b.shape)
    return Where.apply(a, b, condition=condition)


def compare(a, b, comparison):
    """Bool tensor of an elementwise comparison after promotion; never recorded."""
    with no_grad():
        a, b = promoted("comparison", a, b)
    require_one_device("comparison", a._array, b._array)
    with on_device_of(a._array):
        return Tensor._wrap(comparison(a._array, b._array))
