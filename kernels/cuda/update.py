"""Updates of all parameters of an optimizer in one launch, see `update.cu`. Contracts: `reference/update_all.py`."""

from ..reference import update as one
from ..reference import update_all as reference
from .rows import divide

__all__ = ["adam_update_all", "adamw_update_all", "rmsprop_update_all", "sgd_update_all"]

SOURCE = "update.cu"


def _divide(name, required, optional):
    """([a Table for each dtype of those parameters that the kernels can take], rows of the others), all checked."""
    reference.check_lists(name, required, optional)
    columns = [*required.values(), *optional.values()]
    absent = [None] * len(columns[0])
    rows = list(zip(*(absent if arrays is None else arrays for arrays in columns), strict=True))
    # Where one parameter has state and another has not, those without are no rows for a kernel.
    complete, others = [], []
    for row in rows:
        alike = all((array is None) == (arrays is None) for array, arrays in zip(row, columns, strict=True))
        (complete if alike else others).append(row)
    tables, unfitting = divide(complete, read_only=1)
    if others or unfitting:
        reference.check_rows(name, required, optional)
    return tables, others + unfitting if tables else rows


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
        table.run(SOURCE, name, lr, momentum, 1 - dampening, weight_decay, *flags)
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
        table.run(SOURCE, name, lr, alpha, 1 - alpha, eps, weight_decay, momentum, int(bool(maximize)))
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
    table.run(SOURCE, "adam_update_all", *coefficients, int(bool(maximize)))
