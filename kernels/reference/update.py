"""Optimizer updates of one parameter, in place, with PyTorch's formulas in PyTorch's order of operations.

Every function writes the new value into `parameter` and the new statistics into the state arrays, returns
None and never writes to `grad`. All arrays of one call have the shape and the dtype (float32 or float64) of
the parameter, and may have any strides. Coefficients such as 1 - beta are formed in double precision and
rounded once to that dtype. The results differ from PyTorch's only where its CPU code fuses a multiplication
with an addition.

Errors, raised before anything is written: ValueError for shapes, TypeError for dtypes.

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
    _check("sgd_update", parameter, grad=grad, momentum_buffer=momentum_buffer)
    lr, momentum, dampening = float(lr), float(momentum), float(dampening)
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
    state = {"square_avg": square_avg, "grad_avg": grad_avg, "momentum_buffer": momentum_buffer}
    _check("rmsprop_update", parameter, grad=grad, **state)
    lr, alpha, eps, momentum = float(lr), float(alpha), float(eps), float(momentum)
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
    state = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    _check("adam_update", parameter, grad=grad, **state)
    step = _check_step("adam_update", step)
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
    state = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    _check("adamw_update", parameter, grad=grad, **state)
    step = _check_step("adamw_update", step)
    if weight_decay != 0:
        parameter *= 1 - float(lr) * float(weight_decay)
    grad = -grad if maximize else grad
    _adam_step(parameter, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps)


def _adam_step(parameter, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps):
    lr, beta1, beta2, eps = float(lr), float(beta1), float(beta2), float(eps)
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
    return grad + float(weight_decay) * parameter if weight_decay != 0 else grad


def _move_towards(average, value, fraction):
    """average + fraction * (value - average) in place, from the nearer end so that fraction 1 gives `value`."""
    if fraction < 0.5:
        average += fraction * (value - average)
    else:
        average[...] = value - (1 - fraction) * (value - average)


def _check(name, parameter, **arrays):
    checks.floating(name, parameter=parameter, **arrays)
    for argument, array in arrays.items():
        if array is not None:
            checks.shape(name, argument, array, parameter.shape, "that of parameter")


def _check_step(name, step):
    step = checks.integer(name, "step", step)
    if step < 1:
        raise ValueError(f"{name}: step counts from 1, got {step}")
    return step
