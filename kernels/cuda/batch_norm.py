"""Batch normalization, see `batch_norm.cu`. Formulas and contracts: `reference/batch_norm.py`.

Training launches three kernels each way: sums over pieces of the rows, the arithmetic on single channels, and a pass
over memory. `batch_norm_relu.py` has the same with ReLU.
"""

from ..arrays import array_module
from ..reference import batch_norm as reference
from .launch import blocks_for, launch, pieces_of, tile
from .memory import empty_like_images, rows_in_memory

__all__ = [
    "batch_norm_eval",
    "batch_norm_eval_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "batch_norm_update_running",
]

SOURCE = "batch_norm.cu"
BATCH = 16  # rows that a thread takes at once, as in batch_norm.cu
FEW_CHANNELS = 8, 32  # of a block that puts pieces together: channels, and threads for each


class _Blocks:
    """How a matrix (rows, C) is divided. Grids are (pieces of the rows, tiles of the channels)."""

    def __init__(self, matrix):
        self.rows, self.channels = matrix.shape
        self.block = width, height = tile(self.channels)
        self.tiles = -(-self.channels // width)
        self.piece, self.pieces = pieces_of(self.rows, BATCH * height, self.tiles)
        self.sums = (self.pieces, self.tiles), self.block
        self.pass_over = (-(-self.rows // (BATCH * height)), self.tiles), self.block
        self.together = (-(-self.channels // FEW_CHANNELS[0]),), FEW_CHANNELS


def vector(array):
    """A per-channel argument as contiguous memory; None stays None."""
    return None if array is None else array_module(array).ascontiguousarray(array)


def train(x, weight, bias, eps, relu):
    """(output, mean, var, scale, shift): see `reference.batch_norm_relu_train`; without ReLU unless `relu`."""
    xp, matrix = array_module(x), rows_in_memory(x)
    blocks = _Blocks(matrix)
    shape = blocks.rows, blocks.channels
    means, squares = (xp.empty((blocks.pieces, blocks.channels), xp.float64) for _ in range(2))
    launch(SOURCE, "batch_norm_moments", x.dtype, *blocks.sums, matrix, means, squares, blocks.piece, *shape)
    mean, var, scale, shift = (xp.empty(blocks.channels, x.dtype) for _ in range(4))
    launch(
        SOURCE, "batch_norm_training_coefficients", x.dtype, *blocks.together, means, squares, vector(weight),
        vector(bias), mean, var, scale, shift, blocks.pieces, blocks.piece, *shape, eps,
    )  # fmt: skip
    return _normalize(x, matrix, blocks, mean, scale, shift, relu), mean, var, scale, shift


def _normalize(x, matrix, blocks, mean, scale, shift, relu):
    output = empty_like_images(x)
    launch(
        SOURCE, "batch_norm_normalize", x.dtype, *blocks.pass_over, matrix, mean, scale, shift,
        rows_in_memory(output), *matrix.shape, int(relu),
    )  # fmt: skip
    return output


def evaluate(x, running_mean, running_var, weight, bias, eps, relu):
    """The output of `reference.batch_norm_relu_eval`; without ReLU unless `relu`."""
    matrix, mean = rows_in_memory(x), vector(running_mean)
    scale, shift = evaluation_coefficients(running_var, weight, bias, eps)
    return _normalize(x, matrix, _Blocks(matrix), mean, scale, shift, relu)


def evaluation_coefficients(running_var, weight, bias, eps):
    """(scale, shift), the numbers of y = (x - running_mean) * scale + shift."""
    xp, channels = array_module(running_var), len(running_var)
    scale, shift = (xp.empty(channels, running_var.dtype) for _ in range(2))
    launch(
        SOURCE, "batch_norm_evaluation_coefficients", running_var.dtype, *blocks_for(channels), vector(running_var),
        vector(weight), vector(bias), scale, shift, channels, eps,
    )  # fmt: skip
    return scale, shift


def gradients(grad_output, x, weight, mean, var, eps, scale, shift, training):
    """(grad_x, grad_weight, grad_bias) of `train` or `evaluate`; with ReLU unless scale and shift are None."""
    xp, matrix, gradient = array_module(x), rows_in_memory(x), rows_in_memory(grad_output)
    blocks = _Blocks(matrix)
    forward = vector(mean), vector(scale), vector(shift)
    sums = xp.empty((blocks.pieces, 3, blocks.channels), xp.float64)
    launch(
        SOURCE, "batch_norm_gradient_sums", x.dtype, *blocks.sums, gradient, matrix, *forward, sums, blocks.piece,
        *matrix.shape,
    )  # fmt: skip
    grad_weight, grad_bias, slope, offset, factor = (xp.empty(blocks.channels, x.dtype) for _ in range(5))
    launch(
        SOURCE, "batch_norm_gradient_coefficients", x.dtype, *blocks.together, sums, vector(weight), vector(var),
        grad_weight, grad_bias, slope, offset, factor, blocks.pieces, *matrix.shape, int(training), eps,
    )  # fmt: skip
    grad_x = empty_like_images(x)
    launch(
        SOURCE, "batch_norm_input_gradient", x.dtype, *blocks.pass_over, gradient, matrix, *forward,
        slope, offset, factor, rows_in_memory(grad_x), *matrix.shape, int(training),
    )  # fmt: skip
    return grad_x, grad_weight, grad_bias


def batch_norm_train(x, weight, bias, eps=1e-5):
    """See `reference.batch_norm_train`."""
    name = "batch_norm_train"
    reference.check_arguments(name, x, {"weight": weight, "bias": bias})
    eps = reference.check_training_eps(name, eps)
    reference.check_count(name, x)
    if x.size == 0:
        return reference.batch_norm_train(x, weight, bias, eps)
    return train(x, weight, bias, eps, relu=False)[:3]


def batch_norm_train_backward(grad_output, x, weight, mean, var, eps=1e-5):
    """See `reference.batch_norm_train_backward`, equation (4)."""
    name = "batch_norm_train_backward"
    reference.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, mean=mean, var=var)
    eps = reference.check_training_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_train_backward(grad_output, x, weight, mean, var, eps)
    return gradients(grad_output, x, weight, mean, var, eps, None, None, training=True)


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """See `reference.batch_norm_eval`."""
    name = "batch_norm_eval"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    reference.check_arguments(name, x, {"weight": weight, "bias": bias}, **statistics)
    eps = reference.check_eval_eps(name, eps)
    return evaluate(x, running_mean, running_var, weight, bias, eps, relu=False)


def batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps=1e-5):
    """See `reference.batch_norm_eval_backward`."""
    name = "batch_norm_eval_backward"
    statistics = {"running_mean": running_mean, "running_var": running_var}
    reference.check_arguments(name, x, {"weight": weight}, {"grad_output": grad_output}, **statistics)
    eps = reference.check_eval_eps(name, eps)
    if x.size == 0:
        return reference.batch_norm_eval_backward(grad_output, x, weight, running_mean, running_var, eps)
    return gradients(grad_output, x, weight, running_mean, running_var, eps, None, None, training=False)


def batch_norm_update_running(running_mean, running_var, mean, var, count, momentum):
    """See `reference.batch_norm_update_running`."""
    name, arrays = "batch_norm_update_running", (running_mean, running_var, mean, var)
    count, momentum = reference.check_running(name, *arrays, count, momentum)
    if count == 0 or not (running_mean.flags.c_contiguous and running_var.flags.c_contiguous):
        reference.batch_norm_update_running(*arrays, count, momentum)
        return
    channels, arrays = len(mean), (running_mean, running_var, vector(mean), vector(var))
    launch(SOURCE, name, mean.dtype, *blocks_for(channels), *arrays, channels, count / (count - 1), momentum)
