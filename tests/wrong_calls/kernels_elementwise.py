"""Wrong calls of the elementwise, softmax, dropout, joining and linear kernels."""

import numpy as np

from minception import Tensor, kernels

from .table import not_floating_arrays, not_integers, not_reals, wrong, zeros

X, ROW = zeros(2, 3), zeros(3)
GENERATOR = np.random.default_rng(0)


def same_shape(first, second, good, call):
    """Two arrays `call(first, second)` that must have one shape and dtype; the message names `first`."""
    return [
        *not_floating_arrays(first, good, lambda bad: call(bad, good)),
        *not_floating_arrays(second, good, lambda bad: call(good, bad)),
        wrong(
            f"{first} of another shape", lambda: call(good[1:], good), ValueError, "must have shape", str(good.shape)
        ),
        wrong(f"{first} of a shape that broadcasts", lambda: call(good[:1], good), ValueError, "must have shape"),
        wrong(
            f"{first} a tensor", lambda: call(Tensor(good), good), TypeError, f"{first} must be an array, got Tensor"
        ),
    ]


def axes(call, dimensions=2):
    """Wrong axes."""
    words = (f"out of range for an array with {dimensions} dimensions",)
    return [
        wrong("axis too large", lambda: call(dimensions), ValueError, f"axis {dimensions}", *words),
        wrong("axis too small", lambda: call(-dimensions - 1), ValueError, f"axis {-dimensions - 1}", *words),
        *not_integers("axis", call),
    ]


def one_axis(forward, backward, name):
    """Softmax and its logarithm."""
    return {
        f"kernels.{name}": [
            *not_floating_arrays("x", X, lambda bad: forward(bad, 1), alone=True),
            *axes(lambda bad: forward(X, bad)),
            wrong("x without axes", lambda: forward(zeros(), 0), ValueError, "axis 0", "0 dimensions"),
        ],
        f"kernels.{name}_backward": [
            *same_shape("grad_output", "output", X, lambda grad, output: backward(grad, output, 1)),
            *axes(lambda bad: backward(X, X, bad)),
        ],
    }


def features(argument, call):
    return wrong(f"{argument} without axes", lambda: call(zeros()), ValueError, f"{argument} must have at least one")


WEIGHT = zeros(4, 3)  # (O, I)
GRAD = zeros(2, 4)

TABLES = {
    "kernels.relu": not_floating_arrays("x", X, kernels.relu, alone=True),
    "kernels.relu_backward": same_shape("grad_output", "output", X, kernels.relu_backward),
    "kernels.elu": [
        *not_floating_arrays("x", X, kernels.elu, alone=True),
        *not_reals("alpha", lambda bad: kernels.elu(X, bad)),
    ],
    "kernels.elu_backward": [
        *same_shape("grad_output", "x", X, kernels.elu_backward),
        *not_reals("alpha", lambda bad: kernels.elu_backward(X, X, bad)),
    ],
    **one_axis(kernels.softmax, kernels.softmax_backward, "softmax"),
    **one_axis(kernels.log_softmax, kernels.log_softmax_backward, "log_softmax"),
    "kernels.dropout": [
        *not_floating_arrays("x", X, lambda bad: kernels.dropout(bad, 0.5, GENERATOR), alone=True),
        *not_reals("p", lambda bad: kernels.dropout(X, bad, GENERATOR), nan="between 0 and 1"),
        wrong("p above one", lambda: kernels.dropout(X, 1.5, GENERATOR), ValueError, "p must be", "0 and 1", "1.5"),
        wrong("p negative", lambda: kernels.dropout(X, -0.1, GENERATOR), ValueError, "p must be", "0 and 1", "-0.1"),
        wrong("generator None", lambda: kernels.dropout(X, 0.5, None), TypeError, "generator must be", "NoneType"),
        wrong("generator a seed", lambda: kernels.dropout(X, 0.5, 0), TypeError, "generator must be", "got int"),
    ],
    "kernels.dropout_backward": same_shape("grad_output", "mask", X, kernels.dropout_backward),
    "kernels.add": same_shape("x", "y", X, kernels.add),
    "kernels.add_backward": not_floating_arrays("grad_output", X, kernels.add_backward, alone=True),
    "kernels.scaled_add": [
        *same_shape("x", "y", X, lambda x, y: kernels.scaled_add(x, y, 0.5)),
        *not_reals("scale", lambda bad: kernels.scaled_add(X, X, bad)),
    ],
    "kernels.scaled_add_backward": [
        *not_floating_arrays("grad_output", X, lambda bad: kernels.scaled_add_backward(bad, 0.5), alone=True),
        *not_reals("scale", lambda bad: kernels.scaled_add_backward(X, bad)),
    ],
    "kernels.concatenate": [
        *not_floating_arrays("arrays[1]", X, lambda bad: kernels.concatenate([X, bad])),
        *not_floating_arrays("arrays[0]", X, lambda bad: kernels.concatenate([bad, X])),
        wrong("no arrays", lambda: kernels.concatenate([]), ValueError, "arrays must hold at least one array"),
        wrong("arrays None", lambda: kernels.concatenate(None), TypeError, "arrays must be a list", "NoneType"),
        wrong("arrays one array", lambda: kernels.concatenate(X), TypeError, "arrays must be a list", "ndarray"),
        wrong(
            "another number of rows", lambda: kernels.concatenate([X, X[1:]]), ValueError, "arrays[1] must have shape"
        ),
        wrong("another rank", lambda: kernels.concatenate([X, ROW], 0), ValueError, "arrays[1] must have shape"),
        *axes(lambda bad: kernels.concatenate([X, X], bad)),
    ],
    "kernels.concatenate_backward": [
        *not_floating_arrays("grad_output", X, lambda bad: kernels.concatenate_backward(bad, [1, 2]), alone=True),
        wrong("sizes too small", lambda: kernels.concatenate_backward(X, [1, 1]), ValueError, "sizes", "sum to 3"),
        wrong("sizes negative", lambda: kernels.concatenate_backward(X, [4, -1]), ValueError, "sizes", "non-negative"),
        wrong("no sizes", lambda: kernels.concatenate_backward(X, []), ValueError, "sizes", "sum to 3", "[]"),
        wrong("sizes a number", lambda: kernels.concatenate_backward(X, 3), TypeError, "sizes must be a list", "3"),
        wrong("sizes float", lambda: kernels.concatenate_backward(X, [1.0, 2]), TypeError, "sizes must be an integer"),
        *axes(lambda bad: kernels.concatenate_backward(X, [1, 2], bad)),
    ],
    "kernels.linear": [
        *not_floating_arrays("x", X, lambda bad: kernels.linear(bad, WEIGHT)),
        *not_floating_arrays("weight", WEIGHT, lambda bad: kernels.linear(X, bad)),
        *not_floating_arrays("bias", zeros(4), lambda bad: kernels.linear(X, WEIGHT, bad), optional=True),
        features("x", lambda x: kernels.linear(x, WEIGHT)),
        wrong("other features", lambda: kernels.linear(GRAD, WEIGHT), ValueError, "weight expects 3", "input has 4"),
        wrong("weight of rank 1", lambda: kernels.linear(X, ROW), ValueError, "weight must have 2 dimensions", "(3,)"),
        wrong("bias of wrong length", lambda: kernels.linear(X, WEIGHT, ROW), ValueError, "bias must have shape (4,)"),
        wrong("bias of rank 2", lambda: kernels.linear(X, WEIGHT, GRAD[:1]), ValueError, "bias must have shape (4,)"),
    ],
    "kernels.linear_backward_input": [
        *not_floating_arrays("grad_output", GRAD, lambda bad: kernels.linear_backward_input(bad, WEIGHT)),
        *not_floating_arrays("weight", WEIGHT, lambda bad: kernels.linear_backward_input(GRAD, bad)),
        features("grad_output", lambda grad: kernels.linear_backward_input(grad, WEIGHT)),
        wrong("other features", lambda: kernels.linear_backward_input(X, WEIGHT), ValueError, "grad_output", "(2, 4)"),
        wrong("weight of rank 1", lambda: kernels.linear_backward_input(X, ROW), ValueError, "weight must have 2"),
    ],
    "kernels.linear_backward_weight": [
        *not_floating_arrays("grad_output", GRAD, lambda bad: kernels.linear_backward_weight(bad, X)),
        *not_floating_arrays("x", X, lambda bad: kernels.linear_backward_weight(GRAD, bad)),
        features("grad_output", lambda grad: kernels.linear_backward_weight(grad, X)),
        features("x", lambda x: kernels.linear_backward_weight(GRAD, x)),
        wrong("fewer rows", lambda: kernels.linear_backward_weight(GRAD[:1], X), ValueError, "grad_output", "(2, 4)"),
    ],
    "kernels.linear_backward_bias": [
        *not_floating_arrays("grad_output", GRAD, kernels.linear_backward_bias, alone=True),
        features("grad_output", kernels.linear_backward_bias),
    ],
}
