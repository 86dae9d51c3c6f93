"""The tasks in DeZero, which runs on NumPy alone."""

import numpy as np

from . import tasks

if not hasattr(np, "int"):
    np.int = int  # DeZero 0.0.13 needs this name, which NumPy dropped in 1.24


def prepare(threads):
    import dezero  # noqa: F401 - NumPy's BLAS has read the number of threads from the environment


def operation(name):
    import dezero.functions as F

    labels = tasks.labels_of("cross-entropy")
    channels = tasks.SHAPES["batch norm"][1]
    mean, var = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    return {
        "convolution": lambda x, weight: F.conv2d(x, weight, None, 1, 1),
        "batch norm": lambda x, weight, bias: F.batch_nrom(x, weight, bias, mean, var, eps=1e-5),  # its own spelling
        "max pool": lambda x: F.pooling(x, 2, 2),
        "cross-entropy": lambda x: F.softmax_cross_entropy(x, labels),
    }[name]


def forward(name):
    import dezero

    function, arrays = operation(name), tasks.inputs_of(name)

    def run():
        with dezero.no_grad():
            return function(*map(dezero.Variable, arrays)).data

    return run


def forward_and_backward(name):
    import dezero

    function, arrays, gradient = operation(name), tasks.inputs_of(name), tasks.gradient_of_output(name)

    def run():
        variables = [dezero.Variable(array) for array in arrays]
        output = function(*variables)
        output.grad = dezero.Variable(gradient)
        output.backward()
        return variables[0].grad.data

    return run


def step():
    import dezero
    import dezero.functions as F

    first, second, weight, bias = parameters = [dezero.Parameter(array) for array in tasks.network()]
    images, labels = tasks.examples()

    def run():
        for parameter in parameters:
            parameter.cleargrad()
        x = F.pooling(F.relu(F.conv2d(images, first, None, 1, 1)), 2, 2)
        x = F.pooling(F.relu(F.conv2d(x, second, None, 1, 1)), 2, 2)
        loss = F.softmax_cross_entropy(F.linear(F.reshape(x, (len(images), -1)), F.transpose(weight), bias), labels)
        loss.backward()
        for parameter in parameters:
            parameter.data -= np.float32(tasks.RATE) * parameter.grad.data
        return loss.data

    return run
