"""Wrong calls of the optimizers' update kernels."""

from functools import partial

from minception import kernels

from .table import not_floating_arrays, not_integers, not_reals, wrong, zeros


def read_only():
    array = zeros(3)
    array.flags.writeable = False
    return array


def caller(kernel, arrays, **numbers):
    """A right call of `kernel` with fresh arrays, which keywords make wrong."""

    def call(**changes):
        kernel(**({name: zeros(3) for name in arrays} | numbers | changes))

    return call


def one(call, name, value):
    call(**{name: value})


def mistakes(call, required, optional, numbers):
    """Wrong arrays and coefficients."""
    entries = []
    for name in (*required, *optional):
        wrong_shape = f"{name} must have shape (3,)"
        entries += not_floating_arrays(name, zeros(3), partial(one, call, name), optional=name in optional)
        if name != "parameter":
            entries.append(wrong(f"{name} too short", partial(one, call, name, zeros(2)), ValueError, wrong_shape))
            entries.append(wrong(f"{name} of rank 2", partial(one, call, name, zeros(1, 3)), ValueError, wrong_shape))
        if name != "grad":
            entries.append(wrong(f"{name} read-only", partial(one, call, name, read_only()), ValueError, name, "read-"))
    for name in numbers:
        entries += not_reals(name, partial(one, call, name))
    return entries


def steps_and_betas(call):
    """Wrong steps and betas of Adam."""
    entries = not_integers("step", lambda bad: call(step=bad))
    for step in (0, -1):
        entries.append(wrong(f"step {step}", partial(call, step=step), ValueError, "step counts from 1", f"got {step}"))
    for name in ("beta1", "beta2"):
        for value in (1.0, -0.1, float("nan")):
            words = (f"{name} must be at least 0 and less than 1", f"got {value}")
            entries.append(wrong(f"{name} {value}", partial(one, call, name, value), ValueError, *words))
    return entries


SGD = caller(kernels.sgd_update, ("parameter", "grad", "momentum_buffer"), lr=0.1, momentum=0.9)
RMSPROP = caller(kernels.rmsprop_update, ("parameter", "grad", "square_avg", "grad_avg", "momentum_buffer"), lr=0.1)
ADAM_ARRAYS = ("parameter", "grad", "exp_avg", "exp_avg_sq")
ADAM = caller(kernels.adam_update, (*ADAM_ARRAYS, "max_exp_avg_sq"), lr=0.1, step=1)
ADAMW = caller(kernels.adamw_update, (*ADAM_ARRAYS, "max_exp_avg_sq"), lr=0.1, step=1)
ADAM_NUMBERS = ("lr", "beta1", "beta2", "eps", "weight_decay")

TABLES = {
    "kernels.sgd_update": mistakes(
        SGD, ("parameter", "grad"), ("momentum_buffer",), ("lr", "momentum", "dampening", "weight_decay")
    ),
    "kernels.rmsprop_update": mistakes(
        RMSPROP,
        ("parameter", "grad", "square_avg"),
        ("grad_avg", "momentum_buffer"),
        ("lr", "alpha", "eps", "weight_decay", "momentum"),
    ),
    "kernels.adam_update": [
        *mistakes(ADAM, ADAM_ARRAYS, ("max_exp_avg_sq",), ADAM_NUMBERS),
        *steps_and_betas(ADAM),
    ],
    "kernels.adamw_update": [
        *mistakes(ADAMW, ADAM_ARRAYS, ("max_exp_avg_sq",), ADAM_NUMBERS),
        *steps_and_betas(ADAMW),
    ],
}
