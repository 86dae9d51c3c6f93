"""The fast path on the CPU: the reference's functions with its arguments, compiled with Numba and on all threads.

A kernel that is missing here runs as the reference version.
"""

from .activation import relu, relu_backward
from .adaptive_pool import adaptive_avg_pool2d, adaptive_avg_pool2d_backward, global_avg_pool2d
from .arithmetic import add, concatenate, scaled_add
from .batch_norm import (
    batch_norm_eval,
    batch_norm_eval_backward,
    batch_norm_train,
    batch_norm_train_backward,
    batch_norm_update_running,
)
from .batch_norm_relu import (
    batch_norm_relu_eval,
    batch_norm_relu_eval_backward,
    batch_norm_relu_train,
    batch_norm_relu_train_backward,
)
from .conv import conv2d, conv2d_backward_input, conv2d_backward_weight
from .conv_prepared import conv2d_prepared
from .depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
)
from .linear import linear, linear_backward_input, linear_backward_weight
from .local_response_norm import local_response_norm, local_response_norm_backward
from .norm import scale_all, sum_of_squares
from .pool import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward
from .update import adam_update_all, adamw_update_all, rmsprop_update_all, sgd_update_all

__all__ = [
    "adam_update_all",
    "adamw_update_all",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "add",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm_eval",
    "batch_norm_eval_backward",
    "batch_norm_relu_eval",
    "batch_norm_relu_eval_backward",
    "batch_norm_relu_train",
    "batch_norm_relu_train_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "batch_norm_update_running",
    "concatenate",
    "conv2d",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_prepared",
    "depthwise_conv2d",
    "depthwise_conv2d_backward_input",
    "depthwise_conv2d_backward_weight",
    "global_avg_pool2d",
    "linear",
    "linear_backward_input",
    "linear_backward_weight",
    "local_response_norm",
    "local_response_norm_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "rmsprop_update_all",
    "scale_all",
    "scaled_add",
    "sgd_update_all",
    "sum_of_squares",
]
