"""Adaptive and global average pooling, see `adaptive_pool.cu`. Contracts: `reference/adaptive_pool.py`."""

from .. import checks
from ..arrays import array_module
from ..reference import adaptive_pool as reference
from .launch import blocks_for, launch, tile
from .memory import empty_images, images_in_memory

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
]

SOURCE = "adaptive_pool.cu"


def adaptive_avg_pool2d(x, output_size):
    """See `reference.adaptive_avg_pool2d`."""
    name = "adaptive_avg_pool2d"
    checks.floating(name, x=x)
    size = reference.check_output_size(name, x, output_size)
    output = empty_images(array_module(x), (*x.shape[:2], *size), x.dtype)
    arrays = images_in_memory(x), images_in_memory(output)
    launch(SOURCE, name, x.dtype, *blocks_for(output.size), *arrays, *x.shape, *size)
    return output


def adaptive_avg_pool2d_backward(grad_output, x_shape):
    """See `reference.adaptive_avg_pool2d_backward`."""
    name = "adaptive_avg_pool2d_backward"
    reference.check_backward(name, grad_output, x_shape)
    grad_x = empty_images(array_module(grad_output), x_shape, grad_output.dtype)
    arrays = images_in_memory(grad_output), images_in_memory(grad_x)
    launch(SOURCE, name, grad_x.dtype, *blocks_for(grad_x.size), *arrays, *x_shape, *grad_output.shape[2:])
    return grad_x


def global_avg_pool2d(x):
    """See `reference.global_avg_pool2d`."""
    name = "global_avg_pool2d"
    checks.floating(name, x=x)
    reference.check_shape(name, "x", x.shape)
    n, c, height, width = x.shape
    output = empty_images(array_module(x), (n, c, 1, 1), x.dtype)
    block = tile(c)
    grid = n, -(-c // block[0])
    launch(SOURCE, name, x.dtype, grid, block, images_in_memory(x), images_in_memory(output), height * width, c)
    return output


def global_avg_pool2d_backward(grad_output, x_shape):
    """See `reference.global_avg_pool2d_backward`."""
    name = "global_avg_pool2d_backward"
    checks.floating(name, grad_output=grad_output)
    reference.check_shape(name, "x_shape", x_shape)
    n, c, height, width = x_shape
    checks.shape(name, "grad_output", grad_output, (n, c, 1, 1), "the output of global_avg_pool2d")
    grad_x = empty_images(array_module(grad_output), x_shape, grad_output.dtype)
    arrays = images_in_memory(grad_output), images_in_memory(grad_x)
    launch(SOURCE, name, grad_x.dtype, *blocks_for(grad_x.size), *arrays, n, height * width, c)
    return grad_x
