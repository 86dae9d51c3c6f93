"""The textbook: every kernel in NumPy, as clear as it can be said. Here stand the contracts of all kernels."""

from .activation import elu, elu_backward, relu, relu_backward
from .adaptive_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
)
from .arithmetic import add, add_backward, concatenate, concatenate_backward, scaled_add, scaled_add_backward
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
from .batch_norm_steps import BatchNormGradients, BatchNormSteps, batch_norm_backward_steps, batch_norm_forward_steps
from .conv import col2im, conv2d, conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight, im2col
from .conv_prepared import PreparedConv2d, conv2d_prepare, conv2d_prepared
from .cross_entropy import softmax_cross_entropy, softmax_cross_entropy_backward
from .depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    separable_conv2d,
    separable_conv2d_backward,
)
from .dropout import dropout, dropout_backward
from .linear import linear, linear_backward_bias, linear_backward_input, linear_backward_weight
from .local_response_norm import local_response_norm, local_response_norm_backward
from .norm import scale_all, sum_of_squares
from .pool import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward
from .softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from .update import adam_update, adamw_update, rmsprop_update, sgd_update
from .update_all import adam_update_all, adamw_update_all, rmsprop_update_all, sgd_update_all

__all__ = [
    "BatchNormGradients",
    "BatchNormSteps",
    "PreparedConv2d",
    "adam_update",
    "adam_update_all",
    "adamw_update",
    "adamw_update_all",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "add",
    "add_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm_backward_steps",
    "batch_norm_eval",
    "batch_norm_eval_backward",
    "batch_norm_forward_steps",
    "batch_norm_relu_eval",
    "batch_norm_relu_eval_backward",
    "batch_norm_relu_train",
    "batch_norm_relu_train_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "batch_norm_update_running",
    "col2im",
    "concatenate",
    "concatenate_backward",
    "conv2d",
    "conv2d_backward_bias",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_prepare",
    "conv2d_prepared",
    "depthwise_conv2d",
    "depthwise_conv2d_backward_input",
    "depthwise_conv2d_backward_weight",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "im2col",
    "linear",
    "linear_backward_bias",
    "linear_backward_input",
    "linear_backward_weight",
    "local_response_norm",
    "local_response_norm_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "rmsprop_update",
    "rmsprop_update_all",
    "scale_all",
    "scaled_add",
    "scaled_add_backward",
    "separable_conv2d",
    "separable_conv2d_backward",
    "sgd_update",
    "sgd_update_all",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "sum_of_squares",
]
