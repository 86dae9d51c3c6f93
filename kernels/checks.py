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


def positive(name, argument, value):
    """Return a positive real number as a float, or raise an error that names the argument. NaN is not positive."""
    value = real(name, argument, value)
    if not value > 0:
        raise ValueError(f"{name}: {argument} must be positive, got {value}")
    return value


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


def sizes(name, argument, shape, meaning, minimum):
    """Return a shape as four ints, each at least its `minimum`; `meaning` spells them, as in "(N, C, H, W)"."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{name}: {argument} must be a tuple {meaning}, got {shape!r}")
    if len(shape) != 4:
        raise ValueError(f"{name}: {argument} must have 4 dimensions {meaning}, got shape {tuple(shape)}")
    shape = tuple(integer(name, argument, size) for size in shape)
    if any(size < least for size, least in zip(shape, minimum, strict=True)):
        raise ValueError(f"{name}: {argument} {meaning} must be at least {minimum}, got shape {shape}")
    return shape


def array(name, argument, value):
    """Require an array: something with a dtype and strides, which tensors and nested lists lack."""
    if not (hasattr(value, "dtype") and hasattr(value, "strides")):
        what = "None" if value is None else type(value).__name__
        raise TypeError(f"{name}: {argument} must be an array, got {what}")


def list_of_arrays(name, argument, value):
    """Require a list or tuple; what it holds is not looked at."""
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name}: {argument} must be a list of arrays, got {type(value).__name__}")


def floating(name, optional=None, **arrays):
    """Require float32 or float64 arrays of one dtype. Those in the dict `optional` may be None, for absent."""
    absent_allowed = {} if optional is None else optional
    present = arrays | {argument: value for argument, value in absent_allowed.items() if value is not None}
    for argument, value in present.items():
        array(name, argument, value)
        if value.dtype not in FLOAT_DTYPES:
            raise TypeError(f"{name}: {argument} must be float32 or float64, got {value.dtype}")
    dtypes = {value.dtype for value in present.values()}
    if len(dtypes) > 1:
        listing = ", ".join(f"{argument} is {value.dtype}" for argument, value in present.items())
        raise TypeError(f"{name}: all arrays must have one dtype: {listing}")


def writeable(name, argument, value):
    """Require an array that can be written in place."""
    if not getattr(value.flags, "writeable", True):  # CuPy's arrays can always be written
        raise ValueError(f"{name}: {argument} is written in place, but it is read-only")


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
