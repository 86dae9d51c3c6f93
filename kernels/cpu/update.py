"""Updates of all parameters of an optimizer in one pass. Contracts: `reference/update_all.py`.

Every compiled kernel here runs over elements `start` to `stop` of the rows of a table (see `tables`). Coefficients come
in an array of the parameters' dtype. Each operation is rounded by itself, in the order of `reference/update.py`, so the
bits are those of the reference, on any number of threads.
"""

import numpy as np

from ..reference import update as one
from ..reference import update_all as reference
from .compile import compiled_exactly
from .tables import locate, piece, tabulate

__all__ = ["adam_update_all", "adamw_update_all", "rmsprop_update_all", "sgd_update_all"]


@compiled_exactly
def _sgd(start, stop, part, addresses, ends, coefficients, nesterov, first_step, maximize):
    lr, momentum, undampened, weight_decay = coefficients
    while start < stop:
        row, first, size = locate(ends, start, stop)
        parameter = piece(addresses[row, 0], first, size, coefficients)
        grad = piece(addresses[row, 1], first, size, coefficients)
        buffer = piece(addresses[row, 2], first, size, coefficients)
        with_momentum = addresses[row, 2] != 0
        for i in range(size):
            g = _decayed(grad[i], parameter[i], weight_decay, maximize)
            if with_momentum:
                b = g if first_step else momentum * buffer[i] + undampened * g
                buffer[i] = b
                g = g + momentum * b if nesterov else b
            parameter[i] -= lr * g
        start += size


# The following have several loops, since the compiler makes vector code only of those with few arrays.


@compiled_exactly
def _rmsprop(start, stop, part, addresses, ends, coefficients, near, maximize):
    lr, alpha, fraction, rest, eps, weight_decay, momentum = coefficients
    while start < stop:
        row, first, size = locate(ends, start, stop)
        parameter = piece(addresses[row, 0], first, size, coefficients)
        grad = piece(addresses[row, 1], first, size, coefficients)
        square = piece(addresses[row, 2], first, size, coefficients)
        average = piece(addresses[row, 3], first, size, coefficients)
        buffer = piece(addresses[row, 4], first, size, coefficients)
        centered, with_momentum = addresses[row, 3] != 0, addresses[row, 4] != 0
        for i in range(size):
            g = _decayed(grad[i], parameter[i], weight_decay, maximize)
            square[i] = alpha * square[i] + fraction * g * g
        if centered:
            for i in range(size):
                g = _decayed(grad[i], parameter[i], weight_decay, maximize)
                average[i] = _towards(average[i], g, fraction, rest, near)
        if with_momentum:
            for i in range(size):
                g = _decayed(grad[i], parameter[i], weight_decay, maximize)
                variance = square[i] - average[i] * average[i] if centered else square[i]
                b = momentum * buffer[i] + g / (np.sqrt(variance) + eps)
                buffer[i] = b
                parameter[i] -= lr * b
        else:
            for i in range(size):
                g = _decayed(grad[i], parameter[i], weight_decay, maximize)
                variance = square[i] - average[i] * average[i] if centered else square[i]
                parameter[i] -= lr * g / (np.sqrt(variance) + eps)
        start += size


@compiled_exactly
def _adam(start, stop, part, addresses, ends, coefficients, near, maximize):
    step_size, fraction1, rest1, beta2, fraction2, correction, eps, weight_decay, shrink = coefficients
    while start < stop:
        row, first, size = locate(ends, start, stop)
        parameter = piece(addresses[row, 0], first, size, coefficients)
        grad = piece(addresses[row, 1], first, size, coefficients)
        average = piece(addresses[row, 2], first, size, coefficients)
        square = piece(addresses[row, 3], first, size, coefficients)
        second = square
        for i in range(size):
            g = _decayed(grad[i], parameter[i], weight_decay, maximize)
            average[i] = _towards(average[i], g, fraction1, rest1, near)
            square[i] = beta2 * square[i] + fraction2 * g * g
        if addresses[row, 4] != 0:
            second = piece(addresses[row, 4], first, size, coefficients)  # AMSGrad: the largest so far
            for i in range(size):
                m = second[i]
                second[i] = m if m > square[i] or np.isnan(m) else square[i]  # NaN is the maximum, as in NumPy
        for i in range(size):
            denominator = np.sqrt(second[i]) / correction + eps
            parameter[i] = parameter[i] * shrink + step_size * average[i] / denominator
        start += size


@compiled_exactly
def _decayed(grad, parameter, weight_decay, maximize):
    """The gradient, negated to ascend, with weight decay."""
    grad = -grad if maximize else grad
    return grad + weight_decay * parameter if weight_decay != 0 else grad


@compiled_exactly
def _towards(average, value, fraction, rest, near):
    """average + fraction * (value - average), from the nearer end; `rest` is 1 - fraction."""
    difference = value - average
    return average + fraction * difference if near else value - rest * difference


def _divide(name, required, optional):
    """(Table of the parameters that the compiled kernels can take or None, rows of the others), all checked."""
    reference.check_lists(name, required, optional)
    columns = [*required.values(), *optional.values()]
    table, others = tabulate(columns, written=[argument != "grads" for argument in required | optional])
    if others:
        reference.check_rows(name, required, optional)
    return table, [[None if arrays is None else arrays[i] for arrays in columns] for i in others]


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
    table, others = _divide(name, required, optional)
    if table is not None:
        coefficients = np.array([lr, momentum, 1 - dampening, weight_decay], table.dtype)
        table.run(_sgd, coefficients, bool(nesterov), bool(first_step), bool(maximize))
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
    table, others = _divide(name, required, optional)
    if table is not None:
        fraction = 1 - alpha
        coefficients = [lr, alpha, fraction, 1 - fraction, eps, weight_decay, momentum]
        table.run(_rmsprop, np.array(coefficients, table.dtype), fraction < 0.5, bool(maximize))
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
    optional = {"max_exp_avg_sqs": max_exp_avg_sqs}
    step, options = reference.check_adam(name, step, lr, beta1, beta2, eps, weight_decay)
    table, others = _divide(name, required, optional)
    if table is not None:
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
    optional = {"max_exp_avg_sqs": max_exp_avg_sqs}
    step, options = reference.check_adam(name, step, lr, beta1, beta2, eps, weight_decay)
    table, others = _divide(name, required, optional)
    if table is not None:
        lr, *betas_eps, weight_decay = options
        _run_adam(table, step, lr, *betas_eps, weight_decay=0.0, shrink=1 - lr * weight_decay, maximize=maximize)
    for row in others:
        one.adamw_update(*row, step, *options, maximize)


@one.quiet
def _run_adam(table, step, lr, beta1, beta2, eps, weight_decay, shrink, maximize):
    fraction1, fraction2 = 1 - beta1, 1 - beta2
    step_size, correction = -(lr / (1 - beta1**step)), (1 - beta2**step) ** 0.5
    coefficients = [step_size, fraction1, 1 - fraction1, beta2, fraction2, correction, eps, weight_decay, shrink]
    table.run(_adam, np.array(coefficients, table.dtype), fraction1 < 0.5, bool(maximize))
