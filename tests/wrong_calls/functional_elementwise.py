"""Wrong calls of the elementwise functions, of arithmetic, and of the functions that move elements."""

from dataclasses import replace

import numpy as np

import minception.functional as F
from minception import Tensor

from .samples import tensor
from .table import not_integers, not_reals, wrong

X, LONG, FOUR, SCALAR = tensor(2, 3), tensor(2, 3, dtype=np.int64), tensor(4), tensor()
ARRAY = np.ones((2, 3), np.float32)
OUT_OF_RANGE = "out of range for 2 dimensions"


def of_one(function):
    """What an elementwise function of any array-like refuses."""
    return [
        wrong("None", lambda: function(None), TypeError, "cannot be made from NoneType"),
        wrong("a str", lambda: function("1"), TypeError, "cannot be made from str"),
        wrong("complex", lambda: function(ARRAY * 1j), TypeError, "cannot be made from ndarray", "complex"),
        wrong("uneven lists", lambda: function([[1.0], [1.0, 2.0]]), ValueError, "nested lists", "same lengths"),
    ]


def with_one(function):
    """What an operation of (2, 3) with another operand, which is broadcast, refuses."""
    return [
        wrong("shapes", lambda: function(FOUR), ValueError, "(4,)", "(2, 3)", "do not broadcast"),
        wrong("shape of an array", lambda: function(np.ones(4)), ValueError, "(4,)", "(2, 3)", "do not broadcast"),
        wrong("None", lambda: function(None), TypeError, "cannot be made from NoneType"),
        wrong("a str", lambda: function("1"), TypeError, "cannot be made from str"),
        wrong("complex", lambda: function(1j), TypeError, "cannot be made from complex"),
        wrong("uneven lists", lambda: function([[1.0], [1.0, 2.0]]), ValueError, "nested lists", "same lengths"),
    ]


def of_two(function):
    """What an operation of two operands that are broadcast refuses."""
    first = [replace(entry, title=f"first {entry.title}") for entry in with_one(lambda bad: function(bad, X))]
    second = [replace(entry, title=f"second {entry.title}") for entry in with_one(lambda bad: function(X, bad))]
    return first + second


def of_floats(function, *arguments):
    """What an activation refuses, which takes tensors alone."""
    return [
        wrong("an array", lambda: function(ARRAY, *arguments), TypeError, "must be a Tensor, got ndarray"),
        wrong("None", lambda: function(None, *arguments), TypeError, "must be a", "None"),
        wrong("int64", lambda: function(LONG, *arguments), TypeError, "must be float32 or float64, got int64"),
    ]


def dims(argument, call):
    """Wrong axes of a tensor with two."""
    return [
        wrong(f"{argument} 2", lambda: call(2), IndexError, "dim 2", OUT_OF_RANGE),
        wrong(f"{argument} -3", lambda: call(-3), IndexError, "dim -3", OUT_OF_RANGE),
        wrong(f"{argument} 0.5", lambda: call(0.5), TypeError, "dim must be an integer, got 0.5"),
        wrong(f"{argument} None", lambda: call(None), TypeError, "dim must be an integer, got None"),
        wrong(f"{argument} True", lambda: call(True), TypeError, "dim must be an integer, got True"),
    ]


def softmaxes(function):
    return [
        *of_floats(function, 1),
        wrong("dim 2", lambda: function(X, 2), ValueError, "axis 2 is out of range", "2 dimensions"),
        wrong("dim -3", lambda: function(X, -3), ValueError, "axis -3 is out of range"),
        *not_integers("axis", lambda bad: function(X, bad)),
    ]


def joins(function):
    return [
        *dims("dim", lambda bad: function([X, X], bad))[2:],
        wrong("no tensors", lambda: function([]), ValueError, "expected at least one tensor"),
        wrong("a number", lambda: function(3), TypeError, "expected a list of tensors, got int"),
        wrong("None", lambda: function(None), TypeError, "expected a list of tensors, got NoneType"),
        wrong("a list with None", lambda: function([X, None]), TypeError, "cannot be made from NoneType"),
        wrong("another rank", lambda: function([X, FOUR]), ValueError, "tensors[1] must have the shape (2, 3)", "(4,)"),
    ]


CONCATENATE = [
    *joins(F.cat),
    wrong("dim 2", lambda: F.cat([X, X], 2), IndexError, "dim 2", OUT_OF_RANGE),
    wrong("0-d tensors", lambda: F.cat([SCALAR, SCALAR]), ValueError, "0-d tensors", "stack"),
    wrong("other columns", lambda: F.cat([X, X[:, :2]]), ValueError, "tensors[1] must have the shape (2, 3)", "(2, 2)"),
    wrong(
        "other columns of integers", lambda: F.cat([LONG, LONG[:, :2]]), ValueError, "tensors[1] must have the shape"
    ),
]
STACK = [
    *joins(F.stack),
    wrong("dim 3", lambda: F.stack([X, X], 3), IndexError, "dim 3", "out of range for 3 dimensions"),
    wrong("a shape that broadcasts", lambda: F.stack([X, X[:1]]), ValueError, "tensors[1] must have the shape (2, 3)"),
]
WHERE = [
    *of_two(lambda a, b: F.where(np.ones((2, 3), bool), a, b)),
    wrong("condition float", lambda: F.where(X, X, X), TypeError, "condition must be bool, got float32"),
    wrong("condition None", lambda: F.where(None, X, X), TypeError, "condition must be bool"),
    wrong(
        "condition of another shape", lambda: F.where(np.ones(4, bool), X, X), ValueError, "do not broadcast", "(4,)"
    ),
]
MATMUL = [
    wrong("inner sizes", lambda: F.matmul(X, X), ValueError, "inner sizes differ", "(2, 3) and (2, 3)"),
    wrong("0-d", lambda: F.matmul(X, SCALAR), ValueError, "at least 1 dimension", "(2, 3) and ()"),
    wrong("dtypes", lambda: F.matmul(X, tensor(3, dtype=np.float64)), RuntimeError, "one dtype", "float32 and float64"),
    wrong("batches", lambda: F.matmul(tensor(2, 2, 3), tensor(4, 3, 2)), ValueError, "(2,) and (4,) do not broadcast"),
    wrong("None", lambda: F.matmul(X, None), TypeError, "cannot be made from NoneType"),
]
RESHAPE = [
    wrong("sizes", lambda: F.reshape(X, 5), ValueError, "6 elements of shape (2, 3) do not fit shape (5,)"),
    wrong("two unknown sizes", lambda: F.reshape(X, -1, -1), ValueError, "do not fit shape (-1, -1)"),
    wrong("an unknown size that is no integer", lambda: F.reshape(X, -1, 4), ValueError, "do not fit shape (-1, 4)"),
    wrong("negative sizes", lambda: F.reshape(X, -2, -3), ValueError, "do not fit shape (-2, -3)"),
    wrong("an unknown size of nothing", lambda: F.reshape(X[:0], -1, 0), ValueError, "do not fit shape (-1, 0)"),
    *not_integers("shape", lambda bad: F.reshape(X, bad)),
    wrong("a float in a list", lambda: F.reshape(X, (2.0, 3)), TypeError, "shape must be an integer, got 2.0"),
]
FLATTEN = [
    *dims("start_dim", lambda bad: F.flatten(X, bad)),
    *dims("end_dim", lambda bad: F.flatten(X, 0, bad)),
    wrong("start after end", lambda: F.flatten(X, 1, 0), ValueError, "start_dim 1 comes after end_dim 0"),
    wrong("dim of a 0-d tensor", lambda: F.flatten(SCALAR, 1), IndexError, "dim 1", "out of range for 0 dimensions"),
]
PERMUTE = [
    *dims("dim", lambda bad: F.permute(X, 0, bad)),
    wrong("an axis twice", lambda: F.permute(X, 0, 0), ValueError, "dims (0, 0) must name each of the 2 axes once"),
    wrong("too few", lambda: F.permute(X, 0), ValueError, "dims (0,) must name each of the 2 axes once"),
]
TRANSPOSE = [
    *dims("dim0", lambda bad: F.transpose(X, bad, 0)),
    *dims("dim1", lambda bad: F.transpose(X, 0, bad)),
]
CLIP = [
    *of_one(lambda x: F.clip(x, 0, 1)),
    wrong("no bounds", lambda: F.clip(X), ValueError, "at least one of min and max must be given"),
    wrong("min a str", lambda: F.clip(X, "0"), TypeError, "min", "cannot be made from str"),
    wrong("max an array", lambda: F.clip(X, 0, np.ones(3)), ValueError, "max must be a number, got shape (3,)"),
]
LISTS = {"reshape": lambda x: F.reshape(x, 6), "flatten": F.flatten, "permute": lambda x: F.permute(x, 1, 0)}
LISTS |= {"transpose": lambda x: F.transpose(x, 0, 1), "pad": lambda x: F.pad(x, (1, 1))}
NO_TENSOR = {
    f"functional.{name}": [
        wrong("an array", lambda call=call: call(ARRAY), TypeError, "x must be a Tensor, got ndarray"),
        wrong("None", lambda call=call: call(None), TypeError, "x must be a Tensor, got NoneType"),
    ]
    for name, call in LISTS.items()
}

TABLES = {
    **{f"functional.{f.__name__}": of_one(f) for f in (F.exp, F.log, F.sqrt, F.tanh, F.sigmoid)},
    **{f"functional.{f.__name__}": of_two(f) for f in (F.add, F.maximum, F.minimum)},
    "functional.where": WHERE,
    "functional.matmul": MATMUL,
    "functional.clip": CLIP,
    "functional.cat": CONCATENATE,
    "functional.concatenate": CONCATENATE,
    "functional.stack": STACK,
    "functional.relu": of_floats(F.relu),
    "functional.elu": [*of_floats(F.elu), *not_reals("alpha", lambda bad: F.elu(X, bad))],
    "functional.softmax": softmaxes(F.softmax),
    "functional.log_softmax": softmaxes(F.log_softmax),
    "functional.dropout": [
        *of_floats(F.dropout),
        wrong("an array in evaluation", lambda: F.dropout(ARRAY, training=False), TypeError, "must be a Tensor"),
        wrong("p above one", lambda: F.dropout(X, 1.5), ValueError, "p must be between 0 and 1, got 1.5"),
        wrong("p negative", lambda: F.dropout(X, -0.5), ValueError, "p must be between 0 and 1, got -0.5"),
        *not_reals("p", lambda bad: F.dropout(X, bad), nan="between 0 and 1"),
        wrong("generator a seed", lambda: F.dropout(X, generator=3), TypeError, "generator must be", "got int"),
        wrong("generator zero", lambda: F.dropout(X, generator=0), TypeError, "generator must be", "got int"),
    ],
    "functional.scaled_add": [
        *of_floats(lambda x: F.scaled_add(x, X, 0.5)),
        wrong("y broadcasts", lambda: F.scaled_add(X, X[:1], 0.5), ValueError, "y must have shape (2, 3)", "(1, 3)"),
        wrong("y float64", lambda: F.scaled_add(X, X.double(), 0.5), TypeError, "one dtype", "y is float64"),
        wrong("y an array", lambda: F.scaled_add(X, ARRAY, 0.5), TypeError, "input 1 must be a Tensor, got ndarray"),
        *not_reals("scale", lambda bad: F.scaled_add(X, X, bad)),
        wrong("scale a tensor", lambda: F.scaled_add(X, X, Tensor(0.5)), TypeError, "scale must be a real number"),
    ],
    "functional.reshape": [*RESHAPE, *NO_TENSOR["functional.reshape"]],
    "functional.flatten": [*FLATTEN, *NO_TENSOR["functional.flatten"]],
    "functional.permute": [*PERMUTE, *NO_TENSOR["functional.permute"]],
    "functional.transpose": [*TRANSPOSE, *NO_TENSOR["functional.transpose"]],
    "functional.pad": [
        *NO_TENSOR["functional.pad"],
        wrong("an odd number", lambda: F.pad(X, (1,)), ValueError, "padding must be non-negative pairs", "(1,)"),
        wrong("too many", lambda: F.pad(X, (1,) * 6), ValueError, "at most one for each axis"),
        wrong("negative", lambda: F.pad(X, (-1, 1)), ValueError, "padding must be non-negative pairs", "(-1, 1)"),
        wrong("padding a number", lambda: F.pad(X, 1), TypeError, "padding must be a tuple of integers, got 1"),
        wrong("padding None", lambda: F.pad(X, None), TypeError, "padding must be a tuple of integers, got None"),
        wrong("a float", lambda: F.pad(X, (1, 0.5)), TypeError, "padding must be an integer, got 0.5"),
        wrong("value a str", lambda: F.pad(X, (1, 1), "a"), TypeError, "value must be a real number, got 'a'"),
        wrong("value None", lambda: F.pad(X, (1, 1), None), TypeError, "value must be a real number, got None"),
    ],
    "minception.cat": CONCATENATE,
    "minception.concatenate": CONCATENATE,
    "minception.stack": STACK,
    "minception.where": WHERE,
}
