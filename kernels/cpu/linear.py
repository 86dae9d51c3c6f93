"""Fully connected layers of few rows, at the speed at which their weights come from memory.

Contracts: `reference/linear.py`. A layer on a batch of 16 does 16 multiplications with each weight, too few to hide
that the weight comes from far away; and a general matrix product first copies its operands into an order that it
likes, which costs more than it gains here. So the weights are read once, where they lie, by the tile of `tile.py`, and
the rows of the batch, which are few, are what is put in order. Where there are many rows, or few weights, the product
of the reference is as good.
"""

import numpy as np

from .. import reference, workspace
from ..conv_geometry import quiet
from ..reference.linear import as_rows, check_backward_input, check_backward_weight, check_forward
from ..threads import get_num_threads
from ..workspace import LINE
from .compile import compiled
from .parallel import run
from .tile import make_tile
from .vectors import FEW_ROWS, ROWS, lanes

__all__ = ["is_for_tiles", "linear", "linear_backward_input", "linear_backward_weight"]

MOST_ROWS = 32
FEWEST_WEIGHTS = 1 << 17
LONGEST_SUM = 1024  # products in one chain of additions; chains are added to each other
PANEL = 1024  # columns of the input that stay in the cache while their gradients are made
KEPT = 1 << 16  # numbers of the input gradient that stay in the second-level cache while all weights pass
STREAMS = 16  # rows of weights read side by side

_tall_tile, _wide_tile = make_tile(ROWS, 1, next_lines=4), make_tile(FEW_ROWS, 2)


@compiled
def _outputs(start, stop, part, weight, features, x, rows, width, out):
    """Blocks [start, stop) of ROWS outputs: out (O, rows) = weight (O, features) times x (features, rows).

    width: lanes of a vector.
    """
    outputs = len(out) // rows
    origins, targets = np.empty(2 * ROWS, np.int64), np.empty(ROWS, np.int64)
    at_weight, at_x = np.zeros(1, np.int64), np.empty(1, np.int64)
    for block in range(start, stop):
        for first in range(0, features, LONGEST_SUM):
            inner = min(LONGEST_SUM, features - first)
            for column in range(0, rows, width):
                for r in range(ROWS):
                    output = min(block * ROWS + r, outputs - 1)  # beyond the end the last one again
                    origins[r], targets[r] = output * features + first, output * rows + column
                    origins[ROWS + r] = origins[r] + inner  # what comes after it, to be asked for
                at_x[0] = first * rows + column
                _tall_tile(
                    weight, origins, 0, at_weight, 1, x, at_x, rows, 1, inner, out, targets, min(width, rows - column),
                    first > 0,
                )  # fmt: skip


@compiled
def _product(start, stop, part, a, row_step, step, b, columns, rows, inner, size, chunk, width, out):
    """Panels [start, stop) of columns of out (rows, columns) = A (rows, inner) times b (inner, columns).

    A[r, k] is a[r * row_step + k * step]. size: of a panel. chunk: rows of b that are read side by
    side. width: lanes of two vectors.
    """
    origins, targets = np.zeros(2 * FEW_ROWS, np.int64), np.empty(FEW_ROWS, np.int64)
    at_a, at_b = np.empty(1, np.int64), np.empty(1, np.int64)
    for panel in range(start, stop):
        end = min((panel + 1) * size, columns)
        for first in range(0, inner, chunk):
            for row in range(0, rows, FEW_ROWS):
                for column in range(panel * size, end, width):
                    for r in range(FEW_ROWS):
                        number = min(row + r, rows - 1)
                        origins[r], targets[r] = number * row_step, number * columns + column
                    at_a[0], at_b[0] = first * step, first * columns + column
                    _wide_tile(
                        a, origins, 0, at_a, step, b, at_b, columns, 1, min(chunk, inner - first), out, targets,
                        min(width, end - column), first > 0,
                    )  # fmt: skip


def is_for_tiles(rows, weight_shape, *arrays):
    """Whether a product of `rows` rows with weights is worth the work below, and the arrays can be read as they lie."""
    size = weight_shape[0] * weight_shape[1]
    readable = all(array.flags.c_contiguous and array.flags.writeable for array in arrays)
    return 0 < rows <= MOST_ROWS and size >= FEWEST_WEIGHTS and readable


@quiet
def linear(x, weight, bias=None):
    """See `reference.linear`."""
    check_forward(x, weight, bias)
    outputs, features = weight.shape
    rows = x.size // max(features, 1)
    if not is_for_tiles(rows, weight.shape, weight):
        return reference.linear(x, weight, bias)
    columns = np.ascontiguousarray(as_rows(x).T).reshape(-1)  # (I, rows)
    made = workspace.empty((outputs, rows), x.dtype)
    width = lanes(x.dtype)
    run(_outputs, -(-outputs // ROWS), weight.reshape(-1), features, columns, rows, width, made.reshape(-1))
    output = np.empty((*x.shape[:-1], outputs), x.dtype)
    np.add(made.T, 0 if bias is None else bias, out=as_rows(output))
    return output


@quiet
def linear_backward_input(grad_output, weight):
    """See `reference.linear_backward_input`."""
    check_backward_input(grad_output, weight)
    outputs, features = weight.shape
    rows = grad_output.size // max(outputs, 1)
    if not is_for_tiles(rows, weight.shape, weight, grad_output):
        return reference.linear_backward_input(grad_output, weight)
    size = min(KEPT // rows, -(-features // get_num_threads()))
    size += -size % (LINE // weight.itemsize)  # two threads must not write to one line of the cache
    grad_x = workspace.empty((*grad_output.shape[:-1], features), weight.dtype)
    run(
        _product, -(-features // size), grad_output.reshape(-1), outputs, 1, weight.reshape(-1), features, rows,
        outputs, size, STREAMS, 2 * lanes(weight.dtype), grad_x.reshape(-1),
    )  # fmt: skip
    return grad_x


@quiet
def linear_backward_weight(grad_output, x):
    """See `reference.linear_backward_weight`."""
    check_backward_weight(grad_output, x)
    outputs, features = grad_output.shape[-1], x.shape[-1]
    rows = x.size // max(features, 1)
    if not is_for_tiles(rows, (outputs, features), grad_output, x):
        return reference.linear_backward_weight(grad_output, x)
    grad_weight = workspace.empty((outputs, features), x.dtype)
    run(
        _product, -(-features // PANEL), grad_output.reshape(-1), 1, outputs, x.reshape(-1), features, outputs,
        rows, PANEL, rows, 2 * lanes(x.dtype), grad_weight.reshape(-1),
    )  # fmt: skip
    return grad_weight
