"""The tasks in minception."""

import numpy as np

from . import tasks


def prepare(threads):
    import minception as mc
    from minception.memory import keep_freed_memory

    keep_freed_memory()
    mc.set_num_threads(threads)


def operation(name):
    """The function of an operation: from tensors to a tensor."""
    import minception.functional as F

    return {
        "convolution": lambda x, weight: F.conv2d(x, weight, padding=1),
        "batch norm": lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
        "max pool": lambda x: F.max_pool2d(x, 2),
        "cross-entropy": lambda x: F.cross_entropy(x, tasks.labels_of("cross-entropy")),
    }[name]


def in_our_order(array):
    """Images as the engine itself would have made them: channels last in memory."""
    from ...ours import images

    if array.ndim != 4:
        return array
    copy = images(array.shape)
    copy[...] = array
    return copy


def forward(name):
    import minception as mc

    function, tensors = operation(name), [mc.Tensor(in_our_order(array)) for array in tasks.inputs_of(name)]
    return lambda: np.asarray(function(*tensors))


def forward_and_backward(name):
    import minception as mc

    function = operation(name)
    tensors = [mc.Tensor(in_our_order(array), requires_grad=True) for array in tasks.inputs_of(name)]
    gradient = in_our_order(tasks.gradient_of_output(name))

    def run():
        for tensor in tensors:
            tensor.grad = None
        function(*tensors).backward(gradient)
        return np.asarray(tensors[0].grad)

    return run


def step():
    import minception as mc
    import minception.functional as F
    from minception import nn, optim

    parameters = [nn.Parameter(array) for array in tasks.network()]
    first, second, weight, bias = parameters
    optimizer = optim.SGD(parameters, lr=tasks.RATE)
    images, labels = tasks.examples()
    images = mc.Tensor(in_our_order(images))

    def run():
        optimizer.zero_grad()
        x = F.max_pool2d(F.relu(F.conv2d(images, first, padding=1)), 2)
        x = F.max_pool2d(F.relu(F.conv2d(x, second, padding=1)), 2)
        loss = F.cross_entropy(F.linear(F.flatten(x, 1), weight, bias), labels)
        loss.backward()
        optimizer.step()
        return np.asarray(loss)

    return run
