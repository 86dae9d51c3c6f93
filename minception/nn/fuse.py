"""`Module.fuse`: a network for evaluation, in which batch norm and ReLU are parts of the convolutions before them.

In evaluation batch norm is a constant map of each channel, y = gamma (x - mean) / sqrt(var + eps) + beta, so a
convolution with weights w and bias b, and batch norm after it, are one convolution (Jacob et al., "Quantization and
training of neural networks for efficient integer-arithmetic-only inference", 2018, equation 14) with

    w' = w gamma / sqrt(var + eps)        b' = beta + (b - mean) gamma / sqrt(var + eps)

Which layers follow each other is not read from the code of the networks: the network runs once, on a small image, and
the graph that autograd records shows whether a convolution's output has one consumer, a batch norm, and so on.
"""

import copy
from collections import defaultdict

import numpy as np

from .. import functional as F
from .. import kernels
from ..autograd import Function, count_consumers, enable_grad
from ..kernels.arrays import array_module
from ..kernels.transfer import on_device_of
from ..tensor import Tensor
from .activation import ReLU
from .convolution import Conv2d, DepthwiseConv2d
from .module import Module
from .normalization import BatchNorm2d, BatchNormReLU2d
from .shape import Identity

__all__ = ["FusedConv2d", "fuse"]

CONVOLUTIONS = (Conv2d, DepthwiseConv2d)
SIZES = (32, 64, 128, 224, 299)  # of square images to try where none is given


class FusedConv2d(Module):
    """A convolution for evaluation, with the batch norm and the ReLU after it; made by `Module.fuse`.

    `before`: the FusedConv2d of a depthwise convolution, which then runs first.

    (N, in_channels, H, W) to (N, out_channels, OH, OW). Its weights are neither parameters nor buffers, and have no
    gradients: it raises RuntimeError for an input that needs one, and in `train()`.
    """

    _only_evaluates = True

    def __init__(self, convolution, norm=None, relu=False, before=None):
        super().__init__()
        c = convolution
        geometry = {"stride": c.stride, "padding": c.padding, "dilation": c.dilation, "groups": c.groups}
        before_it = None if before is None else before.prepared
        with on_device_of(c.weight._array):
            self.prepared = kernels.conv2d_prepare(*fold(c, norm), **geometry, relu=relu, before=before_it)
        self.training = False
        self.text = convolution.extra_repr() + (", batch norm" if norm is not None else "") + (", ReLU" if relu else "")
        if before is not None:
            self.text = f"({before.text}), {self.text}"

    def forward(self, input):
        return F.conv2d_prepared(input, self.prepared)

    def extra_repr(self):
        return self.text


def fold(convolution, norm):
    """Weight and bias, or None, of a convolution and the batch norm after it, or None: arrays of the weight's dtype.

    They are computed in float64 and rounded once, where the weights lie.
    """
    weight, bias = convolution.weight._array, None if convolution.bias is None else convolution.bias._array
    if norm is None:
        return weight, bias
    mean, var = (statistic._array.astype(np.float64) for statistic in (norm.running_mean, norm.running_var))
    with np.errstate(all="ignore"):
        scale = 1 / array_module(var).sqrt(var + norm.eps)
        if norm.weight is not None:
            scale = scale * norm.weight._array
        shift = (0.0 if bias is None else bias) - mean
        shift = shift * scale + (0.0 if norm.bias is None else norm.bias._array)
        return (weight * scale[:, None, None, None]).astype(weight.dtype), shift.astype(weight.dtype)


def fuse(model, example=None):
    """`Module.fuse`."""
    if example is not None and not isinstance(example, Tensor):
        raise TypeError(f"fuse: example must be a Tensor, got {type(example).__name__}")
    if any(module._only_evaluates for module in model.modules()):  # is fused
        return copy.deepcopy(model)
    replacements, made = {}, {}
    for convolution, norm, relu, depthwise in _find_chains(model, example):
        folds_relu = relu is not None or isinstance(norm, BatchNormReLU2d)
        made[convolution] = FusedConv2d(convolution, norm, folds_relu, made.get(depthwise))
        replacements[id(convolution)] = made[convolution]
        replacements |= {id(layer): Identity() for layer in (norm, relu, depthwise) if layer is not None}
    # A copy in which, wherever a replaced layer stood, its replacement stands.
    fused = copy.deepcopy(model, replacements)
    fused.zero_grad()
    return fused.requires_grad_(False).eval()


def _find_chains(model, example):
    """All chains of the model, in the order in which they ran: (convolution, the batch norm after it or None, the ReLU
    layer after both or None, the depthwise convolution whose chain leads to this pointwise one or None)."""
    calls, outputs = _record(model, example)
    nodes = {t.grad_fn for t in outputs}
    consumers = count_consumers(*nodes)
    for node in nodes:
        consumers[node] += 1  # whoever gets the output
    follower = defaultdict(list)
    for layer, pairs in calls.items():
        for read, _ in pairs:
            follower[read].append(layer)

    def next_layer(layer, kinds):
        """The only layer that reads what `layer` makes, if it is of these kinds and both run once."""
        made = calls[layer][0][1]
        if len(calls[layer]) != 1 or consumers.get(made) != 1 or len(follower[made]) != 1:
            return None
        (after,) = follower[made]
        return after if type(after) in kinds and len(calls[after]) == 1 else None

    depthwise = {}  # by the pointwise convolution after it
    for layer in calls:
        if type(layer) in CONVOLUTIONS:
            norm = next_layer(layer, (BatchNorm2d, BatchNormReLU2d))
            if norm is not None and norm.running_mean is None:  # normalises by the batch
                norm = None
            last = layer if norm is None else norm
            relu = None if type(last) is BatchNormReLU2d else next_layer(last, (ReLU,))
            after = next_layer(last if relu is None else relu, (Conv2d,))
            if _is_depthwise(layer) and after is not None and _is_pointwise(after):
                depthwise[after] = layer
            yield layer, norm, relu, depthwise.get(layer)


def _is_depthwise(convolution):
    return 1 < convolution.groups == convolution.in_channels == convolution.out_channels


def _is_pointwise(convolution):
    return convolution.groups == 1 and convolution.weight.shape[2:] == (1, 1)


def _record(model, example):
    """Run the model in evaluation mode.

    Returns, for each layer that may be part of a chain, its calls as (node that made its input, node that made its
    output), and the tensors that the model returned.
    """
    calls = defaultdict(list)

    def record(layer, arguments, output):
        calls[layer].append((arguments[0].grad_fn, output.grad_fn))

    modes = [(module, module.training) for module in model.modules()]
    kinds = (*CONVOLUTIONS, BatchNorm2d, BatchNormReLU2d, ReLU)
    layers = [m for m in model.modules() if type(m) in kinds and not (m._forward_hooks or m._forward_pre_hooks)]
    hooks = [layer.register_forward_hook(record) for layer in layers]
    try:
        with enable_grad():
            output = _run(model.eval(), example, calls)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    return calls, list(_tensors(output))


def _run(model, example, calls):
    """What the model makes of the example, or of zeros of the first size that it takes; everything is recorded."""
    if example is not None:
        return model(example.detach().requires_grad_())
    first = next((module for module in model.modules() if type(module) in CONVOLUTIONS), None)
    channels = getattr(model, "in_channels", 3 if first is None else first.in_channels)
    dtype, device = next(((p.dtype, p.device) for p in model.parameters()), (np.dtype(np.float32), "cpu"))
    smallest = getattr(model, "least_size", None)
    for size in SIZES if smallest is None else (smallest, *SIZES):
        calls.clear()
        try:
            return model(Tensor(np.zeros((1, channels, size, size), dtype), requires_grad=True, device=device))
        except ValueError as error:
            refused = error
    raise ValueError(
        f"fuse: {type(model).__name__} took no image of {channels} channels and {SIZES} pixels a side; give fuse an "
        f"example of its input. It said last: {refused}"
    ) from refused


def _tensors(value):
    """The tensors that were recorded in what a model returned: a tensor, or tensors in tuples, lists and dicts."""
    if isinstance(value, Tensor):
        if isinstance(value.grad_fn, Function):
            yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
