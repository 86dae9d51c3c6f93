"""Softmax and its logarithm."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Given, Numbers, numbers, seeds
from ..operation import Operation, kernel_face

INF, NAN = np.inf, np.nan


@st.composite
def cases(draw):
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=6) | st.sampled_from([(0, 3), (2, 0), (0,), (2, 0, 3)]))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    x = draw(numbers(shape, "normal", "ties", "large", "offset", "nonfinite"))
    return Case({"x": x}, {"dim": dim}, seed=draw(seeds))


def kernels_of(name):
    def results(k, call):
        axis = call.options["dim"]
        output = getattr(k, name)(call.inputs["x"], axis)
        return {"output": output, "grad x": getattr(k, name + "_backward")(call.cotangent(output.shape), output, axis)}

    return kernel_face(results)


def log_terms(x, axis):
    """(p, e): the softmax, and the magnitude of the terms in its logarithm d - log(sum exp(d)), d = x - max(x).

    d is rounded, so exp(d) is off by |d| relative to itself, and the logarithm of the sum by the mean of that.
    """
    if not x.size:
        return x, x
    finite = np.nan_to_num(x, nan=0, posinf=0, neginf=-1e300)
    d = finite - finite.max(axis, keepdims=True)
    p = np.exp(d)
    total = p.sum(axis, keepdims=True)
    p = p / total
    d = np.abs(d)
    return p, d + np.log(total) + (p * (1 + np.where(p > 0, d, 0))).sum(axis, keepdims=True)


def relative(p, terms):
    """Magnitude of p = exp(log p), whose relative error is the absolute one of its logarithm."""
    return p * (1 + np.where(p > 0, terms, 0))


def log_softmax_magnitudes(call, results):
    """y = d - log(sum exp(d));  dx = g - p sum(g)"""
    axis = call.options["dim"]
    p, terms = log_terms(call.inputs["x"], axis)
    g = np.abs(call.cotangent(p.shape))
    return {"output": terms, "grad x": g + relative(p, terms) * g.sum(axis, keepdims=True)}


def softmax_magnitudes(call, results):
    """dx = p (g - sum(g p))"""
    axis = call.options["dim"]
    p, terms = log_terms(call.inputs["x"], axis)
    g, p_terms = np.abs(call.cotangent(p.shape)), relative(p, terms)
    total, total_terms = (g * p).sum(axis, keepdims=True), (g * p_terms).sum(axis, keepdims=True)
    return {"output": p_terms, "grad x": p_terms * (g + total) + p * total_terms}


def roundings(call, results):
    """A sum and its exponentials, forward and backward."""
    return 4 * call.inputs["x"].shape[call.options["dim"]] + 12


def case(shape, kind, dim=1):
    return Case({"x": Numbers(shape, kind, 1)}, {"dim": dim}, seed=2)


ENDS = ((-INF, -INF), (INF, 1), (INF, INF), (-INF, 1), (NAN, 1), (NAN, -INF), (3e38, -3e38), (0, -1e4))

EXAMPLES = {
    "logits of +-1e4": case((4, 10), "large"),
    "all equal": case((3, 5), "zero"),
    "one class": case((3, 1), "normal"),
    "infinite logits": case((6, 4), "infinite"),
    "infinities, NaN and the ends of float32": Case({"x": Given(ENDS)}, {"dim": 1}, seed=2),
    "1000 classes": case((3, 1000), "normal"),
    "first axis of images": case((3, 4, 2, 5), "normal", 0),
}

ROWS = [
    Operation(
        name="softmax",
        torch=lambda x, dim: torch.softmax(x, dim),
        cases=cases(),
        faces={
            "kernel": kernels_of("softmax"),
            "function": by_autograd(lambda x, dim: ours.softmax(x, dim)),
            "layer": by_layer(lambda call: nn.Softmax(**call.options)),
        },
        proves=("kernels.softmax", "kernels.softmax_backward", "functional.softmax", "nn.Softmax", "Softmax"),
        roundings=roundings,
        magnitudes=softmax_magnitudes,
        examples=EXAMPLES,
    ),
    Operation(
        name="log_softmax",
        torch=lambda x, dim: torch.log_softmax(x, dim),
        cases=cases(),
        faces={
            "kernel": kernels_of("log_softmax"),
            "function": by_autograd(lambda x, dim: ours.log_softmax(x, dim)),
            "layer": by_layer(lambda call: nn.LogSoftmax(**call.options)),
        },
        proves=(
            "kernels.log_softmax",
            "kernels.log_softmax_backward",
            "functional.log_softmax",
            "nn.LogSoftmax",
            "LogSoftmax",
        ),
        roundings=roundings,
        magnitudes=log_softmax_magnitudes,
        examples=EXAMPLES,
    ),
]
