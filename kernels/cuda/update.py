"""Updates of all parameters of an optimizer in one launch, see `update.cu`. Contracts: `reference/update_all.py`."""

import numpy as np

from ..arrays import FLOAT_DTYPES, array_module
from ..reference import update as one
from ..reference import update_all as reference
from .launch import launch

__all__ = ["adam_update_all", "adamw_update_all", "rmsprop_update_all", "sgd_update_all"]

CHUNK, THREADS = 2048, 256  # elements and threads of a block


class _Table:
    """Rows of arrays of one dtype, which the kernels get as addresses. It keeps the arrays alive.

    rows: for each parameter its arrays, contiguous and of one size, or None.
    """

    def __init__(self, rows):
        self.rows, self.dtype = rows, rows[0][0].dtype
        self.addresses = np.array([[_address(array) for array in row] for row in rows], np.int64)
        self.ends = np.cumsum([row[0].size for row in rows])

    def overlaps(self):
        """Whether two of the arrays share memory, if only a part of it: then the order of updates matters."""
        sizes = np.diff(self.ends, prepend=0)[:, None] * self.dtype.itemsize * (self.addresses != 0)
        starts, sizes = self.addresses[sizes > 0], sizes[sizes > 0]
        order = np.argsort(starts)
        return bool((starts[order][:-1] + sizes[order][:-1] > starts[order][1:]).any())

    def run(self, kernel, *arguments):
        xp, blocks = array_module(self.rows[0][0]), -(-int(self.ends[-1]) // CHUNK)
        table = xp.asarray(self.addresses), xp.asarray(self.ends)
        launch("update.cu", kernel, self.dtype, (blocks,), (THREADS,), *table, len(self.rows), *arguments)


def _address(array):
    """Where the elements of an array begin, on its device; 0 for None."""
    if array is None:
        return 0
    return array.ctypes.data if array_module(array) is np else array.data.ptr


def _fitting(row):
    """The row with a contiguous gradient, if a kernel can take it as it is; else None. Nothing has been checked yet."""
    first, grad, *_ = row
    module = array_module(first)
    for array in row:
        if array is None:
            continue
        if type(array) is not module.ndarray or array.dtype != first.dtype or array.shape != first.shape:
            return None
        if array is not grad and not (array.flags.c_contiguous and getattr(array.flags, "writeable", True)):
            return None
    if first.dtype not in FLOAT_DTYPES:
        return None
    return (first, module.ascontiguousarray(grad), *row[2:])


def _divide(name, required, optional):
    """([a _Table for each dtype of those parameters that the kernels can take], rows of the others), all checked."""
    reference.check_lists(name, required, optional)
    columns = [*required.values(), *optional.values()]
    absent = [None] * len(columns[0])
    rows = list(zip(*(absent if arrays is None else arrays for arrays in columns), strict=True))
    by_dtype, others = {}, []
    for row in rows:
        has_state = all((array is None) == (arrays is None) for array, arrays in zip(row, columns, strict=True))
        fitting = _fitting(row) if has_state else None
        if fitting is None:
            others.append(row)
        else:
            by_dtype.setdefault(fitting[0].dtype, []).append(fitting)
    if others:
        reference.check_rows(name, required, optional)
    tables = [_Table(rows) for rows in by_dtype.values()]
    if any(table.overlaps() for table in tables):
        return [], rows
    return tables, others


@one.quiet
def sgd_update_all(
    parameters,
    grads,
    momentum_buffers,
    lr,
    momentum=0.0,
    dampening=0.0,
    weight_decay=0.0,
    nesterov=False,
    first_step=False,
    maximize=False,
):
    """See `reference.sgd_update_all`."""
    name = "sgd_update_all"
    required, optional = {"parameters": parameters, "grads": grads}, {"momentum_buffers": momentum_buffers}
    options = one.numbers(name, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
    lr, momentum, dampening, weight_decay = options
    tables, others = _divide(name, required, optional)
    for table in tables:
        flags = map(int, (bool(nesterov), bool(first_step), bool(maximize)))
        table.run(name, lr, momentum, 1 - dampening, weight_decay, *flags)
    for row in others:
        one.sgd_update(*row, *options, nesterov, first_step, maximize)


@one.quiet
def rmsprop_update_all(
    parameters,
    grads,
    square_avgs,
    grad_avgs,
    momentum_buffers,
    lr,
    alpha=0.99,
    eps=1e-8,
    weight_decay=0.0,
    momentum=0.0,
    maximize=False,
):
    """See `reference.rmsprop_update_all`."""
    name = "rmsprop_update_all"
    required = {"parameters": parameters, "grads": grads, "square_avgs": square_avgs}
    optional = {"grad_avgs": grad_avgs, "momentum_buffers": momentum_buffers}
    options = one.numbers(name, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
    lr, alpha, eps, weight_decay, momentum = options
    tables, others = _divide(name, required, optional)
    for table in tables:
        table.run(name, lr, alpha, 1 - alpha, eps, weight_decay, momentum, int(bool(maximize)))
    for row in others:
        one.rmsprop_update(*row, *options, maximize)


def adam_update_all(
    parameters,
    grads,
    exp_avgs,
    exp_avg_sqs,
    max_exp_avg_sqs,
    step,
    lr,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=0.0,
    maximize=False,
):
    """See `reference.adam_update_all`."""
    name = "adam_update_all"
    required = {"parameters": parameters, "grads": grads, "exp_avgs": exp_avgs, "exp_avg_sqs": exp_avg_sqs}
    step, options = reference.check_adam(name, step, lr, beta1, beta2, eps, weight_decay)
    tables, others = _divide(name, required, {"max_exp_avg_sqs": max_exp_avg_sqs})
    for table in tables:
        _run_adam(table, step, *options, shrink=1.0, maximize=maximize)
    for row in others:
        one.adam_update(*row, step, *options, maximize)


def adamw_update_all(
    parameters,
    grads,
    exp_avgs,
    exp_avg_sqs,
    max_exp_avg_sqs,
    step,
    lr,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=1e-2,
    maximize=False,
):
    """See `reference.adamw_update_all`."""
    name = "adamw_update_all"
    required = {"parameters": parameters, "grads": grads, "exp_avgs": exp_avgs, "exp_avg_sqs": exp_avg_sqs}
    step, options = reference.check_adam(name, step, lr, beta1, beta2, eps, weight_decay)
    tables, others = _divide(name, required, {"max_exp_avg_sqs": max_exp_avg_sqs})
    lr, beta1, beta2, eps, weight_decay = options
    for table in tables:
        _run_adam(table, step, lr, beta1, beta2, eps, 0.0, shrink=1 - lr * weight_decay, maximize=maximize)
    for row in others:
        one.adamw_update(*row, step, *options, maximize)


@one.quiet
def _run_adam(table, step, lr, beta1, beta2, eps, weight_decay, shrink, maximize):
    step_size, correction = lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
    coefficients = step_size, 1 - beta1, beta2, 1 - beta2, correction, eps, weight_decay, shrink
    table.run("adam_update_all", *coefficients, int(bool(maximize)))
