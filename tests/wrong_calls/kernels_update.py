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


SGD_ARRAYS = ("parameter", "grad", "momentum_buffer")
SGD = caller(kernels.sgd_update, SGD_ARRAYS, lr=0.1, momentum=0.9)
RMSPROP_ARRAYS = ("parameter", "grad", "square_avg", "grad_avg", "momentum_buffer")
RMSPROP = caller(kernels.rmsprop_update, RMSPROP_ARRAYS, lr=0.1)
ADAM_ARRAYS = ("parameter", "grad", "exp_avg", "exp_avg_sq")
ADAM = caller(kernels.adam_update, (*ADAM_ARRAYS, "max_exp_avg_sq"), lr=0.1, step=1)
ADAMW = caller(kernels.adamw_update, (*ADAM_ARRAYS, "max_exp_avg_sq"), lr=0.1, step=1)
ADAM_NUMBERS = ("lr", "beta1", "beta2", "eps", "weight_decay")


def many(kernel, arrays, **numbers):
    """A right call of a kernel for many parameters: the second of two is as `caller` has it."""

    def call(**changes):
        lists = {f"{name}s": [zeros(2, 2), changes.pop(name, zeros(3))] for name in arrays}
        for name in arrays:
            if lists[f"{name}s"][1] is None and name in OPTIONAL:
                lists[f"{name}s"] = None
        kernel(**(lists | numbers | changes))

    return call


def lists(call, arrays):
    """Wrong lists of arrays."""
    entries = []
    for name in (f"{name}s" for name in arrays):
        for bad in (zeros(2, 3), iter([zeros(3)]), {}):
            words = (f"{name} must be a list of arrays", f"got {type(bad).__name__}")
            entries.append(wrong(f"{name} {type(bad).__name__}", partial(one, call, name, bad), TypeError, *words))
        if name != "parameters":
            words = (f"{name} must have 2 arrays, one per parameter", "got 1")
            entries.append(wrong(f"{name} too few", partial(one, call, name, [zeros(3)]), ValueError, *words))
    return entries


def norm_mistakes(kernel):
    """Wrong lists of gradients."""
    entries = not_floating_arrays("arrays[1]", zeros(3), lambda bad: kernel([zeros(3), bad]), alone=True)
    for bad in (None, zeros(2, 3), iter([zeros(3)])):
        words = ("arrays must be a list of arrays", f"got {type(bad).__name__}")
        entries.append(wrong(f"{type(bad).__name__} for a list", partial(kernel, bad), TypeError, *words))
    return entries


OPTIONAL = ("momentum_buffer", "grad_avg", "max_exp_avg_sq")
SGD_ALL = many(kernels.sgd_update_all, SGD_ARRAYS, lr=0.1, momentum=0.9)
RMSPROP_ALL = many(kernels.rmsprop_update_all, RMSPROP_ARRAYS, lr=0.1)
ADAM_ALL = many(kernels.adam_update_all, (*ADAM_ARRAYS, "max_exp_avg_sq"), lr=0.1, step=1)
ADAMW_ALL = many(kernels.adamw_update_all, (*ADAM_ARRAYS, "max_exp_avg_sq"), lr=0.1, step=1)

SGD_MISTAKES = (SGD_ARRAYS[:2], SGD_ARRAYS[2:], ("lr", "momentum", "dampening", "weight_decay"))
RMSPROP_MISTAKES = (RMSPROP_ARRAYS[:3], RMSPROP_ARRAYS[3:], ("lr", "alpha", "eps", "weight_decay", "momentum"))
ADAM_MISTAKES = (ADAM_ARRAYS, ("max_exp_avg_sq",), ADAM_NUMBERS)

TABLES = {
    "kernels.sgd_update": mistakes(SGD, *SGD_MISTAKES),
    "kernels.rmsprop_update": mistakes(RMSPROP, *RMSPROP_MISTAKES),
    "kernels.adam_update": [*mistakes(ADAM, *ADAM_MISTAKES), *steps_and_betas(ADAM)],
    "kernels.adamw_update": [*mistakes(ADAMW, *ADAM_MISTAKES), *steps_and_betas(ADAMW)],
    "kernels.sgd_update_all": [*mistakes(SGD_ALL, *SGD_MISTAKES), *lists(SGD_ALL, SGD_ARRAYS)],
    "kernels.rmsprop_update_all": [*mistakes(RMSPROP_ALL, *RMSPROP_MISTAKES), *lists(RMSPROP_ALL, RMSPROP_ARRAYS)],
    "kernels.adam_update_all": [
        *mistakes(ADAM_ALL, *ADAM_MISTAKES),
        *steps_and_betas(ADAM_ALL),
        *lists(ADAM_ALL, (*ADAM_ARRAYS, "max_exp_avg_sq")),
    ],
    "kernels.adamw_update_all": [
        *mistakes(ADAMW_ALL, *ADAM_MISTAKES),
        *steps_and_betas(ADAMW_ALL),
        *lists(ADAMW_ALL, (*ADAM_ARRAYS, "max_exp_avg_sq")),
    ],
    "kernels.sum_of_squares": norm_mistakes(kernels.sum_of_squares),
    "kernels.scale_all": [
        *norm_mistakes(lambda arrays: kernels.scale_all(arrays, 0.5)),
        wrong("read-only", lambda: kernels.scale_all([zeros(3), read_only()], 0.5), ValueError, "arrays[1]", "read-"),
        *not_reals("factor", lambda bad: kernels.scale_all([zeros(3)], bad)),
    ],
}
