"""Optimizer updates of many parameters by one call: those of `update`, one parameter after the other.

Every function takes lists of one length, of parameters, of their gradients and of the arrays that are kept for each,
and the coefficients of the update, which hold for all. State that the update does without is None instead of a list.
The arrays of one parameter must agree as they must for its single update. Parameters may differ in shape and dtype,
and may share memory, which is then updated once for each.

Errors, raised before anything is written: those of the single update, with a note that says which; TypeError for
arguments that are neither lists nor tuples, ValueError for lists of different lengths.
"""

from .. import checks
from .update import (
    adam_update,
    adamw_update,
    check_arrays,
    check_betas,
    check_step,
    numbers,
    rmsprop_update,
    sgd_update,
)

__all__ = ["adam_update_all", "adamw_update_all", "rmsprop_update_all", "sgd_update_all"]


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
    """`sgd_update` of each parameter."""
    name = "sgd_update_all"
    required, optional = {"parameters": parameters, "grads": grads}, {"momentum_buffers": momentum_buffers}
    rows = checked_rows(name, required, optional)
    options = numbers(name, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
    for row in rows:
        sgd_update(*row, *options, nesterov, first_step, maximize)


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
    """`rmsprop_update` of each parameter."""
    name = "rmsprop_update_all"
    required = {"parameters": parameters, "grads": grads, "square_avgs": square_avgs}
    rows = checked_rows(name, required, {"grad_avgs": grad_avgs, "momentum_buffers": momentum_buffers})
    options = numbers(name, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
    for row in rows:
        rmsprop_update(*row, *options, maximize)


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
    """`adam_update` of each parameter; all are at the same `step`."""
    name = "adam_update_all"
    required = {"parameters": parameters, "grads": grads, "exp_avgs": exp_avgs, "exp_avg_sqs": exp_avg_sqs}
    rows = checked_rows(name, required, {"max_exp_avg_sqs": max_exp_avg_sqs})
    step, options = check_adam(name, step, lr, beta1, beta2, eps, weight_decay)
    for row in rows:
        adam_update(*row, step, *options, maximize)


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
    """`adamw_update` of each parameter; all are at the same `step`."""
    name = "adamw_update_all"
    required = {"parameters": parameters, "grads": grads, "exp_avgs": exp_avgs, "exp_avg_sqs": exp_avg_sqs}
    rows = checked_rows(name, required, {"max_exp_avg_sqs": max_exp_avg_sqs})
    step, options = check_adam(name, step, lr, beta1, beta2, eps, weight_decay)
    for row in rows:
        adamw_update(*row, step, *options, maximize)


def check_adam(name, step, lr, beta1, beta2, eps, weight_decay):
    """Step and [lr, beta1, beta2, eps, weight_decay], checked."""
    lr, eps, weight_decay = numbers(name, lr=lr, eps=eps, weight_decay=weight_decay)
    return check_step(name, step), [lr, *check_betas(name, beta1, beta2), eps, weight_decay]


def check_lists(name, required, optional):
    """Require lists of one length, by argument name; those in `optional` may be None. Elements are not checked."""
    count = None
    for argument, arrays in (required | optional).items():
        if arrays is None and argument in optional:
            continue
        checks.list_of_arrays(name, argument, arrays)
        count = len(arrays) if count is None else count
        if len(arrays) != count:
            raise ValueError(f"{name}: {argument} must have {count} arrays, one per parameter, got {len(arrays)}")


def check_rows(name, required, optional):
    """The checks of the single update for each parameter, given lists that `check_lists` has passed."""
    single = name.removesuffix("_all")
    lists = {argument: arrays for argument, arrays in (required | optional).items() if arrays is not None}
    for i in range(len(required["parameters"])):
        try:
            check_arrays(single, {argument.removesuffix("s"): arrays[i] for argument, arrays in lists.items()}, {})
        except (TypeError, ValueError) as error:
            error.add_note(f"({name}: in parameter {i} of {len(required['parameters'])})")
            raise


def checked_rows(name, required, optional):
    """All checks; then the arrays of each parameter as a tuple, with None for state that is absent."""
    check_lists(name, required, optional)
    check_rows(name, required, optional)
    lists = [*required.values(), *optional.values()]
    absent = [None] * len(lists[0])
    return list(zip(*(absent if arrays is None else arrays for arrays in lists), strict=True))
