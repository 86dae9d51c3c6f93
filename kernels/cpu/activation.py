"""ReLU in one pass over memory, divided among the threads. Contracts: `reference/activation.py`."""

from .. import checks
from ..reference import activation as reference
from ..threads import run_parts
from .compile import compiled
from .parallel import run_if_large
from .rows import flat_view, is_channels_last, like

__all__ = ["relu", "relu_backward"]


@compiled
def _rectify(start, stop, part, x, out):
    zero = x.dtype.type(0)
    for i in range(start, stop):
        out[i] = zero if x[i] <= zero else x[i]  # NaN stays NaN


@compiled
def _mask(grad_output, output, out):
    zero = grad_output.dtype.type(0)  # a plain 0 would turn the loop into float64
    for i in range(output.size):
        out[i] = zero if output[i] <= zero else grad_output[i]


@compiled
def _mask_rows(grad_output, output, out):
    """`_mask` for matrices; the rows of grad_output may lie apart."""
    zero = grad_output.dtype.type(0)
    for r in range(output.shape[0]):
        for c in range(output.shape[1]):
            g = grad_output[r, c]  # read in any case, so that no branch depends on the data
            out[r, c] = zero if output[r, c] <= zero else g


def relu(x):
    """See `reference.relu`."""
    checks.floating("relu", x=x)
    flat = flat_view(x)
    if flat is None or x.size == 0:
        return reference.relu(x)
    out, flat_out = like(x)
    run_if_large(_rectify, flat.size, flat.size, flat, flat_out)
    return out


def relu_backward(grad_output, output):
    """See `reference.relu_backward`."""
    checks.floating("relu_backward", grad_output=grad_output, output=output)
    flat = flat_view(output)
    if flat is None or output.ndim == 0 or output.size == 0 or grad_output.shape != output.shape:
        return reference.relu_backward(grad_output, output)
    out, flat_out = like(output)
    if grad_output.strides == output.strides:
        flat_grad = flat_view(grad_output)
        run_parts(lambda i, j: _mask(flat_grad[i:j], flat[i:j], flat_out[i:j]), flat.size)
    elif output.ndim == 4 and is_channels_last(output):  # most often grad_output is a slice of channels
        pixels, channels = output.size // output.shape[1], output.shape[1]
        grad_rows, rows, out_rows = (
            a.transpose(0, 2, 3, 1).reshape(pixels, channels) for a in (grad_output, output, out)
        )
        run_parts(lambda i, j: _mask_rows(grad_rows[i:j], rows[i:j], out_rows[i:j]), len(rows))
    else:
        return reference.relu_backward(grad_output, output)
    return out
