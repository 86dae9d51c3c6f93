"""Operations that move elements: reshaping, axes, slices, padding, stacking, copies and changes of dtype."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import minception as mc
import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer, by_torch
from ..numbers import Numbers, numbers, seeds
from ..operation import Operation, by_absolute_cotangent

KINDS = ("normal", "ties", "nonfinite")
shapes = array_shapes(min_dims=0, max_dims=4, max_side=5) | st.sampled_from([(0,), (2, 0, 3)])


@st.composite
def plain_cases(draw):
    return Case({"x": draw(numbers(draw(shapes), *KINDS))}, seed=draw(seeds))


@st.composite
def reshape_cases(draw):
    shape = draw(array_shapes(min_dims=0, max_dims=4, max_side=5))
    sizes = draw(st.permutations(shape + (1,) * draw(st.integers(0, 2))))
    cut = draw(st.integers(0, len(sizes)))
    new = [math.prod(sizes[:cut]), *sizes[cut:]]
    if draw(st.booleans()):
        new[draw(st.integers(0, len(new) - 1))] = -1
    return Case({"x": draw(numbers(shape, *KINDS))}, {"shape": tuple(new)}, seed=draw(seeds))


@st.composite
def permute_cases(draw):
    shape = draw(shapes)
    dims = draw(st.permutations(range(len(shape))))
    dims = tuple(d - len(shape) if draw(st.booleans()) else d for d in dims)
    return Case({"x": draw(numbers(shape, *KINDS))}, {"dims": dims}, seed=draw(seeds))


@st.composite
def two_axes(draw, ordered=False):
    shape = draw(shapes.filter(len))
    a, b = draw(st.integers(0, len(shape) - 1)), draw(st.integers(0, len(shape) - 1))
    a, b = sorted((a, b)) if ordered else (a, b)
    a, b = (axis - len(shape) if draw(st.booleans()) else axis for axis in (a, b))
    return Case({"x": draw(numbers(shape, *KINDS))}, {"a": a, "b": b}, seed=draw(seeds))


@st.composite
def expand_cases(draw):
    target = draw(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    own = target[draw(st.integers(0, len(target))) :]
    own = tuple(1 if draw(st.booleans()) else size for size in own)
    leading = len(target) - len(own)
    asked = tuple(
        -1 if i >= leading and own[i - leading] == size and draw(st.booleans()) else size
        for i, size in enumerate(target)
    )
    return Case({"x": draw(numbers(own, *KINDS))}, {"shape": asked}, seed=draw(seeds))


@st.composite
def squeeze_cases(draw):
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=3))
    axis = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(axis, unique_by=lambda axis: axis % len(shape)).map(tuple)
    dim = draw(st.none() | axis | several)
    return Case({"x": draw(numbers(shape, *KINDS))}, {"dim": dim}, seed=draw(seeds))


@st.composite
def unsqueeze_cases(draw):
    shape = draw(shapes)
    dim = draw(st.integers(-len(shape) - 1, len(shape)))
    return Case({"x": draw(numbers(shape, *KINDS))}, {"dim": dim}, seed=draw(seeds))


@st.composite
def index_cases(draw):
    """Integers, slices, None, an Ellipsis, a list that may name an element twice, a mask."""
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=5))
    index, lists = [], 0
    for size in shape[: draw(st.integers(1, len(shape)))]:
        kind = draw(st.sampled_from(["integer", "slice", "slice", "list", "mask"]))
        if kind == "integer":
            index.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice" or lists:
            start, stop = draw(st.integers(-size, size)), draw(st.none() | st.integers(-size, size + 2))
            index.append(slice(start, stop, draw(st.sampled_from([None, 1, 2, 3]))))
        elif kind == "list":
            lists += 1
            index.append(np.array(draw(st.lists(st.integers(-size, size - 1), min_size=1, max_size=6))))
        else:
            lists += 1
            index.append(np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size))))
    if draw(st.booleans()):
        index.insert(draw(st.integers(0, len(index))), None)
    elif len(index) < len(shape):
        index.append(Ellipsis)
    return Case({"x": draw(numbers(shape, *KINDS))}, {"index": tuple(index)}, seed=draw(seeds))


def torch_index(x, index):
    return x[tuple(torch.tensor(i) if isinstance(i, np.ndarray) else i for i in index)]


@st.composite
def pad_cases(draw):
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=4))
    pairs = draw(st.integers(0, len(shape)))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(2 * pairs))
    value = draw(st.sampled_from([0.0, 1.5, -np.inf]))
    return Case({"x": draw(numbers(shape, *KINDS))}, {"padding": padding, "value": value}, seed=draw(seeds))


@st.composite
def stack_cases(draw):
    shape = draw(shapes)
    inputs = {f"part_{i}": draw(numbers(shape, *KINDS)) for i in range(draw(st.integers(1, 3)))}
    return Case(inputs, {"dim": draw(st.integers(-len(shape) - 1, len(shape)))}, seed=draw(seeds))


def moves(name, theirs, cases, faces, proves, layers=None, summed=False, examples=None):
    """A row whose output is equal to the last bit; with `summed`, gradients of repeated elements add up."""
    return Operation(
        name=name,
        torch=theirs,
        cases=cases,
        faces={face: by_autograd(function) for face, function in faces.items()} | (layers or {}),
        proves=proves,
        roundings=(lambda call, results: {"output": 0, "*": results["output"].size + 1}) if summed else 0,
        magnitudes=by_absolute_cotangent(by_torch(theirs)),
        examples=examples or {},
    )


ROWS = [
    moves(
        "reshape",
        lambda x, shape: x.reshape(shape),
        reshape_cases(),
        {
            "function": lambda x, shape: ours.reshape(x, shape),
            "method": lambda x, shape: x.reshape(*shape),
            "view": lambda x, shape: x.view(shape),
        },
        ("functional.reshape", "Tensor.reshape", "Tensor.view", "Reshape"),
    ),
    moves(
        "permute",
        lambda x, dims: x.permute(dims),
        permute_cases(),
        {"function": lambda x, dims: ours.permute(x, *dims), "method": lambda x, dims: x.permute(dims)},
        ("functional.permute", "Tensor.permute", "Permute"),
        examples={"axes in a circle": Case({"x": Numbers((2, 3, 4), seed=1)}, {"dims": (1, 2, 0)}, seed=2)},
    ),
    moves(
        "transpose",
        lambda x, a, b: x.transpose(a, b),
        two_axes(),
        {"function": lambda x, a, b: ours.transpose(x, a, b), "method": lambda x, a, b: x.transpose(a, b)},
        ("functional.transpose", "Tensor.transpose"),
    ),
    moves(
        "T",
        lambda x: x.permute(tuple(range(x.ndim))[::-1]),
        plain_cases(),
        {"property": lambda x: x.T},
        ("Tensor.T",),
    ),
    moves(
        "flatten",
        lambda x, a, b: torch.flatten(x, a, b),
        two_axes(ordered=True),
        {"function": lambda x, a, b: ours.flatten(x, a, b), "method": lambda x, a, b: x.flatten(a, b)},
        ("functional.flatten", "Tensor.flatten", "nn.Flatten"),
        layers={"layer": by_layer(lambda call: nn.Flatten(*call.options.values()))},
    ),
    moves(
        "expand",
        lambda x, shape: x.expand(shape),
        expand_cases(),
        {"method": lambda x, shape: x.expand(*shape)},
        ("Tensor.expand", "Expand"),
        summed=True,
    ),
    moves(
        "squeeze",
        lambda x, dim: x.squeeze() if dim is None else x.squeeze(dim),
        squeeze_cases(),
        {"method": lambda x, dim: x.squeeze(dim)},
        ("Tensor.squeeze",),
    ),
    moves(
        "unsqueeze",
        lambda x, dim: x.unsqueeze(dim),
        unsqueeze_cases(),
        {"method": lambda x, dim: x.unsqueeze(dim)},
        ("Tensor.unsqueeze",),
    ),
    moves(
        "index",
        torch_index,
        index_cases(),
        {"operator": lambda x, index: x[index]},
        ("Tensor.__getitem__", "Slice"),
        examples={
            "an element named three times": Case(
                {"x": Numbers((4, 3), seed=1)}, {"index": (np.array([1, -3, 0, 1]),)}, seed=2
            ),
            "an integer beside a list": Case(
                {"x": Numbers((2, 3, 4), seed=1)}, {"index": (0, slice(None), np.array([1, 3]))}, seed=2
            ),
            "a list, a slice, an integer": Case(
                {"x": Numbers((2, 3, 4), seed=1)}, {"index": (np.array([1, 0, 1]), slice(1, None), -1)}, seed=2
            ),
            "a list before an Ellipsis and an integer": Case(
                {"x": Numbers((2, 3, 4, 2), seed=1)}, {"index": (np.array([1, 0]), Ellipsis, 1)}, seed=2
            ),
            "a mask of two axes and an integer": Case(
                {"x": Numbers((2, 2, 4), seed=1)}, {"index": (np.array([[True, False], [True, True]]), 3)}, seed=2
            ),
            "two lists": Case(
                {"x": Numbers((2, 4, 3), seed=1)}, {"index": (np.array([0, 1, 1]), np.array([2, 0, 0]))}, seed=2
            ),
            "two lists around a slice": Case(
                {"x": Numbers((2, 4, 3), seed=1)},
                {"index": (np.array([0, 1, 1]), slice(None), np.array([2, 0, 0]))},
                seed=2,
            ),
            "a matrix of indices": Case(
                {"x": Numbers((2, 4, 3), seed=1)}, {"index": (np.array([[0, 1], [1, 1]]),)}, seed=2
            ),
            "an empty list": Case({"x": Numbers((2, 4), seed=1)}, {"index": (np.array([], np.int64),)}, seed=2),
            "an index of rank 0": Case({"x": Numbers((2, 4), seed=1)}, {"index": (np.array(1),)}, seed=2),
            "a mask of all axes": Case(
                {"x": Numbers((2, 4, 3), seed=1)}, {"index": (np.arange(24).reshape(2, 4, 3) % 3 == 0,)}, seed=2
            ),
            "a mask that takes nothing": Case(
                {"x": Numbers((2, 4, 3), seed=1)}, {"index": (np.zeros((2, 4), bool),)}, seed=2
            ),
            "a mask": Case({"x": Numbers((4,), seed=1)}, {"index": (np.array([True, False, True, True]),)}, seed=2),
        },
        summed=True,
    ),
    moves(
        "pad",
        lambda x, padding, value: F.pad(x, padding, value=value),
        pad_cases(),
        {"function": lambda x, padding, value: ours.pad(x, padding, value)},
        ("functional.pad", "Pad"),
    ),
    moves(
        "stack",
        lambda dim, **parts: torch.stack(list(parts.values()), dim),
        stack_cases(),
        {"function": lambda dim, **parts: ours.stack(list(parts.values()), dim)},
        ("functional.stack", "minception.stack"),
    ),
    moves(
        "clone",
        lambda x: x.clone(),
        plain_cases(),
        {"method": lambda x: x.clone()},
        ("Tensor.clone", "Clone", "nn.Identity"),
        layers={"layer": by_layer(lambda call: nn.Identity())},
    ),
    Operation(
        name="change of dtype",
        torch=lambda x: x.double() * 3,
        cases=plain_cases(),
        faces={
            "double": by_autograd(lambda x: (x.double() * 3).to(x.dtype)),
            "to": by_autograd(lambda x: (x.to("float64") * 3).to(x.dtype)),
            "astype": by_autograd(lambda x: (x.astype(np.float64) * 3).astype(x.dtype)),
        },
        proves=("Tensor.double", "Tensor.to", "Tensor.astype", "Cast"),
        roundings=2,
    ),
]

assert mc.stack is ours.stack and mc.concatenate is ours.concatenate
