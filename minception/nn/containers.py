"""Modules that hold modules: in a chain, in a list, in a dict."""

from collections.abc import Iterable, Mapping

from ..kernels.checks import integer
from .module import Module, _indent


class _IndexedModules(Module):
    """What `Sequential` and `ModuleList` share: children in order, reached by position."""

    def _name_at(self, index):
        index = integer(type(self).__name__, "index", index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {len(self)} modules")
        return list(self._modules)[index]

    def _renumber(self, modules):
        self._modules = {str(position): module for position, module in enumerate(modules)}

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._sliced(list(self._modules.items())[index])
        return self._modules[self._name_at(index)]

    def __setitem__(self, index, module):
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index):
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]
        self._renumber(module for name, module in self._modules.items() if name not in names)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __add__(self, other):
        return type(self)._of([*self, *other])

    def __iadd__(self, other):
        return self.extend(other)

    def append(self, module):
        """Add a module at the end. Returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add the modules of an iterable at the end. Returns the container."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before position `index`; the children are numbered anew. Returns the container."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}.insert: {type(module).__name__} is not a Module subclass")
        index = integer(f"{type(self).__name__}.insert", "index", index)
        if not -len(self) <= index <= len(self):
            raise IndexError(f"{type(self).__name__}.insert: Index out of range: {index}")
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index):
        """Remove and return the module at `index` (or those of a slice)."""
        module = self[index]
        del self[index]
        return module


class Sequential(_IndexedModules):
    """Modules in a chain: each is called with the output of the one before.

    `Sequential(a, b, c)` names its children "0", "1", "2"; `Sequential({"conv": a, "bn": b})` names them itself.
    Indices, slices, `append`, `extend`, `insert`, `pop` and `+` work as on a list.
    """

    def __init__(self, *modules):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        else:
            named = ((str(position), module) for position, module in enumerate(modules))
        for name, module in named:
            self.add_module(name, module)

    @classmethod
    def _of(cls, modules):
        return Sequential(*modules)

    def _sliced(self, items):
        return type(self)(dict(items))

    def forward(self, input):
        for module in self:
            input = module(input)
        return input


class ModuleList(_IndexedModules):
    """A list of modules, each registered under its position. It has no `forward`: index it or iterate over it."""

    def __init__(self, modules=()):
        super().__init__()
        self.extend(() if modules is None else modules)

    @classmethod
    def _of(cls, modules):
        return ModuleList(modules)

    def _sliced(self, items):
        return type(self)(module for _, module in items)

    def __repr__(self):
        """Like that of any module, but neighbours with the same text are counted instead of repeated."""
        blocks = []  # [first position, count, text]
        for position, text in enumerate(map(repr, self)):
            if blocks and blocks[-1][2] == text:
                blocks[-1][1] += 1
            else:
                blocks.append([position, 1, text])
        lines = [
            f"({first}): {_indent(text)}"
            if count == 1
            else f"({first}-{first + count - 1}): {count} x {_indent(text)}"
            for first, count, text in blocks
        ]
        if not lines:
            return f"{type(self).__name__}()"
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"


class ModuleDict(Module):
    """An ordered dict of modules, each registered under its key. It has no `forward`."""

    def __init__(self, modules=None):
        super().__init__()
        self.update({} if modules is None else modules)

    def _known(self, key):
        if key not in self._modules:
            raise KeyError(f"ModuleDict: no module {key!r}, there are {list(self._modules)}")
        return key

    def __getitem__(self, key):
        return self._modules[self._known(key)]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[self._known(key)]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def keys(self):
        return self._modules.keys()

    def values(self):
        return self._modules.values()

    def items(self):
        return self._modules.items()

    def clear(self):
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key):
        """Remove and return the module under `key`. Raises KeyError if there is none."""
        return self._modules.pop(self._known(key))

    def update(self, modules):
        """Add the entries of a mapping, of a `ModuleDict`, or of an iterable of pairs (key, module)."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, "
                f"but got {type(modules).__name__}"
            )
        try:
            modules = dict(modules)
        except (TypeError, ValueError):
            raise TypeError("ModuleDict.update should be called with an iterable of key/value pairs") from None
        for key, module in modules.items():
            self[key] = module
