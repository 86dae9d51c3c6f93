"""The affine map."""

from .. import kernels
from ..autograd import Function


class Linear(Function):
    """Y = X W^T + b"""

    def forward(self, x, weight, bias):
        self.save(x=x if self.needs_input_grad[1] else None, weight=weight if self.needs_input_grad[0] else None)
        return kernels.linear(x, weight, bias)

    def backward(self, grad_output):
        x, weight = self.saved.x, self.saved.weight
        grad_x = grad_weight = grad_bias = None
        if self.needs_input_grad[0]:
            grad_x = kernels.linear_backward_input(grad_output, weight)
        if self.needs_input_grad[1]:
            grad_weight = kernels.linear_backward_weight(grad_output, x)
        if self.needs_input_grad[2]:
            grad_bias = kernels.linear_backward_bias(grad_output)
        return grad_x, grad_weight, grad_bias


def linear(input, weight, bias=None):
    """input (..., I) times weight (O, I) transposed, plus bias (O,): (..., O)."""
    return Linear.apply(input, weight, bias)
