"""Wrong calls of the convolution kernels."""

from minception import Tensor, kernels

from .table import not_floating_arrays, not_image_shapes, not_integers, not_pairs, wrong, zeros

X, WEIGHT, BIAS = zeros(2, 4, 5, 5), zeros(6, 4, 3, 3), zeros(6)  # output (2, 6, 3, 3)
DEPTHWISE, POINTWISE = zeros(8, 1, 3, 3), zeros(6, 8, 1, 1)
GRAD, GRAD_DEPTHWISE = zeros(2, 6, 3, 3), zeros(2, 8, 3, 3)
COLUMNS = zeros(18, 36)
PREPARED = kernels.conv2d_prepare(WEIGHT)
X_SHAPE, WEIGHT_SHAPE, DEPTHWISE_SHAPE = X.shape, WEIGHT.shape, DEPTHWISE.shape


def sliding(call):
    """Wrong stride, padding and dilation of `call(stride=..., padding=..., dilation=...)`."""
    return [
        *not_pairs("stride", lambda bad: call(stride=bad), 1),
        *not_pairs("padding", lambda bad: call(padding=bad), 0),
        *not_pairs("dilation", lambda bad: call(dilation=bad), 1),
        wrong("padding an unknown word", lambda: call(padding="full"), ValueError, "padding must be", "'full'"),
        wrong("padding same with stride", lambda: call(padding="same", stride=2), ValueError, "same", "stride 1"),
        wrong(
            "kernel beyond the image", lambda: call(dilation=3), ValueError, "spans (7, 7)", "does not fit", "(5, 5)"
        ),
    ]


def grad_outputs(good, call):
    """Wrong gradients of the output."""
    n, c, h, w = good.shape
    words = ("grad_output must have shape", str(good.shape))
    return [
        *not_floating_arrays("grad_output", good, call),
        wrong("grad_output of another batch", lambda: call(zeros(n + 1, c, h, w)), ValueError, *words),
        wrong("grad_output of other channels", lambda: call(zeros(n, c + 1, h, w)), ValueError, *words),
        wrong("grad_output of another height", lambda: call(zeros(n, c, h + 1, w)), ValueError, *words),
        wrong("grad_output of rank 3", lambda: call(zeros(c, h, w)), ValueError, *words),
    ]


def images(call):
    """Wrong images."""
    return [
        wrong("x of rank 3", lambda: call(zeros(4, 5, 5)), ValueError, "x must have 4 dimensions", "(4, 5, 5)"),
        wrong("x without pixels", lambda: call(zeros(2, 4, 0, 5)), ValueError, "x (N, C, H, W)", "(2, 4, 0, 5)"),
        wrong("x without channels", lambda: call(zeros(2, 0, 5, 5)), ValueError, "x (N, C, H, W)", "(2, 0, 5, 5)"),
        wrong("x a tensor", lambda: call(Tensor(X)), TypeError, "x must be an array, got Tensor"),
    ]


def biases(call):
    """Wrong biases of six or eight output channels."""
    return [
        *not_floating_arrays("bias", BIAS, call, optional=True),
        wrong("bias of wrong length", lambda: call(zeros(5)), ValueError, "bias must have shape", "got (5,)"),
        wrong("bias of rank 2", lambda: call(zeros(1, 6)), ValueError, "bias must have shape", "got (1, 6)"),
    ]


def channels(call, argument="weight"):
    """Wrong shapes of the weight of a full convolution; `call(weight, groups)`."""
    return [
        wrong("weight for other channels", lambda: call((6, 3, 3, 3), 1), ValueError, f"{argument} expects 3", "has 4"),
        wrong("weight of rank 3", lambda: call((6, 4, 3), 1), ValueError, f"{argument} must have 4 dimensions"),
        wrong("weight without outputs", lambda: call((0, 4, 3, 3), 1), ValueError, f"{argument} (O, C / groups"),
        wrong("groups and channels", lambda: call((6, 4, 3, 3), 2), ValueError, f"{argument} expects 8", "has 4"),
        wrong("groups and outputs", lambda: call((5, 2, 3, 3), 2), ValueError, "groups must divide the 5", "got 2"),
        wrong("groups zero", lambda: call((6, 4, 3, 3), 0), ValueError, "groups must be positive, got 0"),
        wrong("groups negative", lambda: call((6, 4, 3, 3), -1), ValueError, "groups must be positive, got -1"),
        *not_integers("groups", lambda bad: call((6, 4, 3, 3), bad)),
    ]


def depthwise_channels(call, argument="weight"):
    """Wrong shapes of a depthwise weight."""
    words = (f"{argument} must have shape (C * M, 1, KH, KW)", "C = 4")
    return [
        wrong("weight not one per channel", lambda: call((6, 1, 3, 3)), ValueError, *words, "(6, 1, 3, 3)"),
        wrong("weight that mixes channels", lambda: call((4, 4, 3, 3)), ValueError, *words, "(4, 4, 3, 3)"),
        wrong("weight of rank 3", lambda: call((4, 3, 3)), ValueError, f"{argument} must have 4 dimensions"),
        wrong("weight without taps", lambda: call((4, 1, 0, 3)), ValueError, f"{argument} (C * M, 1, KH, KW)"),
    ]


def pointwise(call):
    """Wrong pointwise weights."""
    words = ("pointwise_weight must have shape (6, 8, 1, 1)",)
    return [
        *not_floating_arrays("pointwise_weight", POINTWISE, call),
        wrong("pointwise_weight for other channels", lambda: call(zeros(6, 4, 1, 1)), ValueError, *words),
        wrong("pointwise_weight of 3x3", lambda: call(zeros(6, 8, 3, 3)), ValueError, *words),
        wrong("pointwise_weight of rank 2", lambda: call(zeros(6, 8)), ValueError, "pointwise_weight", "4 dimensions"),
    ]


TABLES = {
    "kernels.conv2d": [
        *not_floating_arrays("x", X, lambda bad: kernels.conv2d(bad, WEIGHT)),
        *not_floating_arrays("weight", WEIGHT, lambda bad: kernels.conv2d(X, bad)),
        *images(lambda bad: kernels.conv2d(bad, WEIGHT)),
        *channels(lambda shape, groups: kernels.conv2d(X, zeros(*shape), groups=groups)),
        *biases(lambda bad: kernels.conv2d(X, WEIGHT, bad)),
        *sliding(lambda **options: kernels.conv2d(X, WEIGHT, **options)),
    ],
    "kernels.conv2d_prepare": [
        *not_floating_arrays("weight", WEIGHT, lambda bad: kernels.conv2d_prepare(bad), alone=True),
        *biases(lambda bad: kernels.conv2d_prepare(WEIGHT, bad)),
        *not_pairs("stride", lambda bad: kernels.conv2d_prepare(WEIGHT, stride=bad), 1),
        *not_pairs("padding", lambda bad: kernels.conv2d_prepare(WEIGHT, padding=bad), 0),
        *not_pairs("dilation", lambda bad: kernels.conv2d_prepare(WEIGHT, dilation=bad), 1),
        *not_integers("groups", lambda bad: kernels.conv2d_prepare(WEIGHT, groups=bad)),
        wrong("groups zero", lambda: kernels.conv2d_prepare(WEIGHT, groups=0), ValueError, "groups must be positive"),
        wrong("groups and outputs", lambda: kernels.conv2d_prepare(WEIGHT, groups=4), ValueError, "groups must divide"),
        wrong("weight of rank 3", lambda: kernels.conv2d_prepare(zeros(4, 3, 3)), ValueError, "weight must have 4"),
        wrong("relu a number", lambda: kernels.conv2d_prepare(WEIGHT, relu=1), TypeError, "relu must be", "got 1"),
        wrong(
            "before bare weights", lambda: kernels.conv2d_prepare(WEIGHT, before=WEIGHT), TypeError, "before", "ndarray"
        ),
        wrong(
            "before with other outputs",
            lambda: kernels.conv2d_prepare(zeros(6, 8, 1, 1), before=PREPARED),
            ValueError,
            "before must make 8 channels",
            f"got {len(PREPARED.weight)}",
        ),
        wrong(
            "before of another dtype",
            lambda: kernels.conv2d_prepare(zeros(6, len(PREPARED.weight), 1, 1).astype("f4"), before=PREPARED),
            ValueError,
            "float64",
            "float32",
        ),
    ],
    "kernels.conv2d_prepared": [
        *not_floating_arrays("x", X, lambda bad: kernels.conv2d_prepared(bad, PREPARED)),
        *images(lambda bad: kernels.conv2d_prepared(bad, PREPARED)),
        *(
            wrong(name, lambda shape=shape: kernels.conv2d_prepared(zeros(*shape), PREPARED), ValueError, word)
            for name, shape, word in (
                ("x of other channels", (2, 5, 5, 5), "has 5"),
                ("kernel beyond the image", (2, 4, 2, 5), "does not fit"),
            )
        ),
        wrong("bare weights", lambda: kernels.conv2d_prepared(X, WEIGHT), TypeError, "conv2d_prepare", "ndarray"),
    ],
    "kernels.conv2d_backward_input": [
        *grad_outputs(GRAD, lambda bad: kernels.conv2d_backward_input(bad, WEIGHT, X_SHAPE)),
        *not_floating_arrays("weight", WEIGHT, lambda bad: kernels.conv2d_backward_input(GRAD, bad, X_SHAPE)),
        *not_image_shapes("x_shape", lambda bad: kernels.conv2d_backward_input(GRAD, WEIGHT, bad)),
        *channels(lambda shape, groups: kernels.conv2d_backward_input(GRAD, zeros(*shape), X_SHAPE, groups=groups)),
        *sliding(lambda **options: kernels.conv2d_backward_input(GRAD, WEIGHT, X_SHAPE, **options)),
    ],
    "kernels.conv2d_backward_weight": [
        *grad_outputs(GRAD, lambda bad: kernels.conv2d_backward_weight(bad, X, WEIGHT_SHAPE)),
        *not_floating_arrays("x", X, lambda bad: kernels.conv2d_backward_weight(GRAD, bad, WEIGHT_SHAPE)),
        *images(lambda bad: kernels.conv2d_backward_weight(GRAD, bad, WEIGHT_SHAPE)),
        *channels(lambda shape, groups: kernels.conv2d_backward_weight(GRAD, X, shape, groups=groups), "weight_shape"),
        wrong("weight_shape None", lambda: kernels.conv2d_backward_weight(GRAD, X, None), TypeError, "weight_shape"),
        *sliding(lambda **options: kernels.conv2d_backward_weight(GRAD, X, WEIGHT_SHAPE, **options)),
    ],
    "kernels.conv2d_backward_bias": [
        *not_floating_arrays("grad_output", GRAD, kernels.conv2d_backward_bias, alone=True),
        wrong(
            "grad_output of rank 3",
            lambda: kernels.conv2d_backward_bias(zeros(6, 3, 3)),
            ValueError,
            "grad_output must have 4 dimensions",
            "(6, 3, 3)",
        ),
    ],
    "kernels.im2col": [
        *not_floating_arrays("x", X, lambda bad: kernels.im2col(bad, 3), alone=True),
        *images(lambda bad: kernels.im2col(bad, 3)),
        *not_pairs("kernel_size", lambda bad: kernels.im2col(X, bad), 1),
        *sliding(lambda **options: kernels.im2col(X, 3, **options)),
    ],
    "kernels.col2im": [
        *not_floating_arrays("columns", COLUMNS, lambda bad: kernels.col2im(bad, X_SHAPE, 3), alone=True),
        wrong("columns too few", lambda: kernels.col2im(COLUMNS[1:], X_SHAPE, 3), ValueError, "columns", "(18, 36)"),
        wrong(
            "columns of rank 3", lambda: kernels.col2im(COLUMNS[None], X_SHAPE, 3), ValueError, "columns", "(18, 36)"
        ),
        *not_image_shapes("x_shape", lambda bad: kernels.col2im(COLUMNS, bad, 3)),
        *not_pairs("kernel_size", lambda bad: kernels.col2im(COLUMNS, X_SHAPE, bad), 1),
        *sliding(lambda **options: kernels.col2im(COLUMNS, X_SHAPE, 3, **options)),
    ],
    "kernels.depthwise_conv2d": [
        *not_floating_arrays("x", X, lambda bad: kernels.depthwise_conv2d(bad, DEPTHWISE)),
        *not_floating_arrays("weight", DEPTHWISE, lambda bad: kernels.depthwise_conv2d(X, bad)),
        *images(lambda bad: kernels.depthwise_conv2d(bad, DEPTHWISE)),
        *depthwise_channels(lambda shape: kernels.depthwise_conv2d(X, zeros(*shape))),
        *biases(lambda bad: kernels.depthwise_conv2d(X, DEPTHWISE, bad)),
        wrong(
            "bias of wrong length, one kernel per channel",
            lambda: kernels.depthwise_conv2d(X, DEPTHWISE[:4], BIAS),
            ValueError,
            "bias must have shape (4,)",
            "got (6,)",
        ),
        *sliding(lambda **options: kernels.depthwise_conv2d(X, DEPTHWISE, **options)),
    ],
    "kernels.depthwise_conv2d_backward_input": [
        *grad_outputs(GRAD_DEPTHWISE, lambda bad: kernels.depthwise_conv2d_backward_input(bad, DEPTHWISE, X_SHAPE)),
        *not_floating_arrays(
            "weight",
            DEPTHWISE,
            lambda bad: kernels.depthwise_conv2d_backward_input(GRAD_DEPTHWISE, bad, X_SHAPE),
        ),
        *not_image_shapes(
            "x_shape", lambda bad: kernels.depthwise_conv2d_backward_input(GRAD_DEPTHWISE, DEPTHWISE, bad)
        ),
        *depthwise_channels(
            lambda shape: kernels.depthwise_conv2d_backward_input(GRAD_DEPTHWISE, zeros(*shape), X_SHAPE)
        ),
        *sliding(
            lambda **options: kernels.depthwise_conv2d_backward_input(GRAD_DEPTHWISE, DEPTHWISE, X_SHAPE, **options)
        ),
    ],
    "kernels.depthwise_conv2d_backward_weight": [
        *grad_outputs(GRAD_DEPTHWISE, lambda bad: kernels.depthwise_conv2d_backward_weight(bad, X, DEPTHWISE_SHAPE)),
        *not_floating_arrays(
            "x", X, lambda bad: kernels.depthwise_conv2d_backward_weight(GRAD_DEPTHWISE, bad, DEPTHWISE_SHAPE)
        ),
        *images(lambda bad: kernels.depthwise_conv2d_backward_weight(GRAD_DEPTHWISE, bad, DEPTHWISE_SHAPE)),
        *depthwise_channels(
            lambda shape: kernels.depthwise_conv2d_backward_weight(GRAD_DEPTHWISE, X, shape), "weight_shape"
        ),
        *sliding(
            lambda **options: kernels.depthwise_conv2d_backward_weight(GRAD_DEPTHWISE, X, DEPTHWISE_SHAPE, **options)
        ),
    ],
    "kernels.separable_conv2d": [
        *not_floating_arrays("x", X, lambda bad: kernels.separable_conv2d(bad, DEPTHWISE, POINTWISE)),
        *images(lambda bad: kernels.separable_conv2d(bad, DEPTHWISE, POINTWISE)),
        *not_floating_arrays("depthwise_weight", DEPTHWISE, lambda bad: kernels.separable_conv2d(X, bad, POINTWISE)),
        *depthwise_channels(lambda shape: kernels.separable_conv2d(X, zeros(*shape), POINTWISE), "depthwise_weight"),
        *pointwise(lambda bad: kernels.separable_conv2d(X, DEPTHWISE, bad)),
        *biases(lambda bad: kernels.separable_conv2d(X, DEPTHWISE, POINTWISE, bad)),
        *sliding(lambda **options: kernels.separable_conv2d(X, DEPTHWISE, POINTWISE, **options)),
    ],
    "kernels.separable_conv2d_backward": [
        *grad_outputs(GRAD, lambda bad: kernels.separable_conv2d_backward(bad, X, DEPTHWISE, POINTWISE)),
        *not_floating_arrays("x", X, lambda bad: kernels.separable_conv2d_backward(GRAD, bad, DEPTHWISE, POINTWISE)),
        *images(lambda bad: kernels.separable_conv2d_backward(GRAD, bad, DEPTHWISE, POINTWISE)),
        *depthwise_channels(
            lambda shape: kernels.separable_conv2d_backward(GRAD, X, zeros(*shape), POINTWISE), "depthwise_weight"
        ),
        *pointwise(lambda bad: kernels.separable_conv2d_backward(GRAD, X, DEPTHWISE, bad)),
        *sliding(lambda **options: kernels.separable_conv2d_backward(GRAD, X, DEPTHWISE, POINTWISE, **options)),
    ],
}
