"""Inverted dropout, forward and backward, for arrays of any shape.

Each element is dropped with probability p, and the survivors are divided by 1 - p, so that the expected
output is x and nothing needs scaling at test time. Source: Srivastava et al., "Dropout: a simple way to
prevent neural networks from overfitting" (2014), section 4, and section 10 for scaling at training time.

Errors: `TypeError` for dtypes other than float32 and float64, a p that is not a real number, or a generator
that is not a `numpy.random.Generator`; `ValueError` for p outside [0, 1] and shapes that differ.
"""

import numpy as np

from .. import checks
from ..arrays import array_module
from ..layout import to_nchw
from ..transfer import device_of, to_device

__all__ = ["dropout", "dropout_backward"]


def draw_uniform(generator, shape, dtype):
    """Uniform numbers in [0, 1). Images (N, C, H, W) are drawn channels-last, as they lie in memory.

    What is drawn depends on the shape and the dtype alone, never on the strides of an input or on its device: the
    generator is NumPy's and draws on the CPU.
    """
    if len(shape) == 4:
        n, c, h, w = shape
        return to_nchw(generator.random((n, h, w, c), dtype))
    return generator.random(shape, dtype)


def check_arguments(p, generator):
    """p as a float, checked like the generator."""
    p = checks.real("dropout", "p", p)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must be a probability between 0 and 1, got {p}")
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"dropout: generator must be a numpy.random.Generator, got {type(generator).__name__}"
        )
    return p


@np.errstate(over="ignore", invalid="ignore")
def dropout(x, p, generator):
    """Return (output, mask), both of x's shape and dtype; output = x * mask, mask is 0 or 1 / (1 - p).

    The generator advances by one draw per element, whatever p is. p = 1 drops everything.

    A home may draw the mask otherwise, from what the generator gives: `cuda` does, on the GPU. It is the generator and
    the shape that decide on it, in every home.
    """
    checks.floating("dropout", x=x)
    p = check_arguments(p, generator)
    keep = draw_uniform(generator, x.shape, x.dtype) >= p
    scale = 1 / (1 - p) if p < 1 else 0.0
    mask = to_device(np.asarray(keep.astype(x.dtype) * scale), device_of(x))
    return array_module(x).asarray(x * mask), mask


@np.errstate(over="ignore", invalid="ignore")
def dropout_backward(grad_output, mask):
    """Gradient with respect to x: grad_output * mask, with the mask that `dropout` returned."""
    checks.floating("dropout_backward", grad_output=grad_output, mask=mask)
    checks.shape("dropout_backward", "grad_output", grad_output, mask.shape, "that of mask")
    return array_module(mask).asarray(grad_output * mask)
