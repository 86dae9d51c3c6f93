"""Updates of the optimizers: three steps of each kernel, and of the optimizer around it, beside torch's optimizer."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from minception import kernels, nn, optim

from ..case import Case
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation, Theirs

STEPS = 3

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
    "betas": st.sampled_from([(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)]),
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
        return {"parameter": p.detach().numpy()}

    return Theirs(results)


def our_optimizer(name):
    def results(call):
        parameter, grads = split(call)
        p = nn.Parameter(parameter)
        optimizer = getattr(optim, name)([p], **call.options)
        for grad in grads:
            optimizer.zero_grad()
            (p * grad).sum().backward()  # the gradient of <p, grad> is grad
            optimizer.step()
        return {"parameter": np.array(p)}

    return results


def sgd_kernel(call):
    parameter, grads = split(call)
    buffer = np.zeros_like(parameter) if call.options["momentum"] else None
    for step, grad in enumerate(grads):
        kernels.sgd_update(parameter, grad, buffer, **call.options, first_step=step == 0)
    return {"parameter": parameter}


def rmsprop_kernel(call):
    parameter, grads = split(call)
    options = dict(call.options)
    square = np.zeros_like(parameter)
    average = np.zeros_like(parameter) if options.pop("centered") else None
    buffer = np.zeros_like(parameter) if options["momentum"] else None
    for grad in grads:
        kernels.rmsprop_update(parameter, grad, square, average, buffer, **options)
    return {"parameter": parameter}


def adam_kernel(name):
    def results(call):
        parameter, grads = split(call)
        options = dict(call.options)
        beta1, beta2 = options.pop("betas")
        largest = np.zeros_like(parameter) if options.pop("amsgrad") else None
        state = np.zeros_like(parameter), np.zeros_like(parameter), largest
        for step, grad in enumerate(grads, start=1):
            getattr(kernels, name)(parameter, grad, *state, step=step, beta1=beta1, beta2=beta2, **options)
        return {"parameter": parameter}

    return results


def sgd_magnitudes(call, results):
    """A buffer holds at most the sum of all gradients, and each step subtracts lr times it, and again with Nesterov."""
    parameter, grads = split(call)
    lr, decay = call.options["lr"], call.options["weight_decay"]
    total = sum(np.abs(g) for g in grads) + STEPS * decay * np.abs(parameter)
    return {"parameter": np.abs(parameter) + 2 * STEPS * lr * total * (1 + decay * lr) ** STEPS}


def bounded_steps(largest):
    """Steps of length lr * `largest` at most; momentum adds up to all earlier ones."""

    def magnitudes(call, results):
        parameter, _ = split(call)
        return {"parameter": np.abs(parameter) + STEPS**2 * call.options["lr"] * largest(call)}

    return magnitudes


def case(kind="normal", **options):
    arrays = {name: Numbers((3, 4), kind, i) for i, name in enumerate(("parameter", "grad_0", "grad_1", "grad_2"))}
    return Case({}, {"lr": 0.1, "weight_decay": 0.05, "maximize": False} | options, arrays)


def row(name, kernel, face, options, magnitudes, examples):
    return Operation(
        name=name,
        torch=torch_optimizer(name),
        cases=update_cases(*options),
        faces={"kernel": face, "optimizer": our_optimizer(name)},
        proves=(f"kernels.{kernel}", f"optim.{name}"),
        roundings=16 * STEPS,
        magnitudes=magnitudes,
        in_place=("parameter",),
        examples=examples,
    )


ADAM = {"eps": 1e-8, "betas": (0.9, 0.999), "amsgrad": False}
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
        adam_kernel("adam_update"),
        ("eps", "betas", "amsgrad"),
        ADAM_RATIO,
        {"AMSGrad": case(**ADAM | {"amsgrad": True}), "zero gradients": case("zero", **ADAM)},
    ),
    row(
        "AdamW",
        "adamw_update",
        adam_kernel("adamw_update"),
        ("eps", "betas", "amsgrad"),
        ADAM_RATIO,
        {"AMSGrad": case(**ADAM | {"amsgrad": True}), "zero gradients": case("zero", **ADAM)},
    ),
]
