"""Activations, softmax and dropout."""

from .. import kernels
from ..autograd import Function
from ..kernels.checks import real
from ..random import default_generator
from .arguments import require_tensors


class ReLU(Function):
    """y = max(x, 0);  dx = dy where y > 0"""

    def forward(self, x):
        y = kernels.relu(x)
        self.save(y=y)
        return y

    def backward(self, grad_output):
        return kernels.relu_backward(grad_output, self.saved.y)


class ELU(Function):
    """y = x where x > 0, else alpha (exp(x) - 1)"""

    def forward(self, x, alpha):
        self.save(x=x)
        self.alpha = alpha
        return kernels.elu(x, alpha)

    def backward(self, grad_output):
        return kernels.elu_backward(grad_output, self.saved.x, self.alpha)


class Softmax(Function):
    """y = exp(x) / sum exp(x);  dx = y (dy - sum dy y)"""

    def forward(self, x, axis):
        y = kernels.softmax(x, axis)
        self.save(y=y)
        self.axis = axis
        return y

    def backward(self, grad_output):
        return kernels.softmax_backward(grad_output, self.saved.y, self.axis)


class LogSoftmax(Function):
    """y = x - log sum exp(x);  dx = dy - exp(y) sum dy"""

    def forward(self, x, axis):
        y = kernels.log_softmax(x, axis)
        self.save(y=y)
        self.axis = axis
        return y

    def backward(self, grad_output):
        return kernels.log_softmax_backward(grad_output, self.saved.y, self.axis)


class Dropout(Function):
    """y = x * mask, mask drawn from {0, 1 / (1 - p)};  dx = dy * mask"""

    def forward(self, x, p, generator):
        y, mask = kernels.dropout(x, p, generator)
        self.save(mask=mask)
        return y

    def backward(self, grad_output):
        return kernels.dropout_backward(grad_output, self.saved.mask)


def relu(input):
    """max(input, 0), elementwise."""
    return ReLU.apply(input)


def elu(input, alpha=1.0):
    """input where positive, else alpha * (exp(input) - 1), elementwise."""
    return ELU.apply(input, alpha=alpha)


def softmax(input, dim):
    """Softmax along the axis `dim`: positive, and summing to 1."""
    return Softmax.apply(input, axis=dim)


def log_softmax(input, dim):
    """Logarithm of the softmax along the axis `dim`, computed without overflow."""
    return LogSoftmax.apply(input, axis=dim)


def dropout(input, p=0.5, training=True, generator=None):
    """In training, zero each element with probability `p` and divide the others by 1 - p; else the input itself.

    Draws from `generator`, a `numpy.random.Generator`, by default `minception.default_generator()`. Raises
    ValueError unless 0 <= p <= 1, TypeError for a `p` that is not a real number.
    """
    require_tensors("dropout", input=input)
    p = real("dropout", "p", p)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must be between 0 and 1, got {p}")
    if not training or p == 0:
        return input
    return Dropout.apply(input, p=p, generator=default_generator() if generator is None else generator)
