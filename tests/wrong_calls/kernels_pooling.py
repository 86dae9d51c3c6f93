"""Wrong calls of the pooling kernels."""

import numpy as np

from minception import Tensor, kernels

from .table import not_floating_arrays, not_image_shapes, not_integers, not_pairs, wrong, zeros

X, GRAD, TAPS = zeros(2, 4, 5, 5), zeros(2, 4, 2, 2), zeros(2, 4, 2, 2, dtype=np.uint8)
X_SHAPE = X.shape


def windows(call):
    """Wrong arguments of `call(x, kernel_size, **options)`."""
    return [
        *not_pairs("kernel_size", lambda bad: call(X, bad), 1),
        *not_pairs("stride", lambda bad: call(X, 2, stride=bad), 1, optional=True),
        *not_pairs("padding", lambda bad: call(X, 2, padding=bad), 0),
        wrong("padding above half", lambda: call(X, 3, padding=2), ValueError, "padding must be at most half", "2"),
        wrong(
            "kernel beyond the image", lambda: call(X, (2, 6)), ValueError, "kernel_size 6", "does not fit", "width 5"
        ),
    ]


def images(call):
    """Wrong images."""
    return [
        *not_floating_arrays("x", X, call, alone=True),
        wrong("x of rank 3", lambda: call(X[0]), ValueError, "x must have 4 dimensions", "(4, 5, 5)"),
        wrong("x without rows", lambda: call(zeros(2, 4, 0, 5)), ValueError, "x must have at least one pixel"),
        wrong("x without columns", lambda: call(zeros(2, 4, 5, 0)), ValueError, "x must have at least one pixel"),
        wrong("x a tensor", lambda: call(Tensor(X)), TypeError, "x must be an array, got Tensor"),
    ]


def gradients(call, shape="(2, 4, 2, 2)"):
    """Wrong gradients and shapes of `call(grad_output, x_shape)`."""
    words = ("grad_output must have shape", shape)
    return [
        *not_floating_arrays("grad_output", GRAD, lambda bad: call(bad, X_SHAPE), alone=True),
        wrong("grad_output of another batch", lambda: call(GRAD[:1], X_SHAPE), ValueError, *words),
        wrong("grad_output of other channels", lambda: call(GRAD[:, :3], X_SHAPE), ValueError, *words),
        *not_image_shapes("x_shape", lambda bad: call(GRAD, bad)),
        wrong("x_shape without pixels", lambda: call(GRAD, (2, 4, 0, 5)), ValueError, "x_shape must have at least one"),
    ]


def backward_windows(call):
    """Wrong geometry of a backward pass; `call(kernel_size=..., ...)`."""
    return [
        *not_pairs("kernel_size", lambda bad: call(kernel_size=bad), 1),
        *not_pairs("stride", lambda bad: call(kernel_size=2, stride=bad), 1, optional=True),
        *not_pairs("padding", lambda bad: call(kernel_size=2, padding=bad), 0),
        wrong("another stride", lambda: call(kernel_size=2, stride=1), ValueError, "grad_output must", "(2, 4, 4, 4)"),
        wrong("padding above half", lambda: call(kernel_size=2, padding=2), ValueError, "padding must be at most half"),
    ]


def divisors(call):
    """Wrong divisors of an average."""
    return [
        *not_integers("divisor_override", call, optional=True),
        wrong("divisor_override zero", lambda: call(0), ValueError, "divisor_override must not be zero"),
    ]


def max_backward(grad_output=GRAD, taps=TAPS, x_shape=X_SHAPE, kernel_size=2, **options):
    return kernels.max_pool2d_backward(grad_output, taps, x_shape, kernel_size, **options)


def avg_backward(grad_output=GRAD, x_shape=X_SHAPE, kernel_size=2, **options):
    return kernels.avg_pool2d_backward(grad_output, x_shape, kernel_size, **options)


TABLES = {
    "kernels.max_pool2d": [
        *images(lambda bad: kernels.max_pool2d(bad, 2)),
        *windows(kernels.max_pool2d),
        *not_pairs("dilation", lambda bad: kernels.max_pool2d(X, 2, dilation=bad), 1),
    ],
    "kernels.max_pool2d_backward": [
        *gradients(lambda grad, shape: max_backward(grad, x_shape=shape)),
        *backward_windows(max_backward),
        *not_pairs("dilation", lambda bad: max_backward(dilation=bad), 1),
        wrong("taps None", lambda: max_backward(taps=None), TypeError, "taps must be an array, got None"),
        wrong("taps a list", lambda: max_backward(taps=TAPS.tolist()), TypeError, "taps must be an array, got list"),
        wrong("taps float", lambda: max_backward(taps=GRAD), TypeError, "taps must be integers, got float64"),
        wrong("taps of wrong shape", lambda: max_backward(taps=TAPS[:1]), ValueError, "taps must have shape"),
    ],
    "kernels.avg_pool2d": [
        *images(lambda bad: kernels.avg_pool2d(bad, 2)),
        *windows(kernels.avg_pool2d),
        *divisors(lambda bad: kernels.avg_pool2d(X, 2, divisor_override=bad)),
    ],
    "kernels.avg_pool2d_backward": [
        *gradients(avg_backward),
        *backward_windows(avg_backward),
        *divisors(lambda bad: avg_backward(divisor_override=bad)),
    ],
    "kernels.adaptive_avg_pool2d": [
        *images(lambda bad: kernels.adaptive_avg_pool2d(bad, 2)),
        *not_pairs("output_size", lambda bad: kernels.adaptive_avg_pool2d(X, bad), 1, optional=True),
    ],
    "kernels.adaptive_avg_pool2d_backward": [
        *gradients(kernels.adaptive_avg_pool2d_backward),
        wrong(
            "grad_output of rank 3",
            lambda: kernels.adaptive_avg_pool2d_backward(GRAD[0], X_SHAPE),
            ValueError,
            "grad_output must have 4 dimensions",
        ),
        wrong(
            "grad_output without windows",
            lambda: kernels.adaptive_avg_pool2d_backward(GRAD[:, :, :0], X_SHAPE),
            ValueError,
            "grad_output must have shape",
            "windows at least 1x1",
        ),
    ],
    "kernels.global_avg_pool2d": images(kernels.global_avg_pool2d),
    "kernels.global_avg_pool2d_backward": [
        *gradients(kernels.global_avg_pool2d_backward, "(2, 4, 1, 1)"),
        wrong(
            "grad_output of two columns",
            lambda: kernels.global_avg_pool2d_backward(GRAD[:, :, :1], X_SHAPE),
            ValueError,
            "grad_output must have shape (2, 4, 1, 1)",
        ),
    ],
}
