"""Tensors, modules and optimizers to make wrong calls with."""

import numpy as np

from minception import Tensor, nn, optim


def tensor(*shape, dtype=np.float32, requires_grad=False):
    """A tensor of ones."""
    return Tensor(np.ones(shape, dtype), requires_grad=requires_grad)


def sgd(**options):
    """An optimizer of one parameter."""
    return optim.SGD([nn.Parameter(np.ones(2, np.float32))], **({"lr": 0.1} | options))


def images(*shape):
    """uint8 images."""
    return np.zeros(shape, np.uint8)
