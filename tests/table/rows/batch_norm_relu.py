"""Batch normalization with ReLU as one operation, training and evaluating: batch norm's rows, and what ReLU changes."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

import minception as mc
import minception.functional as ours
from minception import nn

from ..faces import by_autograd, by_layer, by_torch
from ..operation import Operation, kernel_face
from ..rounding import allowed
from .batch_norm import (
    NAMED,
    NOTHING,
    batch_norm_cases,
    case,
    eval_magnitudes,
    gradients,
    shaped,
    torch_eval,
    torch_train,
    train_magnitudes,
    values_per_channel,
)


def torch_relu_train(**arguments):
    output, running = torch_train(**arguments)
    return F.relu(output), running


def torch_relu_eval(**arguments):
    return F.relu(torch_eval(**arguments))


@kernel_face
def train_kernels(k, call):
    x, weight, bias = call.inputs.values()
    eps = call.options["eps"]
    output, mean, var, scale, shift = k.batch_norm_relu_train(x, weight, bias, eps)
    g = call.cotangent(x.shape)
    grads = k.batch_norm_relu_train_backward(g, x, weight, mean, var, scale, shift, eps)
    running = {name: a for name, a in call.constants.items() if a is not None}
    if running:
        count = x.size // x.shape[1]
        k.batch_norm_update_running(*running.values(), mean, var, count, call.options["momentum"])
    return {"output": output} | gradients(call, *grads) | running


@kernel_face
def eval_kernels(k, call):
    x, weight, bias = call.inputs.values()
    eps, running = call.options["eps"], call.constants.values()
    output = k.batch_norm_relu_eval(x, *running, weight, bias, eps)
    grads = k.batch_norm_relu_eval_backward(call.cotangent(x.shape), x, *running, weight, bias, eps)
    return {"output": output} | gradients(call, *grads)


def function(training):
    def batch_norm_relu(x, weight, bias, running_mean, running_var, eps, momentum):
        running = [None if a is None else mc.from_numpy(a) for a in (running_mean, running_var)]
        output = ours.batch_norm_relu(x, *running, weight, bias, training, momentum, eps)
        if not training or running_mean is None:
            return output
        return output, {"running_mean": running[0], "running_var": running[1]}

    return by_autograd(batch_norm_relu)


def layer(training):
    def make(call):
        x, weight, bias = call.inputs.values()
        layer = nn.BatchNormReLU2d(
            x.shape[1],
            **call.options,
            affine=weight is not None,
            track_running_stats=call.constants["running_mean"] is not None,
            bias=bias is not None,
        )
        return layer.train(training)

    return by_layer(make)


def before_relu(plain, call):
    """torch's batch norm alone."""
    with torch.no_grad():
        return by_torch(plain)(call)["output"]


def magnitudes(plain, plain_magnitudes, call, results, centred=True):
    """Those of batch norm for the gradient that ReLU lets pass, which is 0 where y <= 0.

    Where rounding alone decides whether y is above 0, so it decides about gradients of its channel: they are not
    judged, their magnitudes are infinite.
    """
    y = before_relu(plain, call)
    count = values_per_channel(call, results)
    rounded, of_torch = (plain_magnitudes(call, results, centred=c)["output"] for c in (True, False))
    limit = allowed(np.float32, count, rounded, 1.0) + allowed(np.float64, count, of_torch, 1.0)
    axes = tuple(axis for axis in range(y.ndim) if axis != 1)
    undecided = (np.isfinite(y) & (np.abs(y) <= limit)).any(axes)
    found = plain_magnitudes(call, results, centred=centred, passes=~(y <= 0))
    found["grad x"] = np.where(shaped(undecided, y), np.inf, found["grad x"])
    for name in ("grad weight", "grad bias"):
        found[name] = np.where(undecided, np.inf, found[name])
    return found


train = partial(magnitudes, torch_train, train_magnitudes)
evaluate = partial(magnitudes, torch_eval, eval_magnitudes)

IMAGES = {title: named for title, named in NAMED.items() if len(named.inputs["x"].shape) == 4}
NO_IMAGES = {title: named for title, named in NOTHING.items() if len(named.inputs["x"].shape) == 4}

ROWS = [
    Operation(
        name="batch_norm_relu, training",
        torch=torch_relu_train,
        cases=batch_norm_cases(training=True, axes=(2,)),
        faces={"kernel": train_kernels, "function": function(training=True), "layer": layer(training=True)},
        proves=(
            "kernels.batch_norm_relu_train",
            "kernels.batch_norm_relu_train_backward",
            "functional.batch_norm_relu",
            "nn.BatchNormReLU2d",
            "BatchNormReLUTrain",
        ),
        roundings=values_per_channel,
        magnitudes=train,
        torch_magnitudes=partial(train, centred=False),
        in_place=("running_mean", "running_var"),
        examples=IMAGES,
    ),
    Operation(
        name="batch_norm_relu, training on nothing",
        torch=torch_relu_train,
        cases=st.sampled_from(list(NO_IMAGES.values())),
        faces={"kernel": train_kernels, "function": function(training=True), "layer": layer(training=True)},
        proves=("kernels.batch_norm_relu_train", "kernels.batch_norm_relu_train_backward"),
        roundings=0,
        magnitudes=lambda call, results: {"*": 0.0},
        in_place=("running_mean", "running_var"),
        examples=NO_IMAGES,
    ),
    Operation(
        name="batch_norm_relu, evaluating",
        torch=torch_relu_eval,
        cases=batch_norm_cases(training=False, axes=(2,)),
        faces={"kernel": eval_kernels, "function": function(training=False), "layer": layer(training=False)},
        proves=("kernels.batch_norm_relu_eval", "kernels.batch_norm_relu_eval_backward", "BatchNormReLUEval"),
        roundings=values_per_channel,
        magnitudes=evaluate,
        torch_magnitudes=partial(evaluate, centred=False),
        examples=IMAGES | NO_IMAGES | {"one value": case((1, 3, 1, 1))},
    ),
]
