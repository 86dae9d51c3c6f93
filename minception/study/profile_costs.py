"""What a call of a kernel has to do at least: its floating-point operations, and the bytes that it must move.

Operations are those of the textbook algorithm: a multiply-accumulate counts as two, and of everything else each
addition, multiplication, comparison, division, root or exponential as one. (Winograd's convolution does with fewer
multiplications, so that it may beat a floor that is computed from these.) Bytes are the least possible: every input is
read once and every output written once, as if nothing that is in a cache were ever lost, and nothing else is touched.
"""

import functools
import inspect
import math
from dataclasses import dataclass
from types import SimpleNamespace

from ..kernels import reference
from ..kernels.arrays import array_module, is_array
from ..kernels.checks import pair


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, and bytes read and written."""

    flops: int = 0
    bytes: int = 0


def cost_of_kernel(name, args, kwargs, result):
    """The `Cost` of one call of the kernel `name`, given what it was called with and what it returned."""
    arguments = _arguments(name, args, kwargs)
    inputs, outputs = arrays_in([*vars(arguments).values()]), arrays_in(result)
    arguments.result = outputs[0] if outputs else None
    if result is None:  # it works in place
        outputs = arrays_in([value for argument, value in vars(arguments).items() if argument not in ONLY_READ])
    else:
        sum_so_far = getattr(arguments, "add_to", None)
        outputs = [array for array in outputs if array is sum_so_far or not _is_view(array, inputs)]
    if not outputs and not isinstance(result, float):
        return Cost()  # it returned views of what it was given
    formula = FLOPS.get(name)
    flops = sum(array.size for array in outputs) if formula is None else formula(arguments)
    return Cost(int(flops), _bytes(inputs) + _bytes(outputs))


def cost_of_operation(inputs, outputs):
    """The `Cost` of an elementwise operation that calls no kernel: one operation for each element of what it makes."""
    inputs = arrays_in(inputs)
    outputs = [array for array in arrays_in(outputs) if not _is_view(array, inputs)]
    if not outputs:
        return Cost()
    return Cost(sum(array.size for array in outputs), _bytes(inputs) + _bytes(outputs))


def kind_of_kernel(name, args, kwargs):
    """What a kernel does, in words: "conv 3x3", "conv 1x1 /2" (stride 2), "batch norm", "optimizer"."""
    if name in ("conv2d", "depthwise_conv2d"):
        arguments = _arguments(name, args, kwargs)
        kh, kw = arguments.weight.shape[2:]
        sh, sw = pair(name, "stride", getattr(arguments, "stride", 1), minimum=1)
        stride = "" if sh == sw == 1 else f" /{sh}" if sh == sw else f" /{sh}x{sw}"
        groups = getattr(arguments, "groups", 1)
        return f"{KINDS[name]} {kh}x{kw}{stride}" + (f", {groups} groups" if groups > 1 else "")
    if name.endswith(("_update", "_update_all")):
        return "optimizer"
    return KINDS.get(name, name.replace("_", " "))


KINDS = {
    "conv2d": "conv",
    "conv2d_prepared": "conv",
    "depthwise_conv2d": "depthwise",
    "batch_norm_train": "batch norm",
    "batch_norm_eval": "batch norm",
    "batch_norm_update_running": "batch norm",
    "batch_norm_relu_train": "batch norm + relu",
    "batch_norm_relu_eval": "batch norm + relu",
    "max_pool2d": "max pool",
    "avg_pool2d": "average pool",
    "adaptive_avg_pool2d": "average pool",
    "global_avg_pool2d": "average pool",
    "scaled_add": "add",
    "softmax_cross_entropy": "loss",
}


def _size(value):
    """Elements of an array, of all arrays of a list, or of an array of a shape."""
    if is_array(value):
        return value.size
    return sum(map(_size, value)) if is_array(value[0]) else math.prod(value)


def _each(argument, operations):
    """A formula: so many operations for each element of an argument, or of the (first) `result`."""
    return lambda a: operations * _size(getattr(a, argument))


def _window(a):
    """Pixels of a pooling window."""
    return math.prod(pair("cost", "kernel_size", a.kernel_size, minimum=1))


def _prepared(size, prepared):
    """FLOP of a convolution of so many outputs, and of the depthwise one before it, which has as many pixels."""
    before, between = prepared.before, size // len(prepared.weight) * prepared.weight.shape[1]
    return 2 * size * math.prod(prepared.weight.shape[1:]) + (0 if before is None else _prepared(between, before))


# Formulas of the arguments and the result `a` of a call. Each product of a convolution or a linear layer is of one
# element of the output, or of its gradient, and one of the weights that belong to its channel.
FLOPS = {
    "conv2d": lambda a: 2 * a.result.size * math.prod(a.weight.shape[1:]),
    "conv2d_prepared": lambda a: _prepared(a.result.size, a.prepared),
    "conv2d_backward_input": lambda a: 2 * a.grad_output.size * math.prod(a.weight.shape[1:]),
    "conv2d_backward_weight": lambda a: 2 * a.grad_output.size * math.prod(a.weight_shape[1:]),
    "conv2d_backward_bias": _each("grad_output", 1),
    "depthwise_conv2d": lambda a: 2 * a.result.size * math.prod(a.weight.shape[1:]),
    "depthwise_conv2d_backward_input": lambda a: 2 * a.grad_output.size * math.prod(a.weight.shape[1:]),
    "depthwise_conv2d_backward_weight": lambda a: 2 * a.grad_output.size * math.prod(a.weight_shape[1:]),
    "linear": lambda a: 2 * a.result.size * a.weight.shape[1],
    "linear_backward_input": lambda a: 2 * a.grad_output.size * a.weight.shape[1],
    "linear_backward_weight": lambda a: 2 * a.grad_output.size * a.x.shape[-1],
    "linear_backward_bias": _each("grad_output", 1),
    # Training: the sum; the difference from the mean, its square, the sum; scale and shift.
    "batch_norm_train": _each("x", 6),
    "batch_norm_train_backward": _each("x", 8),  # sums of dy and dy (x - mean); a dy + b (x - mean) + c
    "batch_norm_eval": _each("x", 2),
    "batch_norm_eval_backward": _each("x", 5),
    "batch_norm_update_running": _each("mean", 8),
    "batch_norm_relu_train": _each("x", 7),
    "batch_norm_relu_train_backward": _each("x", 11),  # where the output was 0 is computed again
    "batch_norm_relu_eval": _each("x", 3),
    "batch_norm_relu_eval_backward": _each("x", 8),
    "local_response_norm": lambda a: (a.size + 4) * a.x.size,
    "local_response_norm_backward": lambda a: (a.size + 6) * a.x.size,
    "max_pool2d": lambda a: _window(a) * a.result.size,
    "max_pool2d_backward": _each("grad_output", 1),
    "avg_pool2d": lambda a: (_window(a) + 1) * a.result.size,
    "avg_pool2d_backward": lambda a: (_window(a) + 1) * a.grad_output.size,
    "adaptive_avg_pool2d": _each("x", 1),
    "adaptive_avg_pool2d_backward": _each("x_shape", 1),
    "global_avg_pool2d": _each("x", 1),
    "global_avg_pool2d_backward": _each("grad_output", 1),
    "add": _each("x", 1),
    "add_backward": _each("grad_output", 0),
    "scaled_add": _each("x", 2),
    "scaled_add_backward": _each("grad_output", 1),
    "concatenate": lambda a: 0,
    "concatenate_backward": lambda a: 0,
    "relu": _each("x", 1),
    "relu_backward": _each("grad_output", 1),
    "elu": _each("x", 4),
    "elu_backward": _each("x", 4),
    "dropout": _each("x", 2),
    "dropout_backward": _each("grad_output", 1),
    "softmax": _each("x", 5),  # maximum, difference, exponential, sum, quotient
    "softmax_backward": _each("grad_output", 4),
    "log_softmax": _each("x", 5),
    "log_softmax_backward": _each("grad_output", 4),
    "softmax_cross_entropy": _each("logits", 6),
    "softmax_cross_entropy_backward": _each("log_probabilities", 6),
    "sgd_update": _each("parameter", 8),  # with weight decay and Nesterov's momentum
    "sgd_update_all": _each("parameters", 8),
    "rmsprop_update": _each("parameter", 11),
    "rmsprop_update_all": _each("parameters", 11),
    "adam_update": _each("parameter", 14),
    "adam_update_all": _each("parameters", 14),
    "adamw_update": _each("parameter", 13),
    "adamw_update_all": _each("parameters", 13),
    "sum_of_squares": _each("arrays", 2),
    "scale_all": _each("arrays", 1),
}
ONLY_READ = ("result", "grad", "grads", "mean", "var")  # of the kernels that write into their arguments


@functools.cache
def _signature(name):
    return inspect.signature(getattr(reference, name))


def _arguments(name, args, kwargs):
    return SimpleNamespace(**_signature(name).bind(*args, **kwargs).arguments)


def arrays_in(value):
    """The arrays in nested tuples and lists, each once."""
    if is_array(value):
        return [value]
    found = {}
    if isinstance(value, (tuple, list)):
        for item in value:
            found |= {id(array): array for array in arrays_in(item)}
    return list(found.values())


def _is_view(array, others):
    return any(array_module(array).may_share_memory(array, other) for other in others if type(other) is type(array))


def _bytes(arrays):
    """Memory behind arrays; what is broadcast is there only once."""
    return sum(
        array.itemsize * math.prod(size for size, stride in zip(array.shape, array.strides, strict=True) if stride)
        for array in arrays
    )
