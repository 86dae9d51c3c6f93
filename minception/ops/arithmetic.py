"""Arithmetic with broadcasting: sums, products, powers and matrix products."""

from .. import kernels
from ..autograd import Function
from ..kernels.arrays import array_module
from .arguments import operand, require_broadcast
from .broadcasting import promoted, unbroadcast


class Add(Function):
    """y = a + b"""

    def forward(self, a, b):
        self.shapes = a.shape, b.shape
        return a + b

    def backward(self, grad_output):
        return tuple(unbroadcast(grad_output, shape) for shape in self.shapes)


class Subtract(Function):
    """y = a - b"""

    def forward(self, a, b):
        self.shapes = a.shape, b.shape
        return a - b

    def backward(self, grad_output):
        return unbroadcast(grad_output, self.shapes[0]), unbroadcast(-grad_output, self.shapes[1])


class Multiply(Function):
    """y = a * b;  da = dy * b,  db = dy * a"""

    def forward(self, a, b):
        self.shapes = a.shape, b.shape
        self.save(a=a if self.needs_input_grad[1] else None, b=b if self.needs_input_grad[0] else None)
        return a * b

    def backward(self, grad_output):
        a, b = self.saved.a, self.saved.b
        return (
            None if b is None else unbroadcast(grad_output * b, self.shapes[0]),
            None if a is None else unbroadcast(grad_output * a, self.shapes[1]),
        )


class Divide(Function):
    """y = a / b;  da = dy / b,  db = -dy * a / b**2"""

    def forward(self, a, b):
        self.shapes = a.shape, b.shape
        self.save(a=a if self.needs_input_grad[1] else None, b=b)
        return a / b

    def backward(self, grad_output):
        a, b = self.saved.a, self.saved.b
        grad_a = grad_output / b
        return (
            unbroadcast(grad_a, self.shapes[0]) if self.needs_input_grad[0] else None,
            None if a is None else unbroadcast(-grad_a * (a / b), self.shapes[1]),
        )


class Power(Function):
    """y = a ** b;  da = dy * b * a**(b - 1),  db = dy * y * log(a), and 0 where a = 0 and b >= 0"""

    def forward(self, a, b):
        y = a**b
        self.save(a=a, b=b, y=y if self.needs_input_grad[1] else None)
        return y

    def backward(self, grad_output):
        a, b, y = self.saved.a, self.saved.b, self.saved.y
        xp, grad_a, grad_b = array_module(b), None, None
        if self.needs_input_grad[0]:
            grad_a = unbroadcast(xp.where(b == 0, 0, grad_output * (b * a ** (b - 1))), a.shape)
        if self.needs_input_grad[1]:
            grad_b = unbroadcast(xp.where((a == 0) & (b >= 0), 0, grad_output * (y * xp.log(a))), b.shape)
        return grad_a, grad_b


class Negate(Function):
    """y = -x"""

    def forward(self, x):
        return -x

    def backward(self, grad_output):
        return -grad_output


class MatMul(Function):
    """Y = A @ B over the last two axes, leading axes broadcast;  dA = dY @ B^T,  dB = A^T @ dY"""

    def forward(self, a, b):
        self.shapes = a.shape, b.shape
        self.save(a=a if self.needs_input_grad[1] else None, b=b if self.needs_input_grad[0] else None)
        return a @ b

    def backward(self, grad_output):
        a, b = self.saved.a, self.saved.b
        return (
            None if b is None else unbroadcast(grad_output @ b.swapaxes(-1, -2), self.shapes[0]),
            None if a is None else unbroadcast(a.swapaxes(-1, -2) @ grad_output, self.shapes[1]),
        )


class ScaledAdd(Function):
    """y = x + scale * z, without broadcasting: the residual sum of Inception-ResNet."""

    def forward(self, x, z, scale):
        self.scale = scale
        return kernels.scaled_add(x, z, scale)

    def backward(self, grad_output):
        return kernels.scaled_add_backward(grad_output, self.scale)


def add(a, b):
    """a + b with broadcasting."""
    return Add.apply(*promoted("add", a, b))


def subtract(a, b):
    """a - b with broadcasting."""
    return Subtract.apply(*promoted("subtract", a, b))


def multiply(a, b):
    """a * b with broadcasting."""
    return Multiply.apply(*promoted("multiply", a, b))


def divide(a, b):
    """a / b with broadcasting; integers divide to float32."""
    return Divide.apply(*promoted("divide", a, b, floating=True))


def power(a, b):
    """a ** b with broadcasting."""
    return Power.apply(*promoted("power", a, b))


def negate(x):
    """-x"""
    return Negate.apply(x)


def scaled_add(x, y, scale):
    """x + scale * y for tensors of one shape and dtype; `scale` is a number."""
    return ScaledAdd.apply(x, y, scale=scale)


def matmul(a, b):
    """Matrix product with PyTorch's rules: vectors are rows on the left, columns on the right; batches broadcast.

    Raises RuntimeError for different dtypes, ValueError for 0-d operands, sizes that do not match or batches that
    do not broadcast.
    """
    from .shape import squeeze, unsqueeze

    a, b = operand("matmul", a), operand("matmul", b)
    if a.dtype != b.dtype:
        raise RuntimeError(f"matmul: both operands must have one dtype, got {a.dtype} and {b.dtype}")
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: operands must have at least 1 dimension, got shapes {a.shape} and {b.shape}")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: inner sizes differ in shapes {a.shape} and {b.shape}")
    require_broadcast("matmul", a.shape[:-2], b.shape[:-2])
    row, column = a.ndim == 1, b.ndim == 1
    y = MatMul.apply(unsqueeze(a, 0) if row else a, unsqueeze(b, 1) if column else b)
    y = squeeze(y, -1) if column else y
    return squeeze(y, -1 if column else -2) if row else y
