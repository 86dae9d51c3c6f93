"""The operations as functions, with the names of `torch.nn.functional` and `torch`."""

from .ops.activation import dropout, elu, log_softmax, relu, softmax
from .ops.arithmetic import add, matmul, scaled_add
from .ops.convolution import conv2d, conv2d_prepared, depthwise_conv2d, separable_conv2d
from .ops.elementwise import clip, exp, log, maximum, minimum, sigmoid, sqrt, tanh, where
from .ops.linear import linear
from .ops.loss import cross_entropy, nll_loss
from .ops.normalization import batch_norm, batch_norm_relu, local_response_norm
from .ops.pooling import adaptive_avg_pool2d, avg_pool2d, global_avg_pool2d, max_pool2d
from .ops.shape import concatenate, flatten, pad, permute, reshape, stack, transpose

cat = concatenate

__all__ = [
    "adaptive_avg_pool2d",
    "add",
    "avg_pool2d",
    "batch_norm",
    "batch_norm_relu",
    "cat",
    "clip",
    "concatenate",
    "conv2d",
    "conv2d_prepared",
    "cross_entropy",
    "depthwise_conv2d",
    "dropout",
    "elu",
    "exp",
    "flatten",
    "global_avg_pool2d",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "matmul",
    "max_pool2d",
    "maximum",
    "minimum",
    "nll_loss",
    "pad",
    "permute",
    "relu",
    "reshape",
    "scaled_add",
    "separable_conv2d",
    "sigmoid",
    "softmax",
    "sqrt",
    "stack",
    "tanh",
    "transpose",
    "where",
]
