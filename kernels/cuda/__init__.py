"""The fast path on an NVIDIA GPU: the reference's functions with its arguments, in CUDA C++.

How to read it. `pool.py` is what Python does for a kernel (check, allocate, launch), `pool.cu` beside it is what each
thread of the GPU does; likewise for the other names. `common.cuh` has what all `.cu` files use, `window.cuh` where
sliding windows land, `gemm.cuh` how a block multiplies two matrices, `tensor_cores.cuh` how on tensor cores.
`launch.py` hands a kernel to the GPU by way of CuPy, which compiles it at its first use and keeps it. Images lie
channels-last in memory, so threads that are neighbours work on neighbouring channels. Sums over many elements have two
stages, each thread or block in a fixed order, so that the same call gives the same bits; nothing uses atomics. A kernel
that is missing here runs as the reference version, on CuPy's arrays. `product.py` leaves to cuBLAS what is a product of
matrices as it lies, except in a CUDA graph that is captured (`kernels/capture.py`).

How it is tested where there is no GPU. `emulated/` compiles the very same `.cu` files with g++, one fiber for each
thread, and the property tests run them so, in forward and in reversed order of the threads. That proves the logic:
indices, bounds, formulas, and that threads wait for each other where they must. It cannot prove speed, nor show races
between blocks or what depends on the GPU's own rounding of exp and log. That they compile for a GPU, without warnings
and without spilling registers, is a test of its own.
"""

from .activation import relu, relu_backward
from .adaptive_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
)
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
from .cross_entropy import softmax_cross_entropy, softmax_cross_entropy_backward
from .depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
)
from .dropout import dropout
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
    "conv2d",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_prepared",
    "depthwise_conv2d",
    "depthwise_conv2d_backward_input",
    "depthwise_conv2d_backward_weight",
    "dropout",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
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
    "sgd_update_all",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "sum_of_squares",
]
