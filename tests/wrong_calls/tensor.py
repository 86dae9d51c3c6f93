"""Wrong calls of Tensor: creation, indexing, in-place changes, backward, and its methods."""

import copy
import pickle

import numpy as np

import minception as mc
from minception import Tensor

from . import functional_elementwise as elementwise
from .samples import tensor
from .table import not_reals, wrong

X, LONG, FOUR, SCALAR = tensor(2, 3), tensor(2, 3, dtype=np.int64), tensor(4), tensor()
EMPTY = tensor(0, 3)
OUT_OF_RANGE = "out of range for 2 dimensions"


def leaf(*shape):
    return tensor(*shape, requires_grad=True)


def result(*shape):
    return leaf(*shape) * 2


def walked():
    y = leaf(2).exp().sum()
    y.backward()
    return y


def modified():
    x = leaf(2)
    y = x * x
    with mc.no_grad():
        x.fill_(0)
    return y


def makes(call):
    """What cannot become a tensor; `call(data, dtype)`."""
    return [
        wrong("None", lambda: call(None, None), TypeError, "cannot be made from NoneType"),
        wrong("a str", lambda: call("1", None), TypeError, "cannot be made from str"),
        wrong("complex", lambda: call(1j, None), TypeError, "cannot be made from complex"),
        wrong("uint16", lambda: call(np.ones(2, np.uint16), None), TypeError, "cannot have dtype uint16", "float32"),
        wrong("uneven lists", lambda: call([[1.0], [1.0, 2.0]], None), ValueError, "nested lists", "same lengths"),
        wrong("dtype unknown", lambda: call([1.0], "float"[::-1]), TypeError, "cannot have dtype taolf", "float32"),
        wrong(
            "dtype complex", lambda: call([1.0], np.complex64), TypeError, "cannot have dtype", "complex64", "float32"
        ),
    ]


def dtypes(call):
    return [
        wrong("dtype unknown", lambda: call("taolf"), TypeError, "cannot have dtype taolf", "float32"),
        wrong("dtype complex", lambda: call("complex64"), TypeError, "cannot have dtype complex64"),
        wrong("None", lambda: call(None), TypeError, "cannot have dtype None"),
        wrong("device unknown", lambda: call("cuda:x"), RuntimeError, "unknown device 'cuda:x'", "cpu"),
        wrong("device cuda", lambda: call("cuda:99"), RuntimeError, "device 'cuda:99' is not available"),
    ]


def dims(call):
    """Wrong axes of a reduction of (2, 3)."""
    return [
        wrong("dim 2", lambda: call(2), IndexError, "dim 2", OUT_OF_RANGE),
        wrong("dim -3", lambda: call(-3), IndexError, "dim -3", OUT_OF_RANGE),
        wrong("dim 0.5", lambda: call(0.5), TypeError, "dim must be an integer, got 0.5"),
        wrong("dim a str", lambda: call("0"), TypeError, "dim must be an integer, got '0'"),
    ]


def reductions(call):
    return [*dims(call), wrong("an axis twice", lambda: call((0, -2)), ValueError, "an axis appears twice", "(0, -2)")]


def extremes(call, name):
    """`call(tensor, dim)` of a maximum or minimum."""
    return [
        *dims(lambda dim: call(X, dim)),
        wrong("no elements", lambda: call(EMPTY, 0), ValueError, f"there is no {name} of no elements", "(0, 3)"),
        wrong("no elements at all", lambda: call(EMPTY, None), ValueError, f"there is no {name} of no elements"),
    ]


def one_axis(call, name):
    return [
        *extremes(call, name),
        wrong("two axes", lambda: call(X, (0, 1)), TypeError, "dim must be an integer or None", "(0, 1)"),
    ]


def in_place(call):
    """What an in-place change refuses; `call(tensor, other)`."""
    return [
        wrong("of a recorded tensor", lambda: call(leaf(2, 3), 1.0), RuntimeError, "in-place changes are not recorded"),
        wrong("with a recorded tensor", lambda: call(tensor(2, 3), leaf(2, 3)), RuntimeError, "are not recorded"),
        wrong("None", lambda: call(tensor(2, 3), None), TypeError, "cannot be made from NoneType"),
        wrong("another shape", lambda: call(tensor(2, 3), FOUR), ValueError, "(2, 3)", "broadcast"),
        wrong("a larger shape", lambda: call(tensor(3), tensor(2, 3)), ValueError, "(3,)", "broadcast"),
    ]


def arithmetic_in_place(call):
    return [
        *in_place(call),
        wrong(
            "float into int64", lambda: call(tensor(2, dtype=np.int64), 0.5), RuntimeError, "cannot be stored", "int64"
        ),
    ]


def assign(x, index, value):
    x[index] = value


def add(x, y):
    x += y


def subtract(x, y):
    x -= y


def multiply(x, y):
    x *= y


def divide(x, y):
    x /= y


def set_data(x, value):
    x.data = value


INDEX = [
    wrong("out of bounds", lambda: X[2], IndexError, "shape (2, 3)", "index 2 is out of bounds"),
    wrong("too many", lambda: X[0, 0, 0], IndexError, "shape (2, 3)", "too many indices"),
    wrong("a float", lambda: X[0.5], IndexError, "shape (2, 3)", "integers"),
    wrong("a float tensor", lambda: X[Tensor([0.5])], IndexError, "shape (2, 3)", "integer"),
    wrong("a str", lambda: X["a"], IndexError, "shape (2, 3)", "integers"),
    wrong("a mask of another shape", lambda: X[np.ones(3, bool)], IndexError, "shape (2, 3)", "boolean index"),
]

TABLES = {
    "minception.Tensor": [
        *makes(Tensor),
        wrong("dtype of a str", lambda: Tensor([1.0], "U1"), TypeError, "cannot have dtype", "float32"),
        wrong(
            "int64 with gradient",
            lambda: Tensor([1], requires_grad=True),
            RuntimeError,
            "only floating tensors",
            "int64",
        ),
    ],
    "minception.as_tensor": [
        *makes(mc.as_tensor),
        wrong("a tensor as complex", lambda: mc.as_tensor(X, "complex64"), TypeError, "cannot have dtype complex64"),
    ],
    "minception.from_numpy": [
        wrong("a list", lambda: mc.from_numpy([1.0]), TypeError, "expected a NumPy array, got list"),
        wrong("a tensor", lambda: mc.from_numpy(X), TypeError, "expected a NumPy array, got Tensor"),
        wrong("None", lambda: mc.from_numpy(None), TypeError, "expected a NumPy array, got NoneType"),
        wrong("complex", lambda: mc.from_numpy(np.ones(2) * 1j), TypeError, "cannot have dtype complex128", "float32"),
    ],
    "Tensor.__getitem__": INDEX,
    "Tensor.__setitem__": [
        wrong("out of bounds", lambda: assign(tensor(2, 3), 2, 0), IndexError, "shape (2, 3)", "index 2 is out of"),
        wrong("a str", lambda: assign(tensor(2, 3), "a", 0), IndexError, "shape (2, 3)", "integers"),
        wrong("a wrong shape", lambda: assign(tensor(2, 3), 0, FOUR), ValueError, "shape (2, 3)", "(4,)"),
        wrong("None", lambda: assign(tensor(2, 3), 0, None), TypeError, "cannot be made from NoneType"),
        wrong(
            "of a recorded tensor", lambda: assign(leaf(2), 0, 1.0), RuntimeError, "in-place changes are not recorded"
        ),
    ],
    "Tensor.__len__": [wrong("0-d", lambda: len(SCALAR), TypeError, "0-d tensor")],
    "Tensor.__iter__": [wrong("0-d", lambda: iter(SCALAR), TypeError, "0-d tensor")],
    "Tensor.__bool__": [
        wrong("two elements", lambda: bool(tensor(2)), ValueError, "2 elements", "ambiguous", "np.any"),
        wrong("no elements", lambda: bool(EMPTY), ValueError, "0 elements", "ambiguous"),
    ],
    "Tensor.__index__": [
        wrong("floating", lambda: range(3)[SCALAR], TypeError, "only integer tensors", "float32"),
        wrong("two elements", lambda: range(3)[tensor(2, dtype=np.int64)], ValueError, "one element", "(2,)"),
    ],
    "Tensor.__float__": [wrong("two elements", lambda: float(tensor(2)), ValueError, "one element", "(2,)")],
    "Tensor.__int__": [wrong("two elements", lambda: int(tensor(2)), ValueError, "one element", "(2,)")],
    "Tensor.__array__": [
        wrong("no copy", lambda: np.asarray(X, "f8", copy=False), ValueError, "without a copy", "float32", "float64")
    ],
    "Tensor.__deepcopy__": [wrong("no leaf", lambda: copy.deepcopy(result(2)), RuntimeError, "only leaf", "detach()")],
    "Tensor.__reduce__": [wrong("pickle", lambda: pickle.dumps(X), TypeError, "not pickled", "minception.checkpoint")],
    "Tensor.__lt__": [
        wrong("shapes", lambda: X < FOUR, ValueError, "(2, 3) and (4,) do not broadcast"),
        wrong("complex", lambda: X < 1j, TypeError, "cannot be made from complex"),
    ],
    "Tensor.__add__": elementwise.of_two(lambda a, b: a + b),
    "Tensor.__sub__": elementwise.of_two(lambda a, b: a - b),
    "Tensor.__mul__": elementwise.of_two(lambda a, b: a * b),
    "Tensor.__truediv__": elementwise.of_two(lambda a, b: a / b),
    "Tensor.__pow__": elementwise.of_two(lambda a, b: a**b),
    "Tensor.__matmul__": [
        wrong("inner sizes", lambda: X @ X, ValueError, "inner sizes differ", "(2, 3) and (2, 3)"),
        wrong("a number", lambda: X @ 2.0, ValueError, "at least 1 dimension"),
    ],
    "Tensor.__iadd__": arithmetic_in_place(add),
    "Tensor.__isub__": arithmetic_in_place(subtract),
    "Tensor.__imul__": arithmetic_in_place(multiply),
    "Tensor.__itruediv__": arithmetic_in_place(divide),
    "Tensor.add_": arithmetic_in_place(lambda x, y: x.add_(y)),
    "Tensor.mul_": arithmetic_in_place(lambda x, y: x.mul_(y)),
    "Tensor.copy_": in_place(lambda x, y: x.copy_(y)),
    "Tensor.fill_": in_place(lambda x, y: x.fill_(y)),
    "Tensor.zero_": [wrong("of a recorded tensor", lambda: leaf(2).zero_(), RuntimeError, "are not recorded")],
    "Tensor.data": [
        wrong("another shape", lambda: set_data(tensor(2, 3), np.ones(4)), ValueError, "(2, 3)", "broadcast"),
        wrong("None", lambda: set_data(tensor(2), None), TypeError, "cannot be made from NoneType"),
    ],
    "Tensor.size": dims(lambda dim: X.size(dim)),
    "Tensor.item": [
        wrong("two elements", lambda: tensor(2).item(), ValueError, "one element", "(2,)"),
        wrong("no elements", lambda: EMPTY.item(), ValueError, "one element", "(0, 3)"),
    ],
    "Tensor.cuda": [
        wrong("no such GPU", lambda: X.cuda(99), RuntimeError, "device 'cuda:99' is not available"),
        wrong("index a str", lambda: X.cuda("0"), TypeError, "index must be an integer, got '0'"),
    ],
    "Tensor.to": dtypes(lambda target: X.to(target)),
    "Tensor.astype": dtypes(lambda target: X.astype(target)),
    "Tensor.requires_grad_": [
        wrong("integers", lambda: LONG.requires_grad_(), RuntimeError, "only floating tensors have gradients", "int64"),
        wrong("no leaf", lambda: result(2).requires_grad_(False), RuntimeError, "not a leaf", "detach()"),
    ],
    "Tensor.backward": [
        wrong("nothing recorded", lambda: X.backward(), RuntimeError, "does not require a gradient"),
        wrong(
            "no gradient for two", lambda: result(2).backward(), RuntimeError, "gradient can be left out only", "(2,)"
        ),
        wrong(
            "gradient of another shape", lambda: result(2).backward(np.ones(3)), RuntimeError, "shape (2,), got (3,)"
        ),
        wrong("gradient that broadcasts", lambda: result(2).backward(np.ones(1)), RuntimeError, "shape (2,), got (1,)"),
        wrong("gradient a str", lambda: result(2).backward("1"), TypeError, "gradient", "cannot be made from str"),
        wrong("twice", lambda: walked().backward(), RuntimeError, "already walked", "retain_graph=True"),
        wrong(
            "modified in place",
            lambda: modified().sum().backward(),
            RuntimeError,
            "Multiply needs its input 0",
            "modified in place",
        ),
    ],
    "Tensor.register_hook": [
        wrong("nothing recorded", lambda: X.register_hook(print), RuntimeError, "does not require a gradient"),
        wrong("not callable", lambda: leaf(2).register_hook(3), TypeError, "hook must be callable, got 3"),
    ],
    "Tensor.retain_grad": [
        wrong("nothing recorded", lambda: X.retain_grad(), RuntimeError, "does not require a gradient")
    ],
    "Tensor.sum": reductions(lambda dim: X.sum(dim)),
    "Tensor.mean": [
        *reductions(lambda dim: X.mean(dim)),
        wrong("integers", lambda: LONG.mean(), RuntimeError, "the tensor must be floating, got int64"),
    ],
    "Tensor.var": [
        *reductions(lambda dim: X.var(dim)),
        *not_reals("correction", lambda bad: X.var(0, correction=bad)),
        wrong("integers", lambda: LONG.var(), RuntimeError, "the tensor must be floating, got int64"),
    ],
    "Tensor.amax": [*extremes(lambda x, dim: x.amax(dim), "amax"), *reductions(lambda dim: X.amax(dim))[-1:]],
    "Tensor.amin": [*extremes(lambda x, dim: x.amin(dim), "amin"), *reductions(lambda dim: X.amin(dim))[-1:]],
    "Tensor.max": one_axis(lambda x, dim: x.max(dim), "max"),
    "Tensor.min": one_axis(lambda x, dim: x.min(dim), "min"),
    "Tensor.argmax": one_axis(lambda x, dim: x.argmax(dim), "argmax"),
    "Tensor.reshape": elementwise.RESHAPE,
    "Tensor.view": [wrong("sizes", lambda: X.view(5), ValueError, "6 elements", "do not fit shape (5,)")],
    "Tensor.flatten": elementwise.FLATTEN,
    "Tensor.permute": elementwise.PERMUTE,
    "Tensor.transpose": elementwise.TRANSPOSE,
    "Tensor.matmul": elementwise.MATMUL,
    "Tensor.clip": elementwise.CLIP,
    "Tensor.clamp": elementwise.CLIP,
    "Tensor.pow": elementwise.with_one(lambda b: X.pow(b)),
    "Tensor.squeeze": dims(lambda dim: X.squeeze(dim)),
    "Tensor.unsqueeze": [
        wrong("dim 3", lambda: X.unsqueeze(3), IndexError, "dim 3", "out of range for 3 dimensions"),
        wrong("dim -4", lambda: X.unsqueeze(-4), IndexError, "dim -4", "out of range for 3 dimensions"),
        wrong("dim None", lambda: X.unsqueeze(None), TypeError, "dim must be an integer, got None"),
        wrong("dim 0.5", lambda: X.unsqueeze(0.5), TypeError, "dim must be an integer, got 0.5"),
    ],
    "Tensor.expand": [
        wrong("too few sizes", lambda: X.expand(3), ValueError, "shape (2, 3) does not expand to (3,)"),
        wrong("another size", lambda: X.expand(4, 3), ValueError, "shape (2, 3) does not expand to (4, 3)"),
        wrong("a new size unknown", lambda: X.expand(-1, 2, 3), ValueError, "does not expand to (-1, 2, 3)"),
        wrong("a float", lambda: X.expand(2.0, 3), TypeError, "shape must be an integer, got 2.0"),
        wrong("None", lambda: X.expand(None), TypeError, "shape must be an integer, got None"),
    ],
    "Tensor.relu": [wrong("integers", lambda: LONG.relu(), TypeError, "must be float32 or float64, got int64")],
}
