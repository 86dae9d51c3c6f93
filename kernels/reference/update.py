"""Optimizer updates of one parameter, in place, with PyTorch's formulas in PyTorch's order of operations.

Every function writes the new value into `parameter` and the new statistics into the state arrays, returns
None and never writes to `grad`. All arrays of one call have the shape and the dtype (float32 or float64) of
the parameter, and may have any strides. Coefficients such as 1 - beta are formed in double precision and
rounded once to that dtype. The results differ from PyTorch's only where its CPU code fuses a multiplication
with an addition.

Errors, raised before anything is written: TypeError for dtypes, an array that is missing or a coefficient that is
not a real number; ValueError for shapes, an array to be written that is read-only, and Adam's betas outside [0, 1).

`maximize` ascends instead: it negates the gradient, before weight decay is added.
"""

import numpy as np

from .. import checks
from ..arrays import array_module

__all__ = ["adam_update", "adamw_update", "rmsprop_update", "sgd_update"]

# As in PyTorch, infinities and NaN flow through without a warning.
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@quiet
def sgd_update(
    parameter,
    grad,
    momentum_buffer,
    lr,
    momentum=0.0,
    dampening=0.0,
    weight_decay=0.0,
    nesterov=False,
    first_step=False,
    maximize=False,
):
    """Stochastic gradient descent, with momentum where `momentum_buffer` is not None.

        grad   = grad + weight_decay * parameter
        buffer = momentum * buffer + (1 - dampening) * grad          (first step: buffer = grad)
        grad   = grad + momentum * buffer   if nesterov   else   buffer
        parameter = parameter - lr * grad

    Source: Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning"
    (ICML 2013), section 2, in PyTorch's form, where the learning rate stays outside the buffer.
    `first_step`: the buffer holds nothing yet; it is filled with the gradient, undampened.
    """
    check_arrays("sgd_update", {"parameter": parameter, "grad": grad}, {"momentum_buffer": momentum_buffer})
    lr, momentum, dampening, weight_decay = numbers(
        "sgd_update", lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay
    )
    grad = _with_weight_decay(-grad if maximize else grad, parameter, weight_decay)
    if momentum_buffer is not None:
        if first_step:
            momentum_buffer[...] = grad
        else:
            momentum_buffer *= momentum
            momentum_buffer += (1 - dampening) * grad
        grad = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    parameter -= lr * grad


@quiet
def rmsprop_update(
    parameter,
    grad,
    square_avg,
    grad_avg,
    momentum_buffer,
    lr,
    alpha=0.99,
    eps=1e-8,
    weight_decay=0.0,
    momentum=0.0,
    maximize=False,
):
    """RMSprop, centered where `grad_avg` is not None, with momentum where `momentum_buffer` is not None.

        grad       = grad + weight_decay * parameter
        square_avg = alpha * square_avg + (1 - alpha) * grad^2
        grad_avg   = alpha * grad_avg + (1 - alpha) * grad
        scaled     = grad / (sqrt(square_avg - grad_avg^2) + eps)    (grad_avg = 0 if not centered)
        buffer     = momentum * buffer + scaled
        parameter  = parameter - lr * buffer                         (scaled itself without momentum)

    State arrays start at zero. Source: Tieleman and Hinton, "Lecture 6.5 - RMSProp", Coursera (2012); the centered
    form is that of Graves, "Generating sequences with recurrent neural networks" (arXiv:1308.0850), section 4.2,
    with eps outside the root.
    """
    required = {"parameter": parameter, "grad": grad, "square_avg": square_avg}
    check_arrays("rmsprop_update", required, {"grad_avg": grad_avg, "momentum_buffer": momentum_buffer})
    lr, alpha, eps, weight_decay, momentum = numbers(
        "rmsprop_update", lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum
    )
    xp = array_module(parameter)
    grad = _with_weight_decay(-grad if maximize else grad, parameter, weight_decay)
    square_avg *= alpha
    square_avg += (1 - alpha) * grad * grad
    if grad_avg is None:
        denominator = xp.sqrt(square_avg)
    else:
        _move_towards(grad_avg, grad, 1 - alpha)
        denominator = xp.sqrt(square_avg - grad_avg * grad_avg)
    denominator += eps
    if momentum_buffer is None:
        parameter += -lr * grad / denominator
    else:
        momentum_buffer *= momentum
        momentum_buffer += grad / denominator
        parameter -= lr * momentum_buffer


@quiet
def adam_update(
    parameter,
    grad,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    lr,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=0.0,
    maximize=False,
):
    """Adam, the AMSGrad variant where `max_exp_avg_sq` is not None. `step` counts from 1.

        grad       = grad + weight_decay * parameter
        exp_avg    = beta1 * exp_avg + (1 - beta1) * grad
        exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad^2
        second     = exp_avg_sq     (AMSGrad: the elementwise maximum of exp_avg_sq over all steps)
        parameter  = parameter - lr / (1 - beta1^step) * exp_avg / (sqrt(second) / sqrt(1 - beta2^step) + eps)

    State arrays start at zero. Source: Kingma and Ba, "Adam: a method for stochastic optimization"
    (arXiv:1412.6980), Algorithm 1; Reddi, Kale and Kumar, "On the convergence of Adam and beyond" (ICLR 2018).
    ValueError also for a step below 1.
    """
    name = "adam_update"
    required = {"parameter": parameter, "grad": grad, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    check_arrays(name, required, {"max_exp_avg_sq": max_exp_avg_sq})
    step = check_step(name, step)
    lr, eps, weight_decay = numbers(name, lr=lr, eps=eps, weight_decay=weight_decay)
    beta1, beta2 = check_betas(name, beta1, beta2)
    grad = _with_weight_decay(-grad if maximize else grad, parameter, weight_decay)
    _adam_step(parameter, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps)


@quiet
def adamw_update(
    parameter,
    grad,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    lr,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=1e-2,
    maximize=False,
):
    """Adam with decoupled weight decay: as `adam_update`, but the decay shrinks the parameter and not the gradient.

        parameter = (1 - lr * weight_decay) * parameter,   then Adam's update with weight_decay = 0

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (arXiv:1711.05101), Algorithm 2; as in
    PyTorch, the decay is multiplied by the learning rate. ValueError also for a step below 1.
    """
    name = "adamw_update"
    required = {"parameter": parameter, "grad": grad, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    check_arrays(name, required, {"max_exp_avg_sq": max_exp_avg_sq})
    step = check_step(name, step)
    lr, eps, weight_decay = numbers(name, lr=lr, eps=eps, weight_decay=weight_decay)
    beta1, beta2 = check_betas(name, beta1, beta2)
    if weight_decay != 0:
        parameter *= 1 - lr * weight_decay
    grad = -grad if maximize else grad
    _adam_step(parameter, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps)


def _adam_step(parameter, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps):
    xp = array_module(parameter)
    _move_towards(exp_avg, grad, 1 - beta1)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    if max_exp_avg_sq is None:
        second_moment = exp_avg_sq
    else:
        second_moment = xp.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    denominator = xp.sqrt(second_moment)
    denominator /= (1 - beta2**step) ** 0.5
    denominator += eps
    parameter += -(lr / (1 - beta1**step)) * exp_avg / denominator


def _with_weight_decay(grad, parameter, weight_decay):
    return grad + weight_decay * parameter if weight_decay != 0 else grad


def _move_towards(average, value, fraction):
    """average + fraction * (value - average) in place, from the nearer end so that fraction 1 gives `value`."""
    if fraction < 0.5:
        average += fraction * (value - average)
    else:
        average[...] = value - (1 - fraction) * (value - average)


def check_arrays(name, required, optional):
    """The checks of one update: arrays by argument name, the parameter first and its gradient second."""
    checks.floating(name, optional, **required)
    (parameter, first), (grad, _), *_ = required.items()
    for argument, array in (required | optional).items():
        if array is not None:
            checks.shape(name, argument, array, first.shape, f"that of {parameter}")
    for argument, array in (required | optional).items():
        if array is not None and argument != grad:
            checks.writeable(name, argument, array)


def numbers(name, **coefficients):
    """Coefficients as floats."""
    return [checks.real(name, argument, value) for argument, value in coefficients.items()]


def check_betas(name, beta1, beta2):
    """Both betas as floats in [0, 1)."""
    betas = numbers(name, beta1=beta1, beta2=beta2)
    for argument, beta in zip(("beta1", "beta2"), betas, strict=True):
        if not 0 <= beta < 1:
            raise ValueError(f"{name}: {argument} must be at least 0 and less than 1, got {beta}")
    return betas


def check_step(name, step):
    """A step number as an int of at least 1."""
    step = checks.integer(name, "step", step)
    if step < 1:
        raise ValueError(f"{name}: step counts from 1, got {step}")
    return step
