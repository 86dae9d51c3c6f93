"""Local response normalisation across channels, forward and backward.

    scale[c]  = k + alpha / size * sum of x[j]^2 over the `size` channels j around c
    output[c] = x[c] * scale[c]^-beta

Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks"
(2012), section 3.3. Two differences from the paper's equation, both as in
`torch.nn.functional.local_response_norm`: alpha is divided by `size`, and an even window reaches one
channel further to the front (c - size // 2) than to the back (c + (size - 1) // 2). Channels beyond either
end count as zero, and still count in `size`.

Shapes: x, output and scale are (N, C, H, W). Errors: `TypeError` for dtypes other than float32 and float64,
a `size` that is not an integer, or alpha, beta, k that are not real numbers; `ValueError` for wrong ranks
and shapes and size < 1.
"""

import numpy as np

from .. import checks
from ..arrays import array_module
from ..layout import to_nchw, to_nhwc

__all__ = ["local_response_norm", "local_response_norm_backward"]


def sum_neighbours(x, before, after):
    """Sum x (N, H, W, C) over the channels c - before ... c + after of each channel c, cut off at the ends."""
    channels = x.shape[-1]
    total = x.copy()
    for shift in range(1, min(before, channels - 1) + 1):
        total[..., shift:] += x[..., :-shift]
    for shift in range(1, min(after, channels - 1) + 1):
        total[..., :-shift] += x[..., shift:]
    return total


def check_parameters(name, size, alpha, beta, k):
    """Return (size, alpha, beta, k) as plain numbers."""
    size = checks.integer(name, "size", size)
    if size < 1:
        raise ValueError(f"{name}: size must be positive, got {size}")
    return size, checks.real(name, "alpha", alpha), checks.real(name, "beta", beta), checks.real(name, "k", k)


def check_backward(name, grad_output, x, scale, size, alpha, beta, k):
    """Check the arguments of the backward pass; return (size, alpha, beta, k) as plain numbers."""
    checks.floating(name, grad_output=grad_output, x=x, scale=scale)
    checks.rank(name, "x", x, 4, "(N, C, H, W)")
    checks.shape(name, "grad_output", grad_output, x.shape, "that of x")
    checks.shape(name, "scale", scale, x.shape, "that of x")
    return check_parameters(name, size, alpha, beta, k)


@np.errstate(all="ignore")
def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """Return (output, scale), both (N, C, H, W); the backward pass needs `scale`. Formulas above."""
    name = "local_response_norm"
    checks.floating(name, x=x)
    checks.rank(name, "x", x, 4, "(N, C, H, W)")
    size, alpha, beta, k = check_parameters(name, size, alpha, beta, k)
    xp = array_module(x)
    images = xp.ascontiguousarray(to_nhwc(x))  # (N, H, W, C)
    squares = sum_neighbours(images * images, size // 2, (size - 1) // 2)
    scale = k + alpha / size * squares
    return to_nchw(images * scale**-beta), to_nchw(scale)


@np.errstate(all="ignore")
def local_response_norm_backward(grad_output, x, scale, size, alpha=1e-4, beta=0.75, k=1.0):
    """Gradient (N, C, H, W) for grad_output, x and the `scale` of the forward call, all (N, C, H, W).

    Channel i enters its own output directly and the scale of every channel j whose window contains i:

        grad_x[i] = grad[i] * scale[i]^-beta
                    - 2 * alpha * beta / size * x[i] * sum_j grad[j] * x[j] * scale[j]^(-beta - 1)

    The sum over j runs over the mirrored window: i - (size - 1) // 2 ... i + size // 2. `k` is already in
    the scale.
    """
    size, alpha, beta, k = check_backward(
        "local_response_norm_backward", grad_output, x, scale, size, alpha, beta, k
    )
    xp = array_module(x)
    images, grad, scale = (xp.ascontiguousarray(to_nhwc(array)) for array in (x, grad_output, scale))
    power = scale**-beta
    through_scale = sum_neighbours(grad * images * power / scale, (size - 1) // 2, size // 2)
    return to_nchw(grad * power - 2 * alpha * beta / size * images * through_scale)
