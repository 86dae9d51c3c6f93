"""Pooling as operations: what they save for backward."""

import numpy as np

import minception as mc
from minception import functional as F


def test_pools_keep_neither_input_nor_output():
    """Max pooling saves one small integer per window; average pooling saves nothing."""
    x = mc.Tensor(np.ones((1, 2, 8, 8)), requires_grad=True)
    for call, bytes_per_output in ((F.max_pool2d, 1), (F.avg_pool2d, 0)):
        y = call(x, 2)
        saved = sum(array.nbytes for array in vars(y.grad_fn.saved).values())
        assert saved <= bytes_per_output * y.numel()
