"""Convolutions."""

from .. import kernels, tensor
from ..autograd import Function, is_grad_enabled
from ..device import require_one_device
from ..kernels.checks import floating, integer
from ..kernels.conv_geometry import separable_geometry
from ..kernels.transfer import on_device_of
from .arguments import require_tensors


class Conv2d(Function):
    """Y[n, o, y, x] = bias[o] + sum over i, kh, kw of W[o, i, kh, kw] X[n, i, y * stride + kh, x * stride + kw]"""

    adds_to_sum = True

    def forward(self, x, weight, bias, **geometry):
        self.shapes = x.shape, weight.shape
        self.save(x=x if self.needs_input_grad[1] else None, weight=weight if self.needs_input_grad[0] else None)
        self.geometry = geometry
        return kernels.conv2d(x, weight, bias, **geometry)

    def backward(self, grad_output):
        x, weight = self.saved.x, self.saved.weight
        grad_x = grad_weight = grad_bias = None
        if self.needs_input_grad[0]:
            so_far = self.take_sum()
            grad_x = kernels.conv2d_backward_input(
                grad_output, weight, self.shapes[0], **self.geometry, add_to=so_far
            )
        if self.needs_input_grad[1]:
            grad_weight = kernels.conv2d_backward_weight(grad_output, x, self.shapes[1], **self.geometry)
        if self.needs_input_grad[2]:
            grad_bias = kernels.conv2d_backward_bias(grad_output)
        return grad_x, grad_weight, grad_bias


class DepthwiseConv2d(Function):
    """Each channel convolved with its own filters: a convolution with as many groups as channels."""

    def forward(self, x, weight, bias, **geometry):
        self.shapes = x.shape, weight.shape
        self.save(x=x if self.needs_input_grad[1] else None, weight=weight if self.needs_input_grad[0] else None)
        self.geometry = geometry
        return kernels.depthwise_conv2d(x, weight, bias, **geometry)

    def backward(self, grad_output):
        x, weight = self.saved.x, self.saved.weight
        grad_x = grad_weight = grad_bias = None
        if self.needs_input_grad[0]:
            grad_x = kernels.depthwise_conv2d_backward_input(grad_output, weight, self.shapes[0], **self.geometry)
        if self.needs_input_grad[1]:
            grad_weight = kernels.depthwise_conv2d_backward_weight(grad_output, x, self.shapes[1], **self.geometry)
        if self.needs_input_grad[2]:
            grad_bias = kernels.conv2d_backward_bias(grad_output)
        return grad_x, grad_weight, grad_bias


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of images (N, C, H, W) with filters (O, C / groups, KH, KW): (N, O, OH, OW).

    Arguments and errors: see `minception.kernels.reference.conv2d`. With one group for each of several channels
    it runs as a depthwise convolution.
    """
    require_tensors("conv2d", input=input, weight=weight)
    groups = integer("conv2d", "groups", groups)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation}
    if groups > 1 and input.ndim == 4 and weight.ndim == 4 and groups == input.shape[1] and weight.shape[1] == 1:
        return DepthwiseConv2d.apply(input, weight, bias, **geometry)
    return Conv2d.apply(input, weight, bias, **geometry, groups=groups)


def depthwise_conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1):
    """Convolution of each channel of (N, C, H, W) with its own M filters (C * M, 1, KH, KW): (N, C * M, OH, OW).

    Arguments and errors: see `minception.kernels.reference.depthwise_conv2d`.
    """
    require_tensors("depthwise_conv2d", input=input, weight=weight)
    return DepthwiseConv2d.apply(input, weight, bias, stride=stride, padding=padding, dilation=dilation)


def separable_conv2d(input, depthwise_weight, pointwise_weight, bias=None, stride=1, padding=0, dilation=1):
    """Depthwise convolution, then a 1x1 convolution that mixes the channels (Chollet 2017, section 2).

    Arguments and errors: see `minception.kernels.reference.separable_conv2d`.
    """
    name = "separable_conv2d"
    require_tensors(name, input=input, depthwise_weight=depthwise_weight, pointwise_weight=pointwise_weight)
    floating(name, x=input._array, depthwise_weight=depthwise_weight._array, pointwise_weight=pointwise_weight._array)
    shapes = input.shape, depthwise_weight.shape, pointwise_weight.shape
    separable_geometry(name, *shapes, stride, padding, dilation)
    return conv2d(
        depthwise_conv2d(input, depthwise_weight, None, stride, padding, dilation), pointwise_weight, bias
    )


def conv2d_prepared(input, prepared):
    """A convolution of images (N, C, H, W) for evaluation, with weights made ready by `kernels.conv2d_prepare`.

    Arguments and errors: see `minception.kernels.reference.conv2d_prepared`. It has no gradient: raises RuntimeError
    for an input that requires one, unless nothing is recorded.
    """
    require_tensors("conv2d_prepared", input=input)
    if input.requires_grad and is_grad_enabled():
        raise RuntimeError(
            "conv2d_prepared: a convolution made ready for evaluation has no gradient, but its input requires one; "
            "use the layers before fuse, or no_grad"
        )
    require_one_device("conv2d_prepared", input._array, getattr(prepared, "weight", None))
    with on_device_of(input._array):
        return tensor.Tensor._wrap(kernels.conv2d_prepared(input._array, prepared))
