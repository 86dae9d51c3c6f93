"""Local response normalization, see `local_response_norm.cu`. Contracts: `reference/local_response_norm.py`."""

from .. import checks, reference
from ..reference.local_response_norm import check_backward, check_parameters
from .launch import THREADS, launch
from .memory import empty_like_images, images_in_memory

__all__ = ["local_response_norm", "local_response_norm_backward"]

SOURCE = "local_response_norm.cu"
SHARED_BYTES = 48 << 10  # of a block


def _reach(size, channels):
    """How many channels the window reaches to the front and to the back, no further than there are channels."""
    return min(size // 2, channels - 1), min((size - 1) // 2, channels - 1)


def _shared(before, after, dtype):
    """Bytes of shared memory for a block's elements and those that their windows reach."""
    return (THREADS + before + after) * dtype.itemsize


def _blocks(x):
    return (-(-x.size // THREADS),), (THREADS,)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """See `reference.local_response_norm`."""
    name = "local_response_norm"
    checks.floating(name, x=x)
    checks.rank(name, "x", x, 4, "(N, C, H, W)")
    size, alpha, beta, k = check_parameters(name, size, alpha, beta, k)
    channels = x.shape[1]
    before, after = _reach(size, channels)
    shared = _shared(before, after, x.dtype)
    if x.size == 0 or shared > SHARED_BYTES:  # windows of many thousand channels
        return reference.local_response_norm(x, size, alpha, beta, k)
    output, scale = empty_like_images(x), empty_like_images(x)
    launch(
        SOURCE, name, x.dtype, *_blocks(x), images_in_memory(x), images_in_memory(output), images_in_memory(scale),
        x.size, channels, before, after, alpha / size, beta, k, shared=shared,
    )  # fmt: skip
    return output, scale


def local_response_norm_backward(grad_output, x, scale, size, alpha=1e-4, beta=0.75, k=1.0):
    """See `reference.local_response_norm_backward`."""
    name = "local_response_norm_backward"
    size, alpha, beta, k = check_backward(name, grad_output, x, scale, size, alpha, beta, k)
    channels = x.shape[1]
    after, before = _reach(size, channels)  # mirrored: a channel is seen by windows that reach back to it
    shared = _shared(before, after, x.dtype)
    if x.size == 0 or shared > SHARED_BYTES:
        return reference.local_response_norm_backward(grad_output, x, scale, size, alpha, beta, k)
    grad_x = empty_like_images(x)
    arrays = map(images_in_memory, (grad_output, x, scale, grad_x))
    launch(
        SOURCE, name, x.dtype, *_blocks(x), *arrays, x.size, channels, before, after, 2 * alpha * beta / size, beta,
        shared=shared,
    )  # fmt: skip
    return grad_x
