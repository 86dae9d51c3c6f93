"""Wrong calls of the layers: wrong arguments of their constructors, wrong inputs."""

import numpy as np

from minception import nn

from .samples import tensor
from .table import not_integers, not_pairs, not_reals, wrong

IMAGES, MATRIX, VECTOR = tensor(2, 4, 5, 5), tensor(2, 3), tensor(3)
ARRAY = np.ones((2, 4, 5, 5), np.float32)


def positive_integers(argument, call, words="must be a positive integer"):
    """What a count must not be."""
    return [
        wrong(f"{argument} zero", lambda: call(0), ValueError, f"{argument} {words}, got 0"),
        wrong(f"{argument} negative", lambda: call(-1), ValueError, f"{argument} {words}, got -1"),
        *not_integers(argument, call),
    ]


def windows(call, dilation=True):
    """Wrong windows of `call(kernel_size=..., ...)`."""
    return [
        *not_pairs("kernel_size", lambda bad: call(kernel_size=bad), 1),
        *not_pairs("stride", lambda bad: call(kernel_size=2, stride=bad), 1, optional=True),
        *not_pairs("padding", lambda bad: call(kernel_size=2, padding=bad), 0),
        *(not_pairs("dilation", lambda bad: call(kernel_size=2, dilation=bad), 1) if dilation else []),
    ]


def words_of_padding(call):
    return [
        wrong("padding unknown", lambda: call(kernel_size=3, padding="full"), ValueError, "padding must be", "'full'"),
        wrong("padding same with stride", lambda: call(kernel_size=3, padding="same", stride=2), ValueError, "same"),
    ]


def convolution_inputs(layer):
    return [
        wrong("input an array", lambda: layer(ARRAY), TypeError, "must be a Tensor, got ndarray"),
        wrong("input of other channels", lambda: layer(IMAGES[:, :3]), ValueError, "weight", "3"),
        wrong("input of rank 3", lambda: layer(IMAGES[0]), ValueError, "x must have 4 dimensions", "(4, 5, 5)"),
        wrong(
            "input float64", lambda: layer(IMAGES.double()), TypeError, "all arrays must have one dtype", "x is float64"
        ),
        wrong("input too small", lambda: layer(IMAGES[:, :, :2]), ValueError, "does not fit", "(2, 5)"),
    ]


def pool_inputs(layer):
    return [
        wrong("input an array", lambda: layer(ARRAY), TypeError, "input must be a Tensor, got ndarray"),
        wrong("input of rank 2", lambda: layer(MATRIX), ValueError, "x must have 4 dimensions", "(2, 3)"),
        wrong("input without pixels", lambda: layer(IMAGES[:, :, :0]), ValueError, "at least one pixel"),
    ]


def batch_norms(cls, rank, good):
    """Wrong calls of a batch norm of four channels; `good` is a right input."""
    other = tensor(2, 3) if rank.startswith("4") else tensor(2, 4, 5, 5)
    one_value = tensor(1, 4) if cls is nn.BatchNorm1d else tensor(1, 4, 1, 1)
    return [
        *positive_integers("num_features", cls),
        *not_reals("eps", lambda bad: cls(4, eps=bad)),
        wrong("momentum a str", lambda: cls(4, momentum="a"), TypeError, "momentum must be a real number, got 'a'"),
        wrong("momentum True", lambda: cls(4, momentum=True), TypeError, "momentum must be a real number, got True"),
        wrong(
            "input of another rank", lambda: cls(4)(other), ValueError, f"expected {rank} input", f"{other.ndim}D input"
        ),
        wrong("input of other channels", lambda: cls(3)(good), ValueError, "expected 3 channels", str(good.shape)),
        wrong("input an array", lambda: cls(4)(good.numpy()), TypeError, "input must be a Tensor, got ndarray"),
        wrong("input float64", lambda: cls(4)(good.double()), TypeError, "all arrays must have one dtype"),
        wrong("one value per channel", lambda: cls(4)(one_value), ValueError, "Expected more than 1 value per channel"),
        wrong(
            "eps zero in training", lambda: cls(4, eps=0.0)(good), ValueError, "eps must be positive during training"
        ),
    ]


def softmaxes(cls):
    return [
        *not_integers("dim", cls),
        wrong("dim out of range", lambda: cls(2)(MATRIX), ValueError, "axis 2 is out of range", "2 dimensions"),
        wrong("input an array", lambda: cls(1)(ARRAY), TypeError, "input 0 must be a Tensor, got ndarray"),
    ]


def separable(in_channels=4, out_channels=4, kernel_size=3, **options):
    return nn.SeparableConv2d(in_channels, out_channels, kernel_size, **options)


TABLES = {
    "nn.Conv2d": [
        *positive_integers("in_channels", lambda bad: nn.Conv2d(bad, 4, 3)),
        *positive_integers("out_channels", lambda bad: nn.Conv2d(4, bad, 3)),
        *positive_integers("groups", lambda bad: nn.Conv2d(4, 4, 3, groups=bad)),
        wrong(
            "groups and inputs", lambda: nn.Conv2d(4, 6, 3, groups=3), ValueError, "in_channels must be divisible", "3"
        ),
        wrong("groups and outputs", lambda: nn.Conv2d(4, 6, 3, groups=4), ValueError, "out_channels must be divisible"),
        *windows(lambda **options: nn.Conv2d(4, 4, **options)),
        *words_of_padding(lambda **options: nn.Conv2d(4, 4, **options)),
        wrong(
            "padding_mode", lambda: nn.Conv2d(4, 4, 3, padding_mode="reflect"), ValueError, "padding_mode", "'reflect'"
        ),
        *convolution_inputs(nn.Conv2d(4, 4, 3)),
    ],
    "nn.DepthwiseConv2d": [
        *positive_integers("channels", lambda bad: nn.DepthwiseConv2d(bad, 3)),
        *positive_integers("depth_multiplier", lambda bad: nn.DepthwiseConv2d(4, 3, depth_multiplier=bad)),
        *windows(lambda **options: nn.DepthwiseConv2d(4, **options)),
        *words_of_padding(lambda **options: nn.DepthwiseConv2d(4, **options)),
        *convolution_inputs(nn.DepthwiseConv2d(4, 3)),
    ],
    "nn.SeparableConv2d": [
        *positive_integers("in_channels", lambda bad: separable(in_channels=bad)),
        *positive_integers("out_channels", lambda bad: separable(out_channels=bad)),
        *positive_integers("depth_multiplier", lambda bad: separable(depth_multiplier=bad)),
    ],
    "nn.Linear": [
        *positive_integers("in_features", lambda bad: nn.Linear(bad, 2)),
        *positive_integers("out_features", lambda bad: nn.Linear(2, bad)),
        wrong("input of other features", lambda: nn.Linear(4, 2)(MATRIX), ValueError, "weight expects 4", "has 3"),
        wrong("input an array", lambda: nn.Linear(5, 2)(ARRAY), TypeError, "input 0 must be a Tensor, got ndarray"),
        wrong("input int64", lambda: nn.Linear(3, 2)(tensor(2, 3, dtype=np.int64)), TypeError, "got int64"),
    ],
    "nn.BatchNorm1d": batch_norms(nn.BatchNorm1d, "2D or 3D", tensor(3, 4)),
    "nn.BatchNorm2d": batch_norms(nn.BatchNorm2d, "4D", IMAGES),
    "nn.BatchNormReLU2d": batch_norms(nn.BatchNormReLU2d, "4D", IMAGES),
    "nn.LocalResponseNorm": [
        *positive_integers("size", nn.LocalResponseNorm),
        *not_reals("alpha", lambda bad: nn.LocalResponseNorm(3, alpha=bad)),
        *not_reals("beta", lambda bad: nn.LocalResponseNorm(3, beta=bad)),
        *not_reals("k", lambda bad: nn.LocalResponseNorm(3, k=bad)),
        wrong("input of rank 2", lambda: nn.LocalResponseNorm(3)(MATRIX), ValueError, "x must have 4 dimensions"),
    ],
    "nn.MaxPool2d": [
        *windows(nn.MaxPool2d),
        wrong(
            "return_indices", lambda: nn.MaxPool2d(2, return_indices=True), ValueError, "return_indices must be False"
        ),
        wrong("padding above half", lambda: nn.MaxPool2d(2, padding=2)(IMAGES), ValueError, "at most half", "2"),
        wrong("window beyond the image", lambda: nn.MaxPool2d(6)(IMAGES), ValueError, "kernel_size 6", "does not fit"),
        *pool_inputs(nn.MaxPool2d(2)),
    ],
    "nn.AvgPool2d": [
        *windows(nn.AvgPool2d, dilation=False),
        *not_integers("divisor_override", lambda bad: nn.AvgPool2d(2, divisor_override=bad), optional=True),
        wrong("divisor zero", lambda: nn.AvgPool2d(2, divisor_override=0), ValueError, "divisor_override", "zero"),
        wrong("padding above half", lambda: nn.AvgPool2d(2, padding=2)(IMAGES), ValueError, "at most half", "2"),
        *pool_inputs(nn.AvgPool2d(2)),
    ],
    "nn.AdaptiveAvgPool2d": [
        *not_pairs("output_size", nn.AdaptiveAvgPool2d, 1, optional=True),
        *pool_inputs(nn.AdaptiveAvgPool2d(1)),
    ],
    "nn.GlobalAvgPool2d": pool_inputs(nn.GlobalAvgPool2d()),
    "nn.ReLU": [
        wrong("input an array", lambda: nn.ReLU()(ARRAY), TypeError, "input 0 must be a Tensor, got ndarray"),
        wrong("input int64", lambda: nn.ReLU()(tensor(2, dtype=np.int64)), TypeError, "got int64"),
    ],
    "nn.ELU": [
        *not_reals("alpha", nn.ELU),
        wrong("input an array", lambda: nn.ELU()(ARRAY), TypeError, "input 0 must be a Tensor, got ndarray"),
    ],
    "nn.Softmax": softmaxes(nn.Softmax),
    "nn.LogSoftmax": softmaxes(nn.LogSoftmax),
    "nn.Dropout": [
        *not_reals("p", nn.Dropout),
        wrong(
            "probability above one", lambda: nn.Dropout(1.5), ValueError, "probability has to be between 0 and 1", "1.5"
        ),
        wrong("probability negative", lambda: nn.Dropout(-0.1), ValueError, "has to be between 0 and 1", "-0.1"),
        wrong("probability NaN", lambda: nn.Dropout(float("nan")), ValueError, "has to be between 0 and 1", "nan"),
        wrong("input an array", lambda: nn.Dropout()(ARRAY), TypeError, "input must be a Tensor, got ndarray"),
    ],
    "nn.Flatten": [
        *not_integers("start_dim", nn.Flatten),
        *not_integers("end_dim", lambda bad: nn.Flatten(1, bad)),
        wrong("start_dim out of range", lambda: nn.Flatten(2)(MATRIX), IndexError, "dim 2", "out of range for 2"),
        wrong("start after end", lambda: nn.Flatten(1, 0)(MATRIX), ValueError, "start_dim 1 comes after end_dim 0"),
        wrong("input an array", lambda: nn.Flatten()(ARRAY), TypeError, "must be a Tensor, got ndarray"),
    ],
    "nn.CrossEntropyLoss": [
        wrong("reduction unknown", lambda: nn.CrossEntropyLoss(reduction="max"), ValueError, "reduction must", "'max'"),
        *not_reals("label_smoothing", lambda bad: nn.CrossEntropyLoss(label_smoothing=bad), nan="between 0.0 and 1.0"),
        wrong("label_smoothing 2", lambda: nn.CrossEntropyLoss(label_smoothing=2.0), ValueError, "0.0 and 1.0", "2.0"),
        *not_integers("ignore_index", lambda bad: nn.CrossEntropyLoss(ignore_index=bad)),
        wrong("weight of rank 2", lambda: nn.CrossEntropyLoss(MATRIX), ValueError, "weight must be floating", "(2, 3)"),
        wrong(
            "weight of integers", lambda: nn.CrossEntropyLoss([1, 2]), ValueError, "weight must be floating", "int64"
        ),
    ],
    "nn.Parameter": [
        wrong("integers", lambda: nn.Parameter([1, 2]), RuntimeError, "only floating tensors have gradients", "int64"),
    ],
}
