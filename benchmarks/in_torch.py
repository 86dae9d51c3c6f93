"""The cases as calls of PyTorch's operators, without its autograd wherever the operator can be called directly."""

import math

from .cases import UPDATES
from .ours import block_of, labels_of


def prepare(case, channels_last, device="cpu"):
    """A function without arguments that does what the case says, once, and returns the tensor that it makes.

    To be called, both, where torch does not record gradients.
    """
    import torch

    def tensor(shape, seed=0):
        block, times = block_of(shape, seed)
        drawn = torch.from_numpy(block).to(device)
        drawn = (drawn.repeat(times)[: math.prod(shape)] if times > 1 else drawn).reshape(shape)
        if channels_last and drawn.ndim == 4:
            drawn = drawn.contiguous(memory_format=torch.channels_last)
        return drawn

    if case.operation in UPDATES:
        return _update(case, tensor)
    return OPERATIONS[case.operation](case.direction, case.shapes, dict(case.options), tensor)


def _convolution(direction, shapes, options, tensor):
    import torch

    x, weight = tensor(shapes[0]), tensor(shapes[1], 1)
    groups = shapes[0][1] // shapes[1][1]
    arguments = options["stride"], options["padding"], options["dilation"]
    if direction == "forward":
        return lambda: torch.conv2d(x, weight, None, *arguments, groups)
    grad = tensor(torch.conv2d(x, weight, None, *arguments, groups).shape, 2)
    mask = [direction == "input gradient", direction == "weight gradient", False]

    def backward():
        gradients = torch.ops.aten.convolution_backward(grad, x, weight, None, *arguments, False, [0, 0], groups, mask)
        return gradients[mask.index(True)]

    return backward


def _batch_norm_relu(direction, shapes, options, tensor):
    import torch

    aten = torch.ops.aten
    x = tensor(shapes[0])
    weight, bias, mean = (tensor(shapes[0][1:2], seed) for seed in (1, 2, 3))
    var = mean.abs() + 1
    if direction == "evaluation":
        return lambda: torch.relu_(torch.batch_norm(x, weight, bias, mean, var, False, 0.1, 1e-5, False))
    if direction == "forward":
        return lambda: torch.relu_(aten.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5)[0])
    y, mean, inverse_std = aten.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5)
    y, grad = torch.relu_(y), tensor(shapes[0], 4)

    def backward():
        grad_y = aten.threshold_backward(grad, y, 0)
        return aten.native_batch_norm_backward(
            grad_y, x, weight, None, None, mean, inverse_std, True, 1e-5, [True, True, True]
        )[0]

    return backward


def _max_pool2d(direction, shapes, options, tensor):
    import torch

    aten = torch.ops.aten
    x = tensor(shapes[0])
    window = (options[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    arguments = *window, options["ceil_mode"]
    y, indices = aten.max_pool2d_with_indices(x, *arguments)
    grad = tensor(y.shape, 1)
    if direction == "forward":
        return lambda: aten.max_pool2d_with_indices(x, *arguments)[0]
    return lambda: aten.max_pool2d_with_indices_backward(grad, x, *arguments, indices)


def _avg_pool2d(direction, shapes, options, tensor):
    import torch

    aten = torch.ops.aten
    x = tensor(shapes[0])
    window = (options[name] for name in ("kernel_size", "stride", "padding"))
    arguments = *window, options["ceil_mode"], options["count_include_pad"], None
    grad = tensor(aten.avg_pool2d(x, *arguments).shape, 1)
    if direction == "forward":
        return lambda: aten.avg_pool2d(x, *arguments)
    return lambda: aten.avg_pool2d_backward(grad, x, *arguments)


def _global_avg_pool2d(direction, shapes, options, tensor):
    x = tensor(shapes[0])
    grad = tensor((*shapes[0][:2], 1, 1), 1)
    if direction == "forward":
        return lambda: x.mean((2, 3), keepdim=True)
    return lambda: grad.expand(x.shape) / (x.shape[2] * x.shape[3])


def _relu(direction, shapes, options, tensor):
    import torch

    x, grad = tensor(shapes[0]), tensor(shapes[0], 1)
    y = torch.relu(x)
    return (
        (lambda: torch.relu(x)) if direction == "forward" else (lambda: torch.ops.aten.threshold_backward(grad, y, 0))
    )


def _local_response_norm(direction, shapes, options, tensor):
    """PyTorch composes it of several operators, so that its backward needs autograd."""
    import torch

    x, grad = tensor(shapes[0]), tensor(shapes[0], 1)
    norm = torch.nn.functional.local_response_norm
    if direction == "forward":
        return lambda: norm(x, **options)
    with torch.enable_grad():
        x.requires_grad_()
        y = norm(x, **options)
    return lambda: torch.autograd.grad(y, x, grad, retain_graph=True)[0]


def _add(direction, shapes, options, tensor):
    x, y = tensor(shapes[0]), tensor(shapes[0], 1)
    return lambda: x + y


def _concatenate(direction, shapes, options, tensor):
    import torch

    tensors = [tensor(shape, seed) for seed, shape in enumerate(shapes)]
    return lambda: torch.cat(tensors, 1)


def _softmax_cross_entropy(direction, shapes, options, tensor):
    import torch

    aten = torch.ops.aten
    logits = tensor(shapes[0])
    labels = torch.from_numpy(labels_of(shapes[0])).to(logits.device)
    if direction == "forward":
        return lambda: torch.nn.functional.cross_entropy(logits, labels)
    log_probabilities = torch.log_softmax(logits, 1)
    _, weight = aten.nll_loss_forward(log_probabilities, labels, None, 1, -100)
    one = torch.ones((), device=logits.device)

    def backward():
        grad = aten.nll_loss_backward(one, log_probabilities, labels, None, 1, -100, weight)
        return aten._log_softmax_backward_data(grad, log_probabilities, 1, torch.float32)

    return backward


def _update(case, tensor):
    import torch

    parameters = [torch.nn.Parameter(tensor(shape)) for shape in case.shapes]
    for parameter in parameters:
        parameter.grad = tensor(parameter.shape, 1)
    if case.operation == "sgd":
        settings = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
        optimizer = torch.optim.SGD(parameters, fused=True, **settings)
    else:
        optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def step():
        optimizer.step()
        return parameters[0].detach()

    return step


OPERATIONS = {
    "conv2d": _convolution,
    "depthwise_conv2d": _convolution,
    "batch_norm_relu": _batch_norm_relu,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "global_avg_pool2d": _global_avg_pool2d,
    "relu": _relu,
    "local_response_norm": _local_response_norm,
    "add": _add,
    "concatenate": _concatenate,
    "softmax_cross_entropy": _softmax_cross_entropy,
}
