"""Wrong calls of modules: registration, state, conversion, and the containers."""

import numpy as np

from minception import nn

from .samples import tensor
from .table import wrong

NO_MODULE = "is not a Module subclass"


def linear():
    return nn.Linear(2, 3)


def fused():
    return nn.Sequential(nn.Conv2d(3, 2, 1)).fuse()


def state(**changes):
    """A right state of `linear()`, changed; None takes an entry away."""
    values = {"weight": np.ones((3, 2)), "bias": np.ones(3)} | changes
    return {name: value for name, value in values.items() if value is not None}


def names(register, kind, value):
    """Wrong names of a parameter, buffer or child; `register(module, name, value)`."""
    return [
        wrong(
            "name with a dot", lambda: register(linear(), "a.b", value), KeyError, f"{kind} name can't contain", "a.b"
        ),
        wrong("name empty", lambda: register(linear(), "", value), KeyError, f"{kind} name can't be empty"),
        wrong("name no str", lambda: register(linear(), 3, value), TypeError, f"{kind} name should be a string", "int"),
        wrong("name taken", lambda: register(linear(), "forward", value), KeyError, "'forward' already exists"),
    ]


def children(register):
    return [
        *names(register, "module", nn.ReLU()),
        wrong("a number", lambda: register(linear(), "child", 3), TypeError, f"int {NO_MODULE}"),
        wrong("a class", lambda: register(linear(), "child", nn.ReLU), TypeError, NO_MODULE),
    ]


def indexed(cls, make):
    """What `Sequential` and `ModuleList` refuse; `make(*modules)`."""

    def two():
        return make(nn.ReLU(), nn.ReLU())

    name = cls.__name__
    out_of_range = (name, "index 2 is out of range for 2 modules")
    return [
        wrong("a number", lambda: make(3), TypeError, f"int {NO_MODULE}"),
        wrong("a class", lambda: make(nn.ReLU), TypeError, NO_MODULE),
        wrong("index too large", lambda: two()[2], IndexError, *out_of_range),
        wrong("index too small", lambda: two()[-3], IndexError, name, "index -3 is out of range"),
        wrong("index a str", lambda: two()["0"], TypeError, name, "index must be an integer, got '0'"),
        wrong("index a float", lambda: two()[0.0], TypeError, name, "index must be an integer, got 0.0"),
        wrong("assignment beyond the end", lambda: two().__setitem__(2, nn.ReLU()), IndexError, *out_of_range),
        wrong("assignment of a number", lambda: two().__setitem__(0, 3), TypeError, "int", "child module '0'"),
        wrong("deletion beyond the end", lambda: two().__delitem__(2), IndexError, *out_of_range),
        wrong("pop beyond the end", lambda: two().pop(2), IndexError, *out_of_range),
        wrong("append a number", lambda: two().append(3), TypeError, f"int {NO_MODULE}"),
        wrong("extend by a number", lambda: two().extend(3), TypeError, f"{name}.extend", "iterable", "int"),
        wrong("insert a number", lambda: two().insert(0, 3), TypeError, f"{name}.insert", f"int {NO_MODULE}"),
        wrong("insert beyond the end", lambda: two().insert(4, nn.ReLU()), IndexError, f"{name}.insert", "range: 4"),
        wrong("insert at a str", lambda: two().insert("0", nn.ReLU()), TypeError, f"{name}.insert", "index", "'0'"),
    ]


class Forgetful(nn.Module):
    """Does not call `super().__init__()`."""

    def __init__(self):
        self.child = nn.ReLU()


TABLES = {
    "nn.Module": [
        wrong("no super().__init__()", Forgetful, AttributeError, "cannot assign module before Module.__init__() call"),
        wrong(
            "no such attribute", lambda: linear().wieght, AttributeError, "'Linear' object has no attribute 'wieght'"
        ),
        wrong(
            "parameter replaced by a number",
            lambda: setattr(linear(), "weight", 3),
            TypeError,
            "cannot assign 'int' as parameter 'weight'",
        ),
    ],
    "Module.forward": [
        wrong("of the base class", lambda: nn.Module()(tensor(2)), NotImplementedError, "[Module]", '"forward"'),
        wrong("of a list", lambda: nn.ModuleList([])(tensor(2)), NotImplementedError, "[ModuleList]", '"forward"'),
    ],
    "Module.register_parameter": [
        *names(nn.Module.register_parameter, "parameter", nn.Parameter([1.0])),
        wrong(
            "a plain tensor",
            lambda: linear().register_parameter("scale", tensor(2)),
            TypeError,
            "cannot assign 'Tensor' object to parameter 'scale'",
        ),
    ],
    "Module.register_buffer": [
        *names(nn.Module.register_buffer, "buffer", tensor(2)),
        wrong(
            "an array",
            lambda: linear().register_buffer("mean", np.ones(2)),
            TypeError,
            "cannot assign 'ndarray' object to buffer 'mean'",
        ),
    ],
    "Module.register_module": children(nn.Module.register_module),
    "Module.add_module": children(nn.Module.add_module),
    "Module.register_forward_hook": [
        wrong("not callable", lambda: linear().register_forward_hook(3), TypeError, "hook must be callable, got 3")
    ],
    "Module.register_forward_pre_hook": [
        wrong("not callable", lambda: linear().register_forward_pre_hook(3), TypeError, "hook must be callable, got 3")
    ],
    "Module.load_state_dict": [
        wrong("None", lambda: linear().load_state_dict(None), TypeError, "to be dict-like", "NoneType"),
        wrong("a list", lambda: linear().load_state_dict([("weight", 1)]), TypeError, "to be dict-like", "list"),
        wrong("missing key", lambda: linear().load_state_dict(state(bias=None)), RuntimeError, "Missing key", '"bias"'),
        wrong(
            "key too many", lambda: linear().load_state_dict(state(scale=1)), RuntimeError, "Unexpected key", '"scale"'
        ),
        wrong(
            "value of another shape",
            lambda: linear().load_state_dict(state(weight=np.ones((2, 3)))),
            RuntimeError,
            "Error(s) in loading state_dict for Linear",
            "size mismatch for weight",
            "(2, 3)",
            "(3, 2)",
        ),
        wrong("value a str", lambda: linear().load_state_dict(state(bias="abc")), RuntimeError, "bias", "real numbers"),
        wrong("value None", lambda: linear().load_state_dict({"weight": None}), RuntimeError, "weight", '"bias"'),
        wrong(
            "value complex", lambda: linear().load_state_dict(state(bias=np.ones(3) * 1j)), RuntimeError, "complex128"
        ),
        wrong(
            "value of another shape, not strict",
            lambda: linear().load_state_dict({"bias": np.ones(4)}, strict=False),
            RuntimeError,
            "size mismatch for bias",
        ),
    ],
    "Module.train": [
        wrong("mode a number", lambda: linear().train(1), ValueError, "training mode is expected to be boolean", "1"),
        wrong("mode None", lambda: linear().train(None), ValueError, "training mode is expected to be boolean", "None"),
    ],
    "Module.fuse": [
        wrong("example an array", lambda: linear().fuse(np.zeros((1, 2))), TypeError, "example must be a Tensor"),
        wrong("no image fits", lambda: nn.Sequential(linear()).fuse(), ValueError, "give fuse an example", "(32, 64"),
        wrong("trained afterwards", lambda: fused().train(), RuntimeError, "fused model only evaluates"),
    ],
    "Module.apply": [
        wrong("not callable", lambda: linear().apply(3), TypeError, "function must be callable, got 3"),
    ],
    "Module.to": [
        wrong("dtype unknown", lambda: linear().to("taolf"), TypeError, "cannot have dtype taolf", "float32"),
        wrong("integers", lambda: linear().to(np.int64), TypeError, "floating dtype", "int64"),
        wrong("None", lambda: linear().to(None), TypeError, "cannot have dtype None"),
        wrong("device cuda", lambda: linear().to("cuda:99"), RuntimeError, "device 'cuda:99' is not available"),
    ],
    "Module.cuda": [
        wrong("no such GPU", lambda: linear().cuda(99), RuntimeError, "device 'cuda:99' is not available"),
        wrong("index a str", lambda: linear().cuda("0"), TypeError, "index must be an integer, got '0'"),
    ],
    "nn.Sequential": indexed(nn.Sequential, nn.Sequential),
    "nn.ModuleList": [
        *indexed(nn.ModuleList, lambda *modules: nn.ModuleList(modules)),
        wrong("of a module", lambda: nn.ModuleList(nn.ReLU()), TypeError, "iterable", "ReLU"),
    ],
    "nn.ModuleDict": [
        wrong("a list of numbers", lambda: nn.ModuleDict([1, 2]), TypeError, "key/value pairs"),
        wrong("a number", lambda: nn.ModuleDict(3), TypeError, "key/value pairs", "int"),
        wrong("value a number", lambda: nn.ModuleDict({"a": 3}), TypeError, f"int {NO_MODULE}"),
        wrong("key a number", lambda: nn.ModuleDict({3: nn.ReLU()}), TypeError, "name should be a string", "int"),
        wrong("no such key", lambda: nn.ModuleDict()["a"], KeyError, "no module 'a'"),
        wrong("deletion of no such key", lambda: nn.ModuleDict().__delitem__("a"), KeyError, "no module 'a'"),
        wrong("pop of no such key", lambda: nn.ModuleDict().pop("a"), KeyError, "no module 'a'"),
    ],
}
