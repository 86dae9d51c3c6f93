"""Every wrong call of the tables raises the error that its table says, and every public name has a table."""

import inspect
import shutil
from collections import Counter

import pytest

import minception
from minception import Tensor, amp, cuda, data, functional, kernels, models, nn, optim, predict, study, weights
from minception.optim import lr_scheduler
from tests.table.homes import EMULATED, GPU_KERNELS, HOMES

from .nothing_to_refuse import NOTHING_TO_REFUSE
from .tables import KNOWN_AS, TABLES

ENTRIES = [(name, entry) for name, table in TABLES.items() for entry in table]
TITLES = [f"{name}: {entry.title}" for name, entry in ENTRIES]

NAMESPACES = {
    "kernels": kernels.reference,
    "cuda": cuda,
    "amp": amp,
    "functional": functional,
    "nn": nn,
    "nn.init": nn.init,
    "optim": optim,
    "optim.lr_scheduler": lr_scheduler,
    "data": data,
    "models": models,
    "weights": weights,
    "study": study,
    "predict": predict,
    "minception": minception,
}
CLASSES = {
    "Tensor": Tensor,
    "Module": nn.Module,
    "Optimizer": optim.Optimizer,
    "LRScheduler": lr_scheduler.LRScheduler,
    "GradScaler": amp.GradScaler,
    "CUDAGraph": cuda.CUDAGraph,
}


def check(name, entry):
    with pytest.raises(entry.error) as caught:
        entry.call()
    assert type(caught.value) is entry.error
    message = str(caught.value.args[0] if entry.error is KeyError else caught.value)  # a KeyError prints a repr
    missing = [word for word in entry.words if word not in message]
    assert not missing, f"{missing} not in {message!r}"
    # A layer's class and its function differ in case and underscores only: MaxPool2d, max_pool2d.
    names = (name.rpartition(".")[2], *KNOWN_AS.get(name, ()))
    assert any(plain(own) in plain(message) for own in names), f"{message!r} does not name {' or '.join(names)}"


def plain(text):
    return text.replace("_", "").lower()


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=TITLES)
def test_wrong_call(name, entry):
    if not name.startswith("kernels."):
        check(name, entry)
        return
    for home in (*HOMES, EMULATED) if name in GPU_KERNELS and shutil.which("g++") else HOMES:
        with kernels.use_kernels(home):
            check(name, entry)


def public_names():
    """Every public function, class and method, by the name under which the tables list it."""
    names = set()
    for prefix, namespace in NAMESPACES.items():
        exported = getattr(namespace, "__all__", None) or public_functions(namespace)
        names |= {f"{prefix}.{name}" for name in exported if not inspect.ismodule(getattr(namespace, name))}
    for prefix, cls in CLASSES.items():
        names |= {f"{prefix}.{name}" for name, member in inspect.getmembers(cls) if is_method(name, member)}
    return names


def public_functions(module):
    """What a module without `__all__` defines itself."""
    return [
        name
        for name, member in vars(module).items()
        if inspect.isfunction(member) and member.__module__ == module.__name__ and not name.startswith("_")
    ]


def is_method(name, member):
    return callable(member) and not name.startswith("_")


def exists(name):
    """Whether a name of the tables is one: also methods of other classes, and operators."""
    prefix, _, last = name.rpartition(".")
    owner = NAMESPACES.get(prefix) or CLASSES.get(prefix)
    if owner is None and prefix:
        head, _, cls = prefix.rpartition(".")
        owner = getattr(NAMESPACES.get(head, minception), cls, None)
    return hasattr(owner, last)


@pytest.mark.parametrize("name", sorted(public_names()))
def test_every_public_name_has_a_table_or_a_reason(name):
    assert bool(TABLES.get(name)) != (name in NOTHING_TO_REFUSE), f"{name} needs wrong calls, or else a reason"


def test_tables_name_only_what_exists():
    assert [name for name in {*TABLES, *NOTHING_TO_REFUSE} if not exists(name)] == []
    assert KNOWN_AS.keys() <= TABLES.keys()


def test_titles_differ():
    assert [title for title, count in Counter(TITLES).items() if count > 1] == []
