"""Updates of the optimizers: three steps of each kernel, and of the optimizer around it, beside torch's optimizer.

Compared are the parameter and the arrays that an optimizer keeps of it, whose names are torch's.
"""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from minception import kernels, nn, optim

from ..case import Case
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation, Theirs

STEPS = 3
STATE = ("momentum_buffer", "square_avg", "grad_avg", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")

choices = {
    "lr": st.sampled_from([0.1, 1e-3]),
    "weight_decay": st.sampled_from([0.0, 0.0, 0.05]),
    "maximize": st.booleans(),
    "momentum": st.sampled_from([0.0, 0.9]),
    "dampening": st.sampled_from([0.0, 0.5]),
    "nesterov": st.booleans(),
    "alpha": st.sampled_from([0.99, 0.5]),
    "eps": st.sampled_from([1e-8, 1e-3]),
    "centered": st.booleans(),
    "betas": st.sampled_from([(0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.3, 0.95)]),
    "amsgrad": st.booleans(),
}


@st.composite
def update_cases(draw, *names):
    shape = draw(array_shapes(min_dims=0, max_dims=3, max_side=4) | st.just((0, 2)))
    options = {name: draw(choices[name]) for name in ("lr", "weight_decay", "maximize", *names)}
    if options.get("nesterov") and (not options["momentum"] or options["dampening"]):
        options["nesterov"] = False
    grads = {f"grad_{i}": draw(numbers(shape)) for i in range(STEPS)}
    return Case({}, options, {"parameter": draw(numbers(shape))} | grads, seed=draw(seeds))


def split(call):
    parameter, *grads = call.constants.values()
    return parameter, grads


def torch_optimizer(name):
    def results(call):
        parameter, grads = split(call)
        p = torch.tensor(np.array(parameter, order="C"), requires_grad=True)
        optimizer = getattr(torch.optim, name)([p], **call.options, foreach=False)
        for grad in grads:
            p.grad = torch.tensor(np.array(grad, order="C"))
            optimizer.step()
        state = optimizer.state[p]
        return {"parameter": p.detach().numpy()} | {n: state[n].numpy() for n in STATE if state.get(n) is not None}

    return Theirs(results)


def kept(arrays):
    """Those of the arrays that there are."""
    return {name: a for name, a in arrays.items() if a is not None}


def our_optimizer(name):
    def results(call):
        parameter, grads = split(call)
        p = nn.Parameter(parameter)
        optimizer = getattr(optim, name)([p], **call.options)
        for grad in grads:
            optimizer.zero_grad()
            (p * grad).sum().backward()  # the gradient of <p, grad> is grad
            optimizer.step()
        return {"parameter": np.array(p)} | kept({name: optimizer.state[p].get(name) for name in STATE})

    return results


def among_others(name):
    """The kernel for many parameters, called as the one for a single parameter: that one is the second of three."""

    def update(*row, **options):
        lists = (None if a is None else [np.ones((2, 3), a.dtype), a, np.ones(4, a.dtype)] for a in row)
        getattr(kernels, f"{name}_all")(*lists, **options)

    return update


def sgd_kernel(update):
    def results(call):
        parameter, grads = split(call)
        buffer = np.zeros_like(parameter) if call.options["momentum"] else None
        for step, grad in enumerate(grads):
            update(parameter, grad, buffer, **call.options, first_step=step == 0)
        return kept({"parameter": parameter, "momentum_buffer": buffer})

    return results


def rmsprop_kernel(update):
    def results(call):
        parameter, grads = split(call)
        options = dict(call.options)
        square = np.zeros_like(parameter)
        average = np.zeros_like(parameter) if options.pop("centered") else None
        buffer = np.zeros_like(parameter) if options["momentum"] else None
        for grad in grads:
            update(parameter, grad, square, average, buffer, **options)
        return kept({"parameter": parameter, "square_avg": square, "grad_avg": average, "momentum_buffer": buffer})

    return results


def adam_kernel(update):
    def results(call):
        parameter, grads = split(call)
        options = dict(call.options)
        beta1, beta2 = options.pop("betas")
        largest = np.zeros_like(parameter) if options.pop("amsgrad") else None
        state = np.zeros_like(parameter), np.zeros_like(parameter), largest
        for step, grad in enumerate(grads, start=1):
            update(parameter, grad, *state, step=step, beta1=beta1, beta2=beta2, **options)
        names = ("parameter", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return kept(dict(zip(names, (parameter, *state), strict=True)))

    return results


def sgd_magnitudes(call, results):
    """A buffer holds at most the sum of all gradients, and each step subtracts lr times it, and again with Nesterov."""
    parameter, grads = split(call)
    lr, decay = call.options["lr"], call.options["weight_decay"]
    total = sum(np.abs(g) for g in grads) + STEPS * decay * np.abs(parameter)
    total = total * (1 + decay * lr) ** STEPS
    return {"parameter": np.abs(parameter) + 2 * STEPS * lr * total, "momentum_buffer": total}


def bounded_steps(largest):
    """Steps of length lr * `largest` at most; momentum adds up to all earlier ones.

    An average is no larger than what it is the average of: gradients with their decay, or the squares of those, which
    double the relative error of their terms.
    """

    def magnitudes(call, results):
        parameter, grads = split(call)
        parameter = np.abs(parameter) + STEPS**2 * call.options["lr"] * largest(call)
        grad = np.abs(grads).max(0) + call.options["weight_decay"] * parameter
        averages = {"exp_avg": grad, "grad_avg": grad, "momentum_buffer": STEPS * largest(call)}
        return {"parameter": parameter, **averages, "*": 2 * grad**2}

    return magnitudes


def case(kind="normal", last="", **options):
    """`last`: the kind of the last gradient, if it is another one."""
    kinds = {"parameter": kind, "grad_0": kind, "grad_1": kind, "grad_2": last or kind}
    arrays = {name: Numbers((3, 4), kind, i) for i, (name, kind) in enumerate(kinds.items())}
    return Case({}, {"lr": 0.1, "weight_decay": 0.05, "maximize": False} | options, arrays)


def row(name, kernel, face, options, magnitudes, examples):
    return Operation(
        name=name,
        torch=torch_optimizer(name),
        cases=update_cases(*options),
        faces={
            "kernel": face(getattr(kernels, kernel)),
            "kernel for many": face(among_others(kernel)),
            "optimizer": our_optimizer(name),
        },
        proves=(f"kernels.{kernel}", f"kernels.{kernel}_all", f"optim.{name}"),
        roundings=16 * STEPS,
        magnitudes=magnitudes,
        in_place=("parameter",),
        examples=examples,
    )


ADAM = {"eps": 1e-8, "betas": (0.9, 0.999), "amsgrad": False}
ADAM_EXAMPLES = {
    "AMSGrad": case(**ADAM | {"amsgrad": True}),
    "AMSGrad, squares that fall": case(last="zero", **ADAM | {"amsgrad": True, "betas": (0.5, 0.9)}),
    "zero gradients": case("zero", **ADAM),
}
# |first moment| / sqrt(second moment), both without bias, is at most this by Cauchy-Schwarz over STEPS gradients.
ADAM_RATIO = bounded_steps(lambda call: STEPS / (1 - call.options["betas"][1]) ** 0.5)

ROWS = [
    row(
        "SGD",
        "sgd_update",
        sgd_kernel,
        ("momentum", "dampening", "nesterov"),
        sgd_magnitudes,
        {
            "Nesterov": case(momentum=0.9, dampening=0.0, nesterov=True),
            "dampened": case(momentum=0.9, dampening=0.5, nesterov=False),
        },
    ),
    row(
        "RMSprop",
        "rmsprop_update",
        rmsprop_kernel,
        ("alpha", "eps", "momentum", "centered"),
        bounded_steps(lambda call: 1 / (1 - call.options["alpha"]) ** 0.5 / call.options["alpha"]),
        {"centered, with momentum": case(alpha=0.99, eps=1e-8, momentum=0.9, centered=True)},
    ),
    row(
        "Adam",
        "adam_update",
        adam_kernel,
        ("eps", "betas", "amsgrad"),
        ADAM_RATIO,
        ADAM_EXAMPLES,
    ),
    row(
        "AdamW",
        "adamw_update",
        adam_kernel,
        ("eps", "betas", "amsgrad"),
        ADAM_RATIO,
        ADAM_EXAMPLES,
    ),
]
