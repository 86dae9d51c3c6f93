"""ReLU in one pass over memory, divided among the threads. Contracts: `reference/activation.py`."""

from .. import checks
from ..reference import activation as reference
from .compile import compiled
from .parallel import run_if_large
from .row_steps import rows_in_memory
from .rows import flat_view, is_channels_last, like

__all__ = ["relu", "relu_backward"]


# Each part is cut out before the loop: of numbers that begin at 0 the compiler knows that none is negative, which in
# Python would count from the end, and only then it makes vectors of the loop.


@compiled
def _relu(start, stop, part, x, out):
    x, out = x[start:stop], out[start:stop]
    zero = x.dtype.type(0)  # a plain 0 would turn the loop into float64
    for i in range(len(out)):
        out[i] = zero if x[i] <= zero else x[i]


@compiled
def _mask(start, stop, part, grad_output, output, out):
    grad_output, output, out = grad_output[start:stop], output[start:stop], out[start:stop]
    zero = grad_output.dtype.type(0)
    for i in range(len(out)):
        g = grad_output[i]  # read in any case, so that no branch depends on the data
        out[i] = zero if output[i] <= zero else g


@compiled
def _mask_rows(start, stop, part, grad_output, step, output, out, channels):
    """`_mask` for rows of channels; row r of grad_output begins at r * step."""
    zero = grad_output.dtype.type(0)
    for r in range(start, stop):
        grad_row = grad_output[r * step : r * step + channels]
        row = output[r * channels : (r + 1) * channels]
        out_row = out[r * channels : (r + 1) * channels]
        for c in range(len(out_row)):
            g = grad_row[c]
            out_row[c] = zero if row[c] <= zero else g


def relu(x):
    """See `reference.relu`."""
    checks.floating("relu", x=x)
    flat = flat_view(x)
    if flat is None or x.size == 0 or not x.flags.writeable:
        return reference.relu(x)
    out, flat_out = like(x)
    run_if_large(_relu, flat.size, flat.size, flat, flat_out)
    return out


def relu_backward(grad_output, output):
    """See `reference.relu_backward`."""
    checks.floating("relu_backward", grad_output=grad_output, output=output)
    flat = flat_view(output)
    if flat is None or output.ndim == 0 or output.size == 0 or grad_output.shape != output.shape:
        return reference.relu_backward(grad_output, output)
    if not (grad_output.flags.writeable and output.flags.writeable):  # would be compiled again for those
        return reference.relu_backward(grad_output, output)
    out, flat_out = like(output)
    if grad_output.strides == output.strides:
        run_if_large(_mask, flat.size, flat.size, flat_view(grad_output), flat, flat_out)
    elif output.ndim == 4 and is_channels_last(output):  # most often grad_output is a slice of channels
        grad, step = rows_in_memory(grad_output)
        channels = output.shape[1]
        run_if_large(
            _mask_rows, output.size // channels, output.size, grad, step, flat, flat_out, channels
        )  # fmt: skip
    else:
        return reference.relu_backward(grad_output, output)
    return out
