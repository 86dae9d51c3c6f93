"""Argument checks shared by all kernels: wrong calls fail before any arithmetic, naming the argument.

Every function takes `name`, the kernel's name, so that the message says which call was wrong. Wrong types raise
`TypeError`, wrong values (shapes, ranks, signs) raise `ValueError`.
"""

import numbers
import operator

from .arrays import FLOAT_DTYPES


def integer(name, argument, value):
    """Return `value` as an int, or raise a TypeError that names the argument. Booleans are refused."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {argument} must be an integer, got {value!r}") from None


def real(name, argument, value):
    """Return a real number as a plain float (which leaves float32 arrays float32), or raise a TypeError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: {argument} must be a real number, got {value!r}")
    return float(value)


def axis(name, value, dimensions):
    """Return the axis counted from the front; negative ones count from the end."""
    value = integer(name, "axis", value)
    if not -dimensions <= value < dimensions:
        raise ValueError(f"{name}: axis {value} is out of range for an array with {dimensions} dimensions")
    return value % dimensions


def pair(name, argument, value, minimum):
    """Return an int or a pair of ints as (for height, for width), each at least `minimum`."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2:
        raise ValueError(f"{name}: {argument} must be an integer or a pair (height, width), got {value!r}")
    values = tuple(integer(name, argument, v) for v in values)
    if min(values) < minimum:
        what = "positive" if minimum == 1 else "non-negative"
        raise ValueError(f"{name}: {argument} must be {what}, got {value!r}")
    return values


def floating(name, **arrays):
    """Require float32 or float64 arrays of one dtype; `None` stands for an absent array."""
    present = {argument: array for argument, array in arrays.items() if array is not None}
    for argument, array in present.items():
        if not hasattr(array, "dtype"):
            raise TypeError(f"{name}: {argument} must be an array, got {type(array).__name__}")
        if array.dtype not in FLOAT_DTYPES:
            raise TypeError(f"{name}: {argument} must be float32 or float64, got {array.dtype}")
    dtypes = {array.dtype for array in present.values()}
    if len(dtypes) > 1:
        listing = ", ".join(f"{argument} is {array.dtype}" for argument, array in present.items())
        raise TypeError(f"{name}: all arrays must have one dtype: {listing}")


def rank(name, argument, array, dimensions, meaning):
    """Require `array.ndim == dimensions`; `meaning` spells the axes, as in "(N, C, H, W)"."""
    if array.ndim != dimensions:
        raise ValueError(
            f"{name}: {argument} must have {dimensions} dimensions {meaning}, got shape {array.shape}"
        )


def shape(name, argument, array, expected, reason):
    """Require an exact shape; `reason` says where the expectation comes from."""
    if array.shape != tuple(expected):
        raise ValueError(f"{name}: {argument} must have shape {tuple(expected)} ({reason}), got {array.shape}")
