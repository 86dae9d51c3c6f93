"""The cases as calls of minception's kernels, on a device."""

import math

import numpy as np

from .cases import UPDATES

MOST_DRAWN = 1 << 22  # numbers (16 MiB); they come again in larger arrays, which takes less time than to draw more


def block_of(shape, seed=0):
    """(the numbers of an array that are drawn, how often they are needed to fill it): a vector of float32, a count."""
    count = math.prod(shape)
    drawn = np.random.default_rng((seed, *shape)).random(min(count, MOST_DRAWN), np.float32) - np.float32(0.5)
    return drawn, -(-count // max(drawn.size, 1))


def draw(shape, seed=0):
    """Numbers of both signs, the same on all sides: C-contiguous float32."""
    block, times = block_of(shape, seed)
    return block.reshape(shape) if times <= 1 else np.resize(block, shape)


def labels_of(shape):
    """Labels of logits (N, classes)."""
    return np.arange(shape[0]) % shape[1]


def images(shape, seed=0):
    """Such numbers in the memory order of the engine, if they are images."""
    from minception.kernels.layout import empty_images

    if len(shape) != 4:
        return draw(shape, seed)
    array = empty_images(np, shape, np.float32)
    array[...] = draw(shape, seed)
    return array


class Arrays:
    """Makes the arrays of a case on a device, which has to be the current one."""

    def __init__(self, device):
        self.device = device

    def on_device(self, array):
        from minception.kernels.transfer import to_device

        return to_device(array, self.device)

    def images(self, shape, seed=0):
        """As the function `images`."""
        from minception.kernels.arrays import array_module
        from minception.kernels.layout import empty_images

        array = self.plain(shape, seed)
        if len(shape) != 4:
            return array
        images = empty_images(array_module(array), shape, array.dtype)
        images[...] = array
        return images

    def plain(self, shape, seed=0):
        """As `draw`. What is repeated is repeated on the device."""
        from minception.kernels.arrays import array_module

        block, times = block_of(shape, seed)
        if times <= 1:
            return self.on_device(block.reshape(shape))
        block = self.on_device(block)
        return array_module(block).concatenate([block] * times)[: math.prod(shape)].reshape(shape)

    def labels(self, shape):
        return self.on_device(labels_of(shape))


def prepare(case, device="cpu"):
    """A function without arguments that does what the case says, once, and returns the arrays that it makes.

    To be called, both, where `device` ("cpu" or "cuda:N") is the current one.
    """
    if case.operation in UPDATES:
        return _update(case, device)
    return OPERATIONS[case.operation](case.direction, case.shapes, dict(case.options), Arrays(device))


def floor(work):
    """(floating-point operations, bytes) that a case takes at least; `work` is what `prepare` returned for it."""
    from minception.kernels.dispatch import observe
    from minception.study.profile_costs import cost_of_kernel, cost_of_operation

    costs = []

    def observer(subject, function, args, kwargs):
        before = len(costs)
        result = function(*args, **kwargs)
        if isinstance(subject, str):
            costs.append(cost_of_kernel(subject, args, kwargs, result))
        elif len(costs) == before:
            costs.append(cost_of_operation(args, result))
        return result

    with observe(observer):
        work()
    return sum(cost.flops for cost in costs), sum(cost.bytes for cost in costs)


def _convolution(forward, backward_input, backward_weight, direction, shapes, options, arrays):
    x, weight = arrays.images(shapes[0]), arrays.plain(shapes[1], 1)
    if direction == "forward":
        return lambda: forward(x, weight, **options)
    grad = arrays.images(forward(x, weight, **options).shape, 2)
    if direction == "input gradient":
        return lambda: backward_input(grad, weight, x.shape, **options)
    return lambda: backward_weight(grad, x, weight.shape, **options)


def _conv2d(*case):
    from minception import kernels as k

    return _convolution(k.conv2d, k.conv2d_backward_input, k.conv2d_backward_weight, *case)


def _depthwise(*case):
    from minception import kernels as k

    functions = k.depthwise_conv2d, k.depthwise_conv2d_backward_input, k.depthwise_conv2d_backward_weight
    direction, shapes, options, arrays = case
    options = {name: value for name, value in options.items() if name != "groups"}
    return _convolution(*functions, direction, shapes, options, arrays)


def _batch_norm_relu(direction, shapes, options, arrays):
    """The fused kernels where there are such, else one after the other."""
    from minception import kernels as k

    x = arrays.images(shapes[0])
    weight, bias, mean = (arrays.plain(x.shape[1:2], seed) for seed in (1, 2, 3))
    var = abs(mean) + 1
    fused = hasattr(k, "batch_norm_relu_train")
    if direction == "evaluation":
        if fused:
            return lambda: k.batch_norm_relu_eval(x, mean, var, weight, bias)
        return lambda: k.relu(k.batch_norm_eval(x, mean, var, weight, bias))
    if direction == "forward":
        if fused:
            return lambda: k.batch_norm_relu_train(x, weight, bias)[0]
        return lambda: k.relu(k.batch_norm_train(x, weight, bias)[0])
    grad = arrays.images(x.shape, 4)
    if fused:
        _, *kept = k.batch_norm_relu_train(x, weight, bias)
        return lambda: k.batch_norm_relu_train_backward(grad, x, weight, *kept)
    y, mean, var = k.batch_norm_train(x, weight, bias)
    y = k.relu(y)
    return lambda: k.batch_norm_train_backward(k.relu_backward(grad, y), x, weight, mean, var)


def _max_pool2d(direction, shapes, options, arrays):
    from minception import kernels as k

    x = arrays.images(shapes[0])
    y, taps = k.max_pool2d(x, **options)
    grad = arrays.images(y.shape, 1)
    if direction == "forward":
        return lambda: k.max_pool2d(x, **options)[0]
    return lambda: k.max_pool2d_backward(grad, taps, x.shape, **options)


def _pool(forward, backward, direction, shapes, options, arrays):
    x = arrays.images(shapes[0])
    grad = arrays.images(forward(x, **options).shape, 1)
    return (lambda: forward(x, **options)) if direction == "forward" else (lambda: backward(grad, x.shape, **options))


def _avg_pool2d(*case):
    from minception import kernels as k

    return _pool(k.avg_pool2d, k.avg_pool2d_backward, *case)


def _global_avg_pool2d(*case):
    from minception import kernels as k

    return _pool(k.global_avg_pool2d, k.global_avg_pool2d_backward, *case)


def _relu(direction, shapes, options, arrays):
    from minception import kernels as k

    x, grad = arrays.images(shapes[0]), arrays.images(shapes[0], 1)
    y = k.relu(x)
    return (lambda: k.relu(x)) if direction == "forward" else (lambda: k.relu_backward(grad, y))


def _local_response_norm(direction, shapes, options, arrays):
    from minception import kernels as k

    x, grad = arrays.images(shapes[0]), arrays.images(shapes[0], 1)
    _, scale = k.local_response_norm(x, **options)
    if direction == "forward":
        return lambda: k.local_response_norm(x, **options)[0]
    return lambda: k.local_response_norm_backward(grad, x, scale, **options)


def _add(direction, shapes, options, arrays):
    from minception import kernels as k

    x, y = arrays.images(shapes[0]), arrays.images(shapes[0], 1)
    return lambda: k.add(x, y)


def _concatenate(direction, shapes, options, arrays):
    from minception import kernels as k

    parts = [arrays.images(shape, seed) for seed, shape in enumerate(shapes)]
    return lambda: k.concatenate(parts)


def _softmax_cross_entropy(direction, shapes, options, arrays):
    from minception import kernels as k

    logits, labels = arrays.plain(shapes[0]), arrays.labels(shapes[0])
    _, log_probabilities = k.softmax_cross_entropy(logits, labels)
    one = arrays.on_device(np.ones((), np.float32))
    if direction == "forward":
        return lambda: k.softmax_cross_entropy(logits, labels)[0]
    return lambda: k.softmax_cross_entropy_backward(one, log_probabilities, labels)


def _update(case, device):
    """A step of the optimizer over all parameters of a network."""
    from minception import nn, optim
    from minception.tensor import Tensor

    arrays = Arrays(device)
    parameters = [nn.Parameter(arrays.plain(shape)) for shape in case.shapes]
    for parameter in parameters:
        parameter.grad = Tensor(arrays.plain(parameter.shape, 1))
    if case.operation == "sgd":
        optimizer = optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    else:
        optimizer = optim.Adam(parameters, lr=1e-3)

    def step():
        optimizer.step()
        return parameters[0].detach()._array

    return step


OPERATIONS = {
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise,
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
