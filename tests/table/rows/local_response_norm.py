"""Local response normalization."""

import numpy as np
import torch.nn.functional as F
from hypothesis import strategies as st

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Given, Numbers, numbers, seeds
from ..operation import Operation, kernel_face


@st.composite
def cases(draw):
    shape = [draw(st.integers(low, high)) for low, high in ((0, 3), (0, 9), (1, 4), (1, 4))]
    options = {
        "size": draw(st.integers(1, 11)),
        "alpha": draw(st.sampled_from([1e-4, 0.5, 3.0])),
        "beta": draw(st.sampled_from([0.75, 0.5, 1.0, 2.0])),
        "k": draw(st.sampled_from([1.0, 2.0, 0.25])),
    }
    # torch takes the derivative of s^beta by beta s^(beta - 1): from beta 1 on an infinite s makes it 0 * inf = NaN
    infinite = ["nonfinite"] if options["beta"] < 1 else []
    x = draw(numbers(shape, "normal", "ties", "mixed", "subnormal", *infinite))
    return Case({"x": x}, options, seed=draw(seeds))


@kernel_face
def by_kernels(k, call):
    x = call.inputs["x"]
    output, scale = k.local_response_norm(x, **call.options)
    g = call.cotangent(x.shape)
    return {"output": output, "grad x": k.local_response_norm_backward(g, x, scale, **call.options)}


def sum_window(x, before, after):
    """Sum over channels c - before ... c + after, one channel at a time."""
    channels = x.shape[1]
    windows = [x[:, max(c - before, 0) : c + after + 1].sum(1) for c in range(channels)]
    return np.stack(windows, axis=1) if windows else x


def magnitudes(call, results):
    """y = x s^-beta and dx = g s^-beta - 2 alpha beta / size x sum(g x s^(-beta - 1)): these terms, absolute.

    A power of s passes on the relative error of s, multiplied by the exponent.
    """
    x, g = np.abs(call.inputs["x"]), np.abs(call.cotangent(call.inputs["x"].shape))
    size, alpha, beta, k = call.options.values()
    s = k + alpha / size * sum_window(x * x, size // 2, (size - 1) // 2)
    through_scale = sum_window(g * x * s ** (-beta - 1), (size - 1) // 2, size // 2)
    return {
        "output": x * s**-beta * (1 + beta),
        "grad x": g * s**-beta * (1 + beta) + 2 * alpha * beta / size * x * through_scale * (2 + beta),
    }


def case(shape, size, alpha=1e-4, beta=0.75, k=1.0):
    options = {"size": size, "alpha": alpha, "beta": beta, "k": k}
    return Case({"x": Numbers(shape, seed=1)}, options, seed=2)


def written_out(channels, k):
    """One image of one pixel."""
    x = Given((tuple(((value,),) for value in channels),))
    return Case({"x": x}, {"size": 2, "alpha": 1e-4, "beta": 0.75, "k": k}, seed=2)


ROWS = [
    Operation(
        name="local_response_norm",
        torch=lambda x, **options: F.local_response_norm(x, **options),
        cases=cases(),
        faces={
            "kernel": by_kernels,
            "function": by_autograd(lambda x, **options: ours.local_response_norm(x, **options)),
            "layer": by_layer(lambda call: nn.LocalResponseNorm(**call.options)),
        },
        proves=(
            "kernels.local_response_norm",
            "kernels.local_response_norm_backward",
            "functional.local_response_norm",
            "nn.LocalResponseNorm",
            "LocalResponseNorm",
        ),
        roundings=lambda call, results: 4 * call.options["size"] + 16,
        magnitudes=magnitudes,
        examples={
            "AlexNet's": case((2, 7, 3, 4), 5, 1e-4, 0.75, 2.0),
            "even window": case((2, 7, 3, 4), 4, 2.0),
            "window beyond the channels": case((2, 3, 2, 2), 9, 2.0),
            "many pixels": case((2, 7, 9, 8), 5, 2.0),
            "infinity": written_out((0, np.inf, 1, 2), k=1.0),
            "NaN": written_out((0, np.nan, 1, 2), k=1.0),
            "scale zero": written_out((0, 0, 0, 1), k=0.0),
        },
    ),
]
