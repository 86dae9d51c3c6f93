"""The same parameters and gradients in minception and in torch."""

import numpy as np
import torch

from minception import Tensor
from minception.nn import Parameter

SHAPES = [(3, 2, 2, 1), (4,), (2, 3), ()]


class Twins:
    """Parameters of several shapes, `.ours` and `.theirs`, with equal values and, after `draw_grads`, gradients."""

    def __init__(self, seed=0, dtype=np.float64, shapes=SHAPES):
        self.rng = np.random.default_rng(seed)
        arrays = [np.asarray(self.rng.standard_normal(shape), dtype) for shape in shapes]
        self.ours = [Parameter(a) for a in arrays]
        self.theirs = [torch.tensor(a, requires_grad=True) for a in arrays]

    def draw_grads(self, without=()):
        """New random gradients; none for the parameters whose indices are in `without`."""
        for i, (p, t) in enumerate(zip(self.ours, self.theirs, strict=True)):
            grad = np.asarray(self.rng.normal(0.3, 1, p.shape), p.dtype)
            p.grad = None if i in without else Tensor(grad)
            t.grad = None if i in without else torch.tensor(grad)

    def assert_equal(self, steps):
        """Equal but for two roundings per step of the largest magnitude."""
        for p, t in zip(self.ours, self.theirs, strict=True):
            expected = t.detach().numpy()
            assert p.dtype == expected.dtype
            atol = 2 * steps * np.finfo(expected.dtype).eps * max(1, np.abs(expected).max())
            np.testing.assert_allclose(np.asarray(p), expected, rtol=0, atol=atol)


def as_groups(parameters, **second):
    """Two groups, the second with options of its own."""
    return [{"params": parameters[:2]}, {"params": parameters[2:], **second}]
