"""Batch normalization, training and evaluating; also the teaching version that takes one step at a time."""

import math
from functools import partial

import numpy as np
import torch.nn.functional as F
from hypothesis import strategies as st

import minception as mc
import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation, kernel_face

KINDS = ("normal", "ties", "offset", "large", "mixed", "zero", "nonfinite")


@st.composite
def batch_norm_cases(draw, training, axes=(0, 1, 2)):
    """(N, C), (N, C, L) and (N, C, H, W), by the number of `axes` after C, with at least two values per channel."""
    channels, batch = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    positions = draw(st.lists(st.integers(1, 6), min_size=min(axes), max_size=max(axes)))
    if training and batch * math.prod(positions) == 1:
        batch = 2
    per_channel = (channels,)
    affine = draw(st.sampled_from(["weight and bias", "weight", ""]))
    running = draw(st.booleans()) if training else True
    return Case(
        {
            "x": draw(numbers((batch, channels, *positions), *KINDS)),
            "weight": draw(numbers(per_channel)) if "weight" in affine else None,
            "bias": draw(numbers(per_channel)) if "bias" in affine else None,
        },
        {"eps": draw(st.sampled_from([1e-5, 1e-3, 0.5])), "momentum": draw(st.sampled_from([0.1, 0.0, 0.9, 1.0]))},
        {
            "running_mean": draw(numbers(per_channel, "normal", "offset")) if running else None,
            "running_var": draw(numbers(per_channel, "positive")) if running else None,
        },
        seed=draw(seeds),
    )


def torch_train(x, weight, bias, running_mean, running_var, eps, momentum):
    output = F.batch_norm(x, running_mean, running_var, weight, bias, True, momentum, eps)
    return output, {} if running_mean is None else {"running_mean": running_mean, "running_var": running_var}


def torch_eval(x, weight, bias, running_mean, running_var, eps, momentum):
    return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)


def gradients(call, grad_x, grad_weight, grad_bias):
    """Results of a backward kernel, which computes all three gradients whether or not they are asked for."""
    grads = {"x": grad_x, "weight": grad_weight, "bias": grad_bias}
    return {f"grad {name}": grad for name, grad in grads.items() if call.inputs[name] is not None}


@kernel_face
def train_kernels(k, call):
    x, weight, bias = call.inputs.values()
    eps = call.options["eps"]
    output, mean, var = k.batch_norm_train(x, weight, bias, eps)
    grads = k.batch_norm_train_backward(call.cotangent(x.shape), x, weight, mean, var, eps)
    running = {name: a for name, a in call.constants.items() if a is not None}
    if running:
        count = x.size // x.shape[1]
        k.batch_norm_update_running(*running.values(), mean, var, count, call.options["momentum"])
    return {"output": output} | gradients(call, *grads) | running


@kernel_face
def train_steps(k, call):
    """The teaching version; it has no running statistics of its own."""
    x, weight, bias = call.inputs.values()
    steps = k.batch_norm_forward_steps(x, weight, bias, call.options["eps"])
    found = k.batch_norm_backward_steps(call.cotangent(x.shape), steps)
    results = {"output": steps.output} | gradients(call, found.x, found.weight, found.bias)
    running = {name: a for name, a in call.constants.items() if a is not None}
    if running:
        mean, var = (a.reshape(-1).astype(x.dtype) for a in (steps.mean, steps.variance))
        k.batch_norm_update_running(*running.values(), mean, var, x.size // x.shape[1], call.options["momentum"])
    return results | running


@kernel_face
def eval_kernels(k, call):
    x, weight, bias = call.inputs.values()
    eps, running = call.options["eps"], call.constants.values()
    output = k.batch_norm_eval(x, *running, weight, bias, eps)
    grads = k.batch_norm_eval_backward(call.cotangent(x.shape), x, weight, *running, eps)
    return {"output": output} | gradients(call, *grads)


def function(training):
    def batch_norm(x, weight, bias, running_mean, running_var, eps, momentum):
        running = [None if a is None else mc.from_numpy(a) for a in (running_mean, running_var)]
        output = ours.batch_norm(x, *running, weight, bias, training, momentum, eps)
        if not training or running_mean is None:
            return output
        return output, {"running_mean": running[0], "running_var": running[1]}

    return by_autograd(batch_norm)


def layer(training):
    def make(call):
        x, weight, bias = call.inputs.values()
        kind = nn.BatchNorm2d if x.ndim == 4 else nn.BatchNorm1d
        tracked = call.constants["running_mean"] is not None
        norm = kind(
            x.shape[1],
            **call.options,
            affine=weight is not None,
            track_running_stats=tracked,
            bias=bias is not None,
        )
        return norm.train(training)

    return by_layer(make)


def shaped(vector, x):
    """(C,) as (1, C, 1, 1)."""
    return np.asarray(vector).reshape(1, -1, *(1,) * (x.ndim - 2))


def terms_of(call, mean, var, centred=True):
    """What both modes share: |g|, n = |x - mean| / std, weight / std and the axes of a channel's values.

    Without `centred`, n is (|x| + |mean|) / std, the terms of torch's formula x * scale + (bias - mean * scale).
    """
    x, weight, bias = call.inputs.values()
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    inverse_std = 1 / np.sqrt(shaped(var, x) + call.options["eps"])
    mean = shaped(mean, x)
    normalized = (np.abs(x - mean) if centred else np.abs(x) + np.abs(mean)) * inverse_std
    scale = inverse_std * (1 if weight is None else np.abs(shaped(weight, x)))
    shift = 0 if bias is None else np.abs(shaped(bias, x))
    weight = 1 if weight is None else np.abs(shaped(weight, x))
    return x, axes, np.abs(call.cotangent(x.shape)), normalized, weight, scale, shift


def train_magnitudes(call, results, centred=True, passes=True):
    """y = weight n + bias;  dx = weight / std (g - mean(g) - n mean(g n)): the absolute values of these terms.

    With x = c + d, c being the mean rounded, the normalised value is n = (d - mean(d)) / std and the variance is
    mean(d^2) - mean(d)^2, where d = x - c rounds relative to itself: so the terms of n are |n| and mean|n|, however
    far the mean is from zero. Where `passes` is False, the gradient of the output counts as 0.
    """
    x = call.inputs["x"]
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    mean, var = x.mean(axes), x.var(axes)
    x, axes, g, n, weight, scale, shift = terms_of(call, mean, var, centred)
    g, n = g * passes, n + n.mean(axes, keepdims=True)
    momentum, count = call.options["momentum"], x.size // x.shape[1]
    found = {
        "output": weight * n + shift,
        "grad x": scale * (g + g.mean(axes, keepdims=True) + n * (g * n).mean(axes, keepdims=True)),
        "grad weight": (g * n).sum(axes),
        "grad bias": g.sum(axes),
    }
    if call.constants["running_mean"] is not None:
        old_mean, old_var = (np.abs(a) for a in call.case.call(np.float64).constants.values())
        found["running_mean"] = (1 - momentum) * old_mean + momentum * np.abs(x).mean(axes)
        deviation = np.abs(x - shaped(mean, x))
        lost = 0 if centred else deviation * (np.abs(x) + np.abs(shaped(mean, x)))  # where the mean is rounded
        spread = (deviation**2 + lost).mean(axes)
        found["running_var"] = (1 - momentum) * old_var + momentum * spread * count / (count - 1)
    return found


def eval_magnitudes(call, results, centred=True, passes=True):
    """y = weight n + bias;  dx = weight / std g, where the mean and the deviation are constants."""
    running_mean, running_var = call.constants.values()
    _, axes, g, n, weight, scale, shift = terms_of(call, running_mean, running_var, centred)
    g = g * passes
    return {
        "output": weight * n + shift,
        "grad x": scale * g,
        "grad weight": (g * n).sum(axes),
        "grad bias": g.sum(axes),
    }


def values_per_channel(call, results):
    """A sum over a channel's values, twice (mean, then variance or gradient), and a dozen operations around it."""
    x = call.inputs["x"]
    return 2 * (x.size // x.shape[1]) + 12


def case(shape, kind="normal", **options):
    channels = shape[1:2]
    inputs = {"x": Numbers(shape, kind, 1), "weight": Numbers(channels, "normal", 2), "bias": Numbers(channels, seed=3)}
    running = {"running_mean": Numbers(channels, seed=4), "running_var": Numbers(channels, "positive", 5)}
    return Case(inputs, {"eps": 1e-5, "momentum": 0.1} | options, running, seed=6)


NAMED = {
    "two values": case((2, 3)),
    "one image of two pixels": case((1, 3, 1, 2)),
    "mean 1e4, deviation 1e-2": case((8, 4, 9, 7), "offset"),
    "constant channels": case((3, 4, 5, 2), "one"),
    "many values, several blocks": case((5, 3, 40, 31)),
    "more channels than rows": case((2, 700, 5, 7)),
    "infinite means": case((4, 3, 2, 2), "infinite"),
    "infinities and NaN": case((3, 4, 2, 2), "nonfinite"),
    "momentum 1": case((3, 4, 5), momentum=1.0),
}

NOTHING = {
    "empty batch": case((0, 3, 4, 5)),
    "empty batch of rows": case((0, 3)),
    "no pixels": case((2, 3, 0, 2)),
}

ROWS = [
    Operation(
        name="batch_norm, training",
        torch=torch_train,
        cases=batch_norm_cases(training=True),
        faces={
            "kernel": train_kernels,
            "steps": train_steps,
            "function": function(training=True),
            "layer": layer(training=True),
        },
        proves=(
            "kernels.batch_norm_train",
            "kernels.batch_norm_train_backward",
            "kernels.batch_norm_update_running",
            "kernels.batch_norm_forward_steps",
            "kernels.batch_norm_backward_steps",
            "functional.batch_norm",
            "nn.BatchNorm1d",
            "nn.BatchNorm2d",
            "BatchNormTrain",
        ),
        roundings=values_per_channel,
        magnitudes=train_magnitudes,
        torch_magnitudes=partial(train_magnitudes, centred=False),
        in_place=("running_mean", "running_var"),
        examples=NAMED,
    ),
    Operation(  # which leaves the running statistics as they are; the teaching version refuses it
        name="batch_norm, training on nothing",
        torch=torch_train,
        cases=st.sampled_from(list(NOTHING.values())),
        faces={"kernel": train_kernels, "function": function(training=True), "layer": layer(training=True)},
        proves=("kernels.batch_norm_train", "kernels.batch_norm_train_backward", "kernels.batch_norm_update_running"),
        roundings=0,
        magnitudes=lambda call, results: {"*": 0.0},
        in_place=("running_mean", "running_var"),
        examples=NOTHING,
    ),
    Operation(
        name="batch_norm, evaluating",
        torch=torch_eval,
        cases=batch_norm_cases(training=False),
        faces={"kernel": eval_kernels, "function": function(training=False), "layer": layer(training=False)},
        proves=("kernels.batch_norm_eval", "kernels.batch_norm_eval_backward", "BatchNormEval"),
        roundings=values_per_channel,
        magnitudes=eval_magnitudes,
        torch_magnitudes=partial(eval_magnitudes, centred=False),
        examples=NAMED | NOTHING | {"one value": case((1, 3, 1, 1))},
    ),
]
