"""Sequential, ModuleList and ModuleDict beside torch's: the same operations leave the same module."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn


def linears(package, *widths):
    return [package.Linear(w, w) for w in widths]


def both(build):
    """Build with ours and with torch's; assert that repr and state dict keys agree; return ours."""
    ours, twin = build(nn), build(torch.nn)
    assert repr(ours) == repr(twin)
    if isinstance(ours, nn.Module):
        assert list(ours.state_dict()) == list(twin.state_dict())
    return ours


def changed(make, change):
    """A builder: make a container, then change it in place."""

    def build(package):
        container = make(package)
        result = change(container, package)
        return container if result is None else result

    return build


MAKERS = {
    "Sequential": lambda package: package.Sequential(*linears(package, 1, 2, 3, 4)),
    "ModuleList": lambda package: package.ModuleList(linears(package, 1, 2, 3, 4)),
}
CHANGES = {
    "append": lambda c, p: c.append(p.ReLU()),
    "extend": lambda c, p: c.extend([p.ReLU(), p.Linear(2, 1)]),
    "insert first": lambda c, p: c.insert(0, p.ReLU()) and None,
    "insert middle": lambda c, p: c.insert(2, p.ReLU()) and None,
    "insert last": lambda c, p: c.insert(4, p.ReLU()) and None,
    "set": lambda c, p: c.__setitem__(1, p.ReLU()),
    "set from the end": lambda c, p: c.__setitem__(-1, p.ReLU()),
    "delete": lambda c, p: c.__delitem__(1),
    "delete from the end": lambda c, p: c.__delitem__(-1),
    "delete slice": lambda c, p: c.__delitem__(slice(1, 3)),
    "delete every other": lambda c, p: c.__delitem__(slice(None, None, 2)),
    "pop": lambda c, p: c.pop(2) and None,
    "item": lambda c, p: c[1],
    "last item": lambda c, p: c[-1],
    "slice": lambda c, p: c[1:3],
    "slice with step": lambda c, p: c[::2],
    "slice backwards": lambda c, p: c[::-1],
    "empty slice": lambda c, p: c[2:2],
    "add": lambda c, p: c + type(c)(*([p.ReLU(), p.ELU()] if isinstance(c, p.Sequential) else [[p.ReLU()]])),
    "popped": lambda c, p: c.pop(0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", MAKERS)
def test_list_operations_leave_what_torchs_leave(kind, change):
    both(changed(MAKERS[kind], CHANGES[change]))


@pytest.mark.parametrize("kind", MAKERS)
def test_in_place_add(kind):
    container = MAKERS[kind](nn)
    same = container
    same += MAKERS[kind](nn)
    assert same is container and len(container) == 8
    assert list(container._modules) == [str(i) for i in range(8)]


@pytest.mark.parametrize("kind", MAKERS)
def test_adding_a_container_to_itself_ends(kind):
    container = MAKERS[kind](nn)
    container.extend(container)
    assert len(container) == 8 and container[5] is container[1]


@pytest.mark.parametrize("kind", MAKERS)
def test_adding_makes_a_new_container_of_the_same_modules(kind):
    first, second = MAKERS[kind](nn), MAKERS[kind](nn)
    joined = first + second
    assert len(first) == len(second) == 4
    assert [id(m) for m in joined] == [id(m) for m in [*first, *second]]


@pytest.mark.parametrize("kind", MAKERS)
def test_iteration_length_and_identity(kind):
    layers = linears(nn, 1, 2, 3)
    container = nn.Sequential(*layers) if kind == "Sequential" else nn.ModuleList(iter(layers))
    assert len(container) == 3
    assert all(a is b for a, b in zip(container, layers, strict=True))
    assert all(container[i] is layers[i] and container[i - 3] is layers[i] for i in range(3))
    assert container[np.int64(1)] is layers[1]
    assert all(a is b for a, b in zip(container[1:], layers[1:], strict=True))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: c[4], IndexError, "index 4 is out of range"),
        (lambda c: c[-5], IndexError, "index -5 is out of range"),
        (lambda c: c["0"], TypeError, "index must be an integer, got '0'"),
        (lambda c: c.__setitem__(4, nn.ReLU()), IndexError, "index 4 is out of range"),
        (lambda c: c.__setitem__(0, 3), TypeError, "cannot assign 'int' as child module '0'"),
        (lambda c: c.__delitem__(4), IndexError, "index 4 is out of range"),
        (lambda c: c.append(3), TypeError, "int is not a Module subclass"),
        (lambda c: c.insert(0, 3), TypeError, "int is not a Module subclass"),
        (lambda c: c.insert(5, nn.ReLU()), IndexError, "Index out of range: 5"),
        (lambda c: c.extend(3), TypeError, "should be called with an iterable, but got int"),
        (lambda c: c.pop(7), IndexError, "index 7 is out of range"),
    ],
)
def test_wrong_uses_fail_and_change_nothing(kind, call, error, words):
    container = MAKERS[kind](nn)
    before = repr(container)
    with pytest.raises(error, match=words):
        call(container)
    assert repr(container) == before


def test_sequential_names_its_children():
    both(lambda package: package.Sequential(OrderedDict(a=package.Linear(1, 2), b=package.ReLU())))
    both(lambda package: package.Sequential(OrderedDict(a=package.Linear(1, 2), b=package.ReLU()))[1:])
    assert list(nn.Sequential({"a": nn.ReLU(), "b": nn.ELU()})._modules) == ["a", "b"]
    assert nn.Sequential({"a": nn.ReLU(), "b": nn.ELU()}).b.alpha == 1.0


def test_sequential_chains(rng):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = mc.Tensor(rng.normal(size=(5, 3)))
    hidden = np.maximum(np.asarray(x) @ np.asarray(model[0].weight).T + np.asarray(model[0].bias), 0)
    expected = hidden @ np.asarray(model[2].weight).T + np.asarray(model[2].bias)
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-12, atol=1e-14)
    assert nn.Sequential()(x) is x


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(nn.ReLU(), 3)


@pytest.mark.parametrize("kind", ["ModuleList", "ModuleDict"])
def test_lists_and_dicts_have_no_forward(kind):
    with pytest.raises(NotImplementedError, match="missing the required"):
        getattr(nn, kind)()(3)


def test_equal_neighbours_in_a_list_are_counted():
    def build(package):
        block = [package.Sequential(package.Linear(1, 1), package.ReLU()) for _ in range(3)]
        return package.ModuleList([package.ReLU(), *block, package.ReLU(), package.ReLU(), package.ELU()])

    both(build)
    both(lambda package: package.Sequential(build(package), package.ModuleList(), package.Sequential()))
    both(lambda package: package.ModuleList([package.ReLU()]))


DICT_CHANGES = {
    "nothing": lambda d, p: None,
    "set": lambda d, p: d.__setitem__("c", p.ReLU()),
    "replace": lambda d, p: d.__setitem__("a", p.ReLU()),
    "delete": lambda d, p: d.__delitem__("a"),
    "pop": lambda d, p: d.pop("b") and None,
    "clear": lambda d, p: d.clear(),
    "update": lambda d, p: d.update({"b": p.ReLU(), "d": p.ELU()}),
    "update with pairs": lambda d, p: d.update([("b", p.ReLU()), ("d", p.ELU())]),
    "update with a dict of modules": lambda d, p: d.update(p.ModuleDict({"z": p.ELU()})),
}


@pytest.mark.parametrize("change", DICT_CHANGES)
def test_dict_operations_leave_what_torchs_leave(change):
    def make(package):
        return package.ModuleDict({"a": package.Linear(1, 2), "b": package.ReLU()})

    both(changed(make, DICT_CHANGES[change]))


def test_dict_reads_like_a_dict():
    relu, elu = nn.ReLU(), nn.ELU()
    modules = nn.ModuleDict({"relu": relu, "elu": elu})
    assert list(modules) == list(modules.keys()) == ["relu", "elu"]
    assert len(modules) == 2 and "relu" in modules and "tanh" not in modules
    assert modules["elu"] is elu and modules.relu is relu
    assert list(modules.values()) == [relu, elu]
    assert list(modules.items()) == [("relu", relu), ("elu", elu)]
    assert modules.pop("elu") is elu and len(modules) == 1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda d: d["b"], KeyError, "b"),
        (lambda d: d.__delitem__("b"), KeyError, "b"),
        (lambda d: d.pop("b"), KeyError, "b"),
        (lambda d: d.__setitem__("a.b", nn.ReLU()), KeyError, "can't contain"),
        (lambda d: d.__setitem__("pop", nn.ReLU()), KeyError, "attribute 'pop' already exists"),
        (lambda d: d.__setitem__("b", 3), TypeError, "int is not a Module subclass"),
        (lambda d: d.update(3), TypeError, "iterable of key/value pairs, but got int"),
    ],
)
def test_wrong_uses_of_a_dict_fail(call, error, words):
    modules = nn.ModuleDict({"a": nn.ReLU()})
    with pytest.raises(error) as caught:
        call(modules)
    assert words.replace("'", "") in str(caught.value).replace("'", "").replace("\\", "")
    assert list(modules) == ["a"]
