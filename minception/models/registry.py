"""The list of networks: how each is built, what it costs, and the paper it is from."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .preprocessing import Preprocessing


@dataclass(frozen=True)
class Entry:
    """One network as `constructor()` builds it without arguments.

    parameters: number of learned values, auxiliary heads included. multiply_accumulates: of the convolution and linear
    layers for one image of `input_size` x `input_size` pixels in evaluation. small_images: options with which it is
    built for images of 32x32 pixels. Numbers that nobody counted are None.
    """

    name: str
    constructor: Callable
    paper: str
    input_size: int
    in_channels: int = 3
    num_classes: int = 1000
    parameters: int | None = None
    multiply_accumulates: int | None = None
    preprocessing: Preprocessing | None = None
    small_images: dict = field(default_factory=dict)


_ENTRIES = {}


def register(**facts):
    """Decorator: make the constructor of a network known under its own name.

    `facts` are the fields of `Entry` but name and constructor. The constructor takes at least `num_classes` and
    `in_channels`. Raises ValueError for a name that is taken, TypeError for what is no function with a name.

        @models.register(paper="-", input_size=32, num_classes=10)
        def my_network(num_classes=10, in_channels=3): ...
    """

    def add(constructor):
        name = getattr(constructor, "__name__", None)
        if not callable(constructor) or name is None:
            raise TypeError(f"register: expected a function that builds a network, got {constructor!r}")
        if name in _ENTRIES:
            raise ValueError(f"register: there is a model {name!r} already")
        _ENTRIES[name] = Entry(name, constructor, **facts)
        return constructor

    return add


def names():
    """The names of all networks, sorted."""
    return sorted(_ENTRIES)


def entry(name):
    """What is known about the network `name`, as an `Entry`. Raises ValueError for an unknown name."""
    return _entry("entry", name)


def create(name, **options):
    """Build the network `name` with its constructor's options. Raises ValueError for an unknown name."""
    return _entry("create", name).constructor(**options)


def _entry(caller, name):
    if name not in _ENTRIES:
        raise ValueError(f"{caller}: unknown model {name!r}; known models: {', '.join(names())}")
    return _ENTRIES[name]
