"""Registration by assignment and by name, and listing, beside a torch module built the same way."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn


def parameter(*shape):
    return nn.Parameter(np.ones(shape, np.float32))


class Branches(nn.Module):
    """Parameters, buffers, children, absent members and a shared parameter, at three levels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, bias=False)
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.register_buffer("steps", mc.Tensor(np.zeros(1, np.float32)))
        self.register_buffer("cache", mc.Tensor(np.zeros(2, np.float32)), persistent=False)
        self.register_buffer("absent_buffer", None)
        self.register_parameter("absent", None)
        self.register_module("nothing", None)
        self.body = nn.Sequential(nn.BatchNorm2d(4), nn.Sequential(nn.Linear(4, 5), nn.ReLU()))
        self.head = nn.Linear(4, 5)
        self.head.weight = self.body[1][0].weight
        self.again = self.body
        self.text = "an ordinary attribute"


class TorchBranches(torch.nn.Module):
    """`Branches` in torch."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 4, 3, bias=False)
        self.scale = torch.nn.Parameter(torch.ones(2))
        self.register_buffer("steps", torch.zeros(1))
        self.register_buffer("cache", torch.zeros(2), persistent=False)
        self.register_buffer("absent_buffer", None)
        self.register_parameter("absent", None)
        self.register_module("nothing", None)
        self.body = torch.nn.Sequential(
            torch.nn.BatchNorm2d(4), torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU())
        )
        self.head = torch.nn.Linear(4, 5)
        self.head.weight = self.body[1][0].weight
        self.again = self.body
        self.text = "an ordinary attribute"


OURS, TORCHS = Branches(), TorchBranches()


def names(pairs):
    return [name for name, _ in pairs]


@pytest.mark.parametrize("listing", ["named_modules", "named_parameters", "named_buffers"])
@pytest.mark.parametrize("options", [{}, {"prefix": "net"}, {"remove_duplicate": False}], ids=str)
def test_listings_have_torchs_names_in_torchs_order(listing, options):
    assert names(getattr(OURS, listing)(**options)) == names(getattr(TORCHS, listing)(**options))


@pytest.mark.parametrize("listing", ["named_parameters", "named_buffers"])
def test_listings_without_recursion(listing):
    assert names(getattr(OURS, listing)(recurse=False)) == names(getattr(TORCHS, listing)(recurse=False))


def test_children_and_unnamed_listings_match_torch():
    assert names(OURS.named_children()) == names(TORCHS.named_children())
    assert [type(m).__name__ for m in OURS.children()] == [type(m).__name__ for m in TORCHS.children()]
    assert len(list(OURS.modules())) == len(list(TORCHS.modules()))
    assert [p.shape for p in OURS.parameters()] == [tuple(p.shape) for p in TORCHS.parameters()]
    assert [b.shape for b in OURS.buffers()] == [tuple(b.shape) for b in TORCHS.buffers()]
    assert len(list(OURS.parameters(recurse=False))) == len(list(TORCHS.parameters(recurse=False)))


def test_state_dict_has_torchs_keys_in_torchs_order_with_shared_parameters_under_each_name():
    state = OURS.state_dict()
    assert list(state) == list(TORCHS.state_dict())
    assert "head.weight" in state and "body.1.0.weight" in state and "again.1.0.weight" in state
    assert "cache" not in state


def test_a_shared_parameter_is_listed_once_and_is_one_object():
    assert OURS.head.weight is OURS.body[1][0].weight
    assert sum(p is OURS.head.weight for p in OURS.parameters()) == 1


def test_repr_is_torchs():
    assert repr(OURS).replace("Branches", "TorchBranches") == repr(TORCHS)


def test_assignment_registers_and_reads_back():
    module = nn.Module()
    module.weight, module.child, module.number = parameter(2), nn.ReLU(), 3
    assert names(module.named_parameters()) == ["weight"]
    assert names(module.named_children()) == ["child"]
    assert module.number == 3
    plain = mc.Tensor(np.zeros(2))
    module.plain = plain  # a tensor that was not registered is an ordinary attribute
    assert module.plain is plain and not list(module.buffers())


def test_a_name_moves_between_registries_as_in_torch():
    module = nn.Module()
    module.x = 3
    module.x = parameter(2)
    assert names(module.named_parameters()) == ["x"]
    del module.x
    module.x = nn.ReLU()
    assert names(module.named_children()) == ["x"] and not list(module.parameters())
    module.x = parameter(3)
    assert names(module.named_parameters()) == ["x"] and not list(module.children())
    del module.x
    module.register_buffer("x", mc.Tensor(np.zeros(1)), persistent=False)
    module.x = nn.ReLU()
    assert names(module.named_children()) == ["x"] and not list(module.buffers())
    module.x = None
    assert module.x is None and not list(module.children())
    module.x = nn.ELU()  # None keeps the place
    assert names(module.named_children()) == ["x"]


def test_replacing_keeps_the_place():
    module = nn.Module()
    module.a, module.b = parameter(1), parameter(2)
    module.a = parameter(3)
    assert [(n, p.shape) for n, p in module.named_parameters()] == [("a", (3,)), ("b", (2,))]


def test_none_keeps_a_parameters_place_and_kind():
    module = nn.Module()
    module.a, module.b = parameter(1), parameter(2)
    module.a = None
    assert module.a is None and names(module.named_parameters()) == ["b"] and list(module.state_dict()) == ["b"]
    with pytest.raises(TypeError, match="cannot assign 'ReLU' as parameter 'a'"):
        module.a = nn.ReLU()
    module.a = parameter(3)
    assert names(module.named_parameters()) == ["a", "b"]


def test_buffers_are_replaced_by_assignment_and_keep_their_persistence():
    module = nn.Module()
    module.register_buffer("kept", mc.Tensor(np.zeros(1)))
    module.register_buffer("dropped", mc.Tensor(np.zeros(1)), persistent=False)
    module.kept, module.dropped = mc.Tensor(np.ones(2)), mc.Tensor(np.ones(2))
    assert list(module.state_dict()) == ["kept"]
    assert names(module.named_buffers()) == ["kept", "dropped"]
    module.register_buffer("dropped", module.dropped, persistent=True)
    assert list(module.state_dict()) == ["kept", "dropped"]


def test_deletion():
    module = nn.Module()
    module.w, module.child, module.number = parameter(1), nn.ReLU(), 1
    module.register_buffer("b", mc.Tensor(np.zeros(1)), persistent=False)
    for name in ("w", "child", "b", "number"):
        delattr(module, name)
        assert not hasattr(module, name)
        with pytest.raises(AttributeError, match=name):
            delattr(module, name)
    module.register_buffer("b", mc.Tensor(np.zeros(1)))  # persistence is forgotten with the name
    assert list(module.state_dict()) == ["b"]


def test_dir_lists_members_but_no_numbers():
    assert {"stem", "scale", "steps", "forward"} <= set(dir(OURS))
    assert "0" not in dir(OURS.body)


def registered():
    module = nn.Module()
    module.weight, module.child = parameter(2), nn.ReLU()
    module.register_buffer("buffer", mc.Tensor(np.zeros(2)))
    return module


TENSOR = mc.Tensor(np.zeros(2))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.register_parameter("a.b", None), KeyError, "parameter name can't contain"),
        (lambda m: m.register_parameter("", None), KeyError, "parameter name can't be empty"),
        (lambda m: m.register_parameter(3, None), TypeError, "parameter name should be a string. Got int"),
        (lambda m: m.register_parameter("training", None), KeyError, "attribute 'training' already exists"),
        (lambda m: m.register_parameter("child", parameter(1)), KeyError, "attribute 'child' already exists"),
        (lambda m: m.register_parameter("x", TENSOR), TypeError, "'Tensor' object to parameter 'x'"),
        (lambda m: m.register_buffer("a.b", TENSOR), KeyError, "buffer name can't contain"),
        (lambda m: m.register_buffer("", TENSOR), KeyError, "buffer name can't be empty"),
        (lambda m: m.register_buffer("weight", TENSOR), KeyError, "attribute 'weight' already exists"),
        (lambda m: m.register_buffer("x", np.zeros(2)), TypeError, "'ndarray' object to buffer 'x'"),
        (lambda m: m.add_module("a.b", nn.ReLU()), KeyError, "module name can't contain .*, got: a.b"),
        (lambda m: m.add_module("", nn.ReLU()), KeyError, "module name can't be empty"),
        (lambda m: m.add_module("forward", nn.ReLU()), KeyError, "attribute 'forward' already exists"),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.add_module("x", nn.ReLU), TypeError, "is not a Module subclass"),
        (lambda m: setattr(m, "weight", TENSOR), TypeError, "cannot assign 'Tensor' as parameter 'weight'"),
        (lambda m: setattr(m, "weight", nn.ReLU()), TypeError, "cannot assign 'ReLU' as parameter 'weight'"),
        (lambda m: setattr(m, "child", 3), TypeError, "cannot assign 'int' as child module 'child'"),
        (lambda m: setattr(m, "buffer", 3.0), TypeError, "cannot assign 'float' as buffer 'buffer'"),
        (lambda m: m.wieght, AttributeError, "'Module' object has no attribute 'wieght'"),
    ],
)
def test_wrong_registrations_fail_and_change_nothing(call, error, words):
    module = registered()
    before = repr(module), list(module.named_parameters()), list(module.named_buffers())
    with pytest.raises(error) as caught:
        call(module)
    assert caught.match(words.replace("can't", r"can\\?'t"))
    assert (repr(module), list(module.named_parameters()), list(module.named_buffers())) == before


class Forgetful(nn.Module):
    """Does not call super().__init__()."""

    def __init__(self, value):
        self.member = value


@pytest.mark.parametrize(("value", "kind"), [(nn.ReLU(), "module"), (parameter(1), "parameters")])
def test_forgetting_super_init_fails_at_the_assignment(value, kind):
    with pytest.raises(AttributeError, match=rf"cannot assign {kind} before Module.__init__\(\) call"):
        Forgetful(value)


@pytest.mark.parametrize(
    "use",
    [
        lambda m: m(3),
        lambda m: list(m.parameters()),
        lambda m: m.train(),
        lambda m: repr(m),
        lambda m: m.register_buffer("x", None),
        lambda m: m.register_forward_hook(print),
    ],
)
def test_forgetting_super_init_is_told_at_any_later_use(use):
    module = Forgetful(3)
    assert module.member == 3
    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)|before Module.__init__\(\) call"):
        use(module)
