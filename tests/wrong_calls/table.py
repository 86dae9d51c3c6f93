"""One wrong call, and the mistakes that every argument of a kind has in common."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np


@dataclass(frozen=True)
class Wrong:
    """A call that must raise `error`, exactly that type, with a message that contains all `words`."""

    title: str
    call: Callable
    error: type
    words: tuple


def wrong(title, call, error, *words):
    """An entry of a table."""
    return Wrong(title, call, error, words)


def zeros(*shape, dtype=np.float64):
    """An array to call kernels with; its values play no part in what is wrong."""
    return np.zeros(shape, dtype)


def not_floating_arrays(argument, good, call, optional=False, alone=False):
    """What `call(array)` must refuse for an argument that should be an array like `good`, float32 or float64.

    `optional`: None is right. `alone`: there is no other array whose dtype it could contradict.
    """
    absent = [wrong(f"{argument} None", partial(call, None), TypeError, f"{argument} must be an array, got None")]
    mixed = wrong(
        f"{argument} float32 beside float64",
        partial(call, good.astype(np.float32)),
        TypeError,
        "all arrays must have one dtype",
        f"{argument} is float32",
    )
    return [
        *([] if optional else absent),
        wrong(f"{argument} a list", partial(call, good.tolist()), TypeError, f"{argument} must be an array"),
        *(
            wrong(
                f"{argument} {np.dtype(dtype)}",
                partial(call, good.astype(dtype)),
                TypeError,
                f"{argument} must be float32 or float64, got {np.dtype(dtype)}",
            )
            for dtype in (np.int64, np.float16, np.complex128, np.bool_)
        ),
        *([] if alone else [mixed]),
    ]


def not_pairs(argument, call, minimum, optional=False):
    """What must be refused for an integer or pair of integers of at least `minimum`."""
    least = f"{argument} must be {'positive' if minimum else 'non-negative'}, got"
    integer = f"{argument} must be an integer, got"
    return [
        wrong(f"{argument} {minimum - 1}", partial(call, minimum - 1), ValueError, least, str(minimum - 1)),
        wrong(f"{argument} with a wrong width", partial(call, (1, minimum - 1)), ValueError, least),
        wrong(f"{argument} of three", partial(call, (1, 1, 1)), ValueError, f"{argument} must be", "pair", "(1, 1, 1)"),
        wrong(f"{argument} of one", partial(call, [1]), ValueError, f"{argument} must be", "pair", "[1]"),
        wrong(f"{argument} 1.5", partial(call, 1.5), TypeError, integer, "1.5"),
        wrong(f"{argument} True", partial(call, True), TypeError, integer, "True"),
        wrong(f"{argument} with a float", partial(call, (1, 1.0)), TypeError, integer, "1.0"),
        *([] if optional else [wrong(f"{argument} None", partial(call, None), TypeError, integer, "None")]),
    ]


def not_image_shapes(argument, call):
    """What must be refused for a shape (N, C, H, W) given as a tuple."""
    return [
        wrong(f"{argument} None", partial(call, None), TypeError, f"{argument} must be a tuple", "None"),
        wrong(f"{argument} a number", partial(call, 4), TypeError, f"{argument} must be a tuple", "got 4"),
        wrong(f"{argument} an array", partial(call, np.ones(4, int)), TypeError, f"{argument} must be a tuple"),
        wrong(f"{argument} of three", partial(call, (4, 5, 5)), ValueError, f"{argument} must have 4 dimensions"),
        wrong(f"{argument} with a float", partial(call, (2, 4, 5.0, 5)), TypeError, f"{argument} must be an integer"),
        wrong(f"{argument} negative", partial(call, (2, -4, 5, 5)), ValueError, f"{argument} ", "at least", "-4"),
    ]


def not_reals(argument, call, nan=None):
    """What must be refused for a real number; `nan`, the words with which NaN is, if it is."""
    real = f"{argument} must be a real number, got"
    return [
        wrong(f"{argument} a str", partial(call, "a"), TypeError, real, "'a'"),
        wrong(f"{argument} None", partial(call, None), TypeError, real, "None"),
        wrong(f"{argument} True", partial(call, True), TypeError, real, "True"),
        wrong(f"{argument} complex", partial(call, 1j), TypeError, real, "1j"),
        *([wrong(f"{argument} NaN", partial(call, float("nan")), ValueError, argument, nan, "nan")] if nan else []),
    ]


def not_integers(argument, call, optional=False):
    """What must be refused for an integer."""
    integer = f"{argument} must be an integer, got"
    return [
        wrong(f"{argument} 1.5", partial(call, 1.5), TypeError, integer, "1.5"),
        wrong(f"{argument} True", partial(call, True), TypeError, integer, "True"),
        wrong(f"{argument} a str", partial(call, "1"), TypeError, integer, "'1'"),
        *([] if optional else [wrong(f"{argument} None", partial(call, None), TypeError, integer, "None")]),
    ]


def of_devices(function):
    """A function of a device."""
    return [
        wrong("device a float", lambda: function(1.5), TypeError, "a device is a string", "got 1.5"),
        wrong("device unknown", lambda: function("gpu"), RuntimeError, "unknown device 'gpu'", '"cuda:N"'),
        wrong("no such GPU", lambda: function("cuda:99"), RuntimeError, "device 'cuda:99' is not available"),
    ]
