"""Wrong calls of the functions with parameters or windows: convolution, linear, normalization, pooling, losses."""

import numpy as np

import minception.functional as F
from minception import kernels

from .samples import tensor
from .table import not_pairs, not_reals, wrong

X, WEIGHT, DEPTHWISE, POINTWISE = tensor(2, 4, 5, 5), tensor(6, 4, 3, 3), tensor(8, 1, 3, 3), tensor(6, 8, 1, 1)
ARRAY = np.ones((2, 4, 5, 5), np.float32)
PREPARED = kernels.conv2d_prepare(WEIGHT.numpy())
FOUR, FIVE = tensor(4), tensor(5)
LOGITS, LABELS = tensor(2, 3), np.array([0, 2])


def convolution(call, weight, argument="weight"):
    """What every convolution refuses; `call(input, weight, **options)`."""
    half = tensor(*weight.shape, dtype=np.float16)
    return [
        wrong("input an array", lambda: call(ARRAY, weight), TypeError, "input must be a Tensor, got ndarray"),
        wrong("input of rank 3", lambda: call(X[0], weight), ValueError, "x must have 4 dimensions", "(4, 5, 5)"),
        wrong("input int64", lambda: call(tensor(2, 4, 5, 5, dtype=np.int64), weight), TypeError, "got int64"),
        wrong(
            "weight float64", lambda: call(X, weight.double()), TypeError, "all arrays must have one dtype", "float64"
        ),
        wrong("weight float16", lambda: call(X, half), TypeError, "must be float32 or float64, got float16"),
        wrong("weight of rank 3", lambda: call(X, weight[0]), ValueError, f"{argument} must have 4 dimensions"),
        wrong("kernel beyond the image", lambda: call(X, weight, dilation=3), ValueError, "does not fit", "(5, 5)"),
        wrong("padding unknown", lambda: call(X, weight, padding="full"), ValueError, "padding must be", "'full'"),
        *not_pairs("stride", lambda bad: call(X, weight, stride=bad), 1),
        *not_pairs("padding", lambda bad: call(X, weight, padding=bad), 0),
        *not_pairs("dilation", lambda bad: call(X, weight, dilation=bad), 1),
    ]


def pooling(call):
    """What pooling refuses; `call(input, kernel_size, **options)`."""
    return [
        wrong("input an array", lambda: call(ARRAY, 2), TypeError, "must be a Tensor, got ndarray"),
        wrong("input None", lambda: call(None, 2), TypeError, "input must be a Tensor, got NoneType"),
        wrong("input of rank 2", lambda: call(LOGITS, 2), ValueError, "x must have 4 dimensions", "(2, 3)"),
        wrong("input int64", lambda: call(tensor(1, 1, 2, 2, dtype=np.int64), 2), TypeError, "got int64"),
        wrong("input without pixels", lambda: call(X[:, :, :0], 2), ValueError, "x must have at least one pixel"),
        wrong("padding above half", lambda: call(X, 2, padding=2), ValueError, "padding must be at most half"),
        wrong("kernel beyond the image", lambda: call(X, 6), ValueError, "kernel_size 6", "does not fit"),
        *not_pairs("kernel_size", lambda bad: call(X, bad), 1),
        *not_pairs("stride", lambda bad: call(X, 2, stride=bad), 1, optional=True),
        *not_pairs("padding", lambda bad: call(X, 2, padding=bad), 0),
    ]


def batch_norms(function):
    """Wrong calls of batch norm, with or without ReLU."""

    def call(input=X, running_mean=FOUR, running_var=FOUR, weight=FOUR, bias=FOUR, training=True, **options):
        return function(input, running_mean, running_var, weight, bias, training, **options)

    return [
        wrong("input an array", lambda: call(ARRAY), TypeError, "input must be a Tensor, got ndarray"),
        wrong("input of rank 1", lambda: call(FOUR, None, None), ValueError, "x must have at least 2", "(4,)"),
        wrong("one value per channel", lambda: call(X[:1, :, :1, :1]), ValueError, "Expected more than 1 value"),
        wrong("running_mean too long", lambda: call(X, FIVE), ValueError, "running_mean must have shape (4,)"),
        wrong(
            "running_var too long", lambda: call(X, FOUR, FIVE), ValueError, "running_var must have shape (4,)"
        ),
        wrong(
            "running_mean in float64 beside float32",
            lambda: call(X, FOUR.double()),
            TypeError,
            "all arrays must have one dtype",
            "running_mean is float64",
        ),
        wrong("running_mean an array", lambda: call(X, ARRAY), TypeError, "running_mean must be a Tensor"),
        wrong("running_var alone", lambda: call(X, None), ValueError, "must both be given or both be None"),
        wrong(
            "no statistics", lambda: call(X, None, None, training=False), ValueError, "are needed when training"
        ),
        wrong("weight too long", lambda: call(X, weight=FIVE), ValueError, "weight must have shape (4,)", "(5,)"),
        wrong("bias too long", lambda: call(X, bias=FIVE), ValueError, "bias must have shape (4,)", "(5,)"),
        wrong("eps zero", lambda: call(X, eps=0.0), ValueError, "eps must be positive during training", "0.0"),
        *not_reals("eps", lambda bad: call(X, eps=bad), nan="must be positive"),
        *not_reals("momentum", lambda bad: call(X, momentum=bad)),
    ]


TABLES = {
    "functional.conv2d": [
        *convolution(F.conv2d, WEIGHT),
        wrong("weight an array", lambda: F.conv2d(X, ARRAY), TypeError, "weight must be a Tensor, got ndarray"),
        wrong("weight for other channels", lambda: F.conv2d(X, WEIGHT[:, :3]), ValueError, "weight expects 3", "has 4"),
        wrong("bias too short", lambda: F.conv2d(X, WEIGHT, FIVE), ValueError, "bias must have shape (6,)", "(5,)"),
        wrong("bias an array", lambda: F.conv2d(X, WEIGHT, ARRAY), TypeError, "input 2 must be a Tensor, got ndarray"),
        wrong("groups zero", lambda: F.conv2d(X, WEIGHT, groups=0), ValueError, "groups must be positive, got 0"),
        wrong("groups a float", lambda: F.conv2d(X, DEPTHWISE, groups=4.0), TypeError, "groups must be an integer"),
        wrong("groups a str", lambda: F.conv2d(X, WEIGHT, groups="1"), TypeError, "groups must be an integer", "'1'"),
        wrong("groups and channels", lambda: F.conv2d(X, WEIGHT, groups=3), ValueError, "weight expects 12", "has 4"),
        wrong("groups and outputs", lambda: F.conv2d(X, DEPTHWISE[:6], groups=4), ValueError, "(6, 1, 3, 3)", "C = 4"),
    ],
    "functional.conv2d_prepared": [
        wrong("input an array", lambda: F.conv2d_prepared(ARRAY, PREPARED), TypeError, "input must be a Tensor"),
        wrong("weights as they are", lambda: F.conv2d_prepared(X, WEIGHT), TypeError, "conv2d_prepare", "got Tensor"),
        wrong("input of other channels", lambda: F.conv2d_prepared(X[:, :3], PREPARED), ValueError, "has 3"),
        wrong(
            "input that needs a gradient",
            lambda: F.conv2d_prepared(X.detach().requires_grad_(), PREPARED),
            RuntimeError,
            "has no gradient",
        ),
    ],
    "functional.depthwise_conv2d": [
        *convolution(F.depthwise_conv2d, DEPTHWISE),
        wrong("weight mixes channels", lambda: F.depthwise_conv2d(X, WEIGHT), ValueError, "weight must have shape"),
        wrong(
            "bias too short", lambda: F.depthwise_conv2d(X, DEPTHWISE, FIVE), ValueError, "bias must have shape (8,)"
        ),
    ],
    "functional.separable_conv2d": [
        *convolution(
            lambda input, weight, **options: F.separable_conv2d(input, weight, POINTWISE, **options),
            DEPTHWISE,
            argument="depthwise_weight",
        ),
        wrong(
            "pointwise_weight of 3x3",
            lambda: F.separable_conv2d(X, DEPTHWISE, tensor(6, 8, 3, 3)),
            ValueError,
            "pointwise_weight must have shape (6, 8, 1, 1)",
        ),
        wrong(
            "pointwise_weight for other channels",
            lambda: F.separable_conv2d(X, DEPTHWISE, tensor(6, 4, 1, 1)),
            ValueError,
            "pointwise_weight must have shape (6, 8, 1, 1)",
        ),
        wrong(
            "pointwise_weight None",
            lambda: F.separable_conv2d(X, DEPTHWISE, None),
            TypeError,
            "pointwise_weight must be a Tensor, got NoneType",
        ),
    ],
    "functional.linear": [
        wrong("input an array", lambda: F.linear(ARRAY, LOGITS), TypeError, "input 0 must be a Tensor, got ndarray"),
        wrong("input None", lambda: F.linear(None, LOGITS), TypeError, "x must be an array, got None"),
        wrong("weight None", lambda: F.linear(LOGITS, None), TypeError, "weight must be an array, got None"),
        wrong("other features", lambda: F.linear(FOUR, LOGITS), ValueError, "weight expects 3", "input has 4"),
        wrong("weight of rank 1", lambda: F.linear(FOUR, FOUR), ValueError, "weight must have 2 dimensions", "(4,)"),
        wrong("bias too long", lambda: F.linear(LOGITS, LOGITS, FIVE), ValueError, "bias must have shape (2,)", "(5,)"),
        wrong("input float64", lambda: F.linear(LOGITS.double(), LOGITS), TypeError, "one dtype", "x is float64"),
    ],
    "functional.batch_norm": batch_norms(F.batch_norm),
    "functional.batch_norm_relu": batch_norms(F.batch_norm_relu),
    "functional.local_response_norm": [
        wrong("input an array", lambda: F.local_response_norm(ARRAY, 3), TypeError, "input 0 must be a Tensor"),
        wrong("input of rank 2", lambda: F.local_response_norm(LOGITS, 3), ValueError, "x must have 4", "(2, 3)"),
        wrong("size zero", lambda: F.local_response_norm(X, 0), ValueError, "size must be positive, got 0"),
        wrong("size 1.5", lambda: F.local_response_norm(X, 1.5), TypeError, "size must be an integer, got 1.5"),
        *not_reals("alpha", lambda bad: F.local_response_norm(X, 3, alpha=bad)),
        *not_reals("beta", lambda bad: F.local_response_norm(X, 3, beta=bad)),
        *not_reals("k", lambda bad: F.local_response_norm(X, 3, k=bad)),
    ],
    "functional.max_pool2d": [
        *pooling(F.max_pool2d),
        *not_pairs("dilation", lambda bad: F.max_pool2d(X, 2, dilation=bad), 1),
    ],
    "functional.avg_pool2d": [
        *pooling(F.avg_pool2d),
        wrong("divisor zero", lambda: F.avg_pool2d(X, 2, divisor_override=0), ValueError, "divisor_override", "zero"),
        wrong("divisor 1.5", lambda: F.avg_pool2d(X, 2, divisor_override=1.5), TypeError, "divisor_override", "1.5"),
    ],
    "functional.adaptive_avg_pool2d": [
        wrong("input an array", lambda: F.adaptive_avg_pool2d(ARRAY, 2), TypeError, "input must be a Tensor"),
        wrong("input of rank 2", lambda: F.adaptive_avg_pool2d(LOGITS, 2), ValueError, "x must have 4 dimensions"),
        *not_pairs("output_size", lambda bad: F.adaptive_avg_pool2d(X, bad), 1, optional=True),
    ],
    "functional.global_avg_pool2d": [
        wrong("input an array", lambda: F.global_avg_pool2d(ARRAY), TypeError, "input must be a Tensor, got ndarray"),
        wrong("input of rank 2", lambda: F.global_avg_pool2d(LOGITS), ValueError, "x must have 4 dimensions", "(2, 3)"),
        wrong("input without pixels", lambda: F.global_avg_pool2d(X[:, :, :0]), ValueError, "at least one pixel"),
    ],
    "functional.cross_entropy": [
        wrong("input an array", lambda: F.cross_entropy(ARRAY, LABELS), TypeError, "input 0 must be a Tensor"),
        wrong("input of rank 1", lambda: F.cross_entropy(FOUR, LABELS), ValueError, "logits must have 2", "(4,)"),
        wrong("target float", lambda: F.cross_entropy(LOGITS, LABELS * 1.0), TypeError, "labels must be", "float64"),
        wrong("target None", lambda: F.cross_entropy(LOGITS, None), TypeError, "labels must be", "integers"),
        wrong("target too short", lambda: F.cross_entropy(LOGITS, LABELS[:1]), ValueError, "labels must have", "(2,)"),
        wrong("target too large", lambda: F.cross_entropy(LOGITS, LABELS + 1), ValueError, "labels[1] is 3", "0 to 2"),
        wrong("weight too long", lambda: F.cross_entropy(LOGITS, LABELS, FOUR), ValueError, "weight must have", "(3,)"),
        wrong("weight float64", lambda: F.cross_entropy(LOGITS, LABELS, np.ones(3)), TypeError, "weight is float64"),
        wrong(
            "reduction unknown",
            lambda: F.cross_entropy(LOGITS, LABELS, reduction="max"),
            ValueError,
            "reduction",
            "'max'",
        ),
        wrong(
            "label_smoothing 2",
            lambda: F.cross_entropy(LOGITS, LABELS, label_smoothing=2.0),
            ValueError,
            "label_smoothing must be between 0 and 1, got 2.0",
        ),
        wrong(
            "ignore_index 1.5",
            lambda: F.cross_entropy(LOGITS, LABELS, ignore_index=1.5),
            TypeError,
            "ignore_index must be an integer, got 1.5",
        ),
    ],
    "functional.nll_loss": [
        wrong("input an array", lambda: F.nll_loss(ARRAY, LABELS), TypeError, "input must be a Tensor, got ndarray"),
        wrong("input of rank 1", lambda: F.nll_loss(FOUR, LABELS), ValueError, "expected input (N, C)", "(4,)"),
        wrong("target too short", lambda: F.nll_loss(LOGITS, LABELS[:1]), ValueError, "target (N,)", "(1,)"),
        wrong(
            "target float", lambda: F.nll_loss(LOGITS, LABELS * 1.0), TypeError, "target must hold integers", "float64"
        ),
        wrong(
            "target too large", lambda: F.nll_loss(LOGITS, LABELS + 1), ValueError, "target must lie in [0, 3)", "1..3"
        ),
        wrong("target negative", lambda: F.nll_loss(LOGITS, LABELS - 1), ValueError, "target must lie in [0, 3)", "-1"),
        wrong("reduction unknown", lambda: F.nll_loss(LOGITS, LABELS, "max"), ValueError, "reduction must be", "'max'"),
    ],
}
