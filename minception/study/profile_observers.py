"""Two observers of a training step (see `kernels.dispatch.observe`): one finds out what runs where, one takes times.

Both make one record for each kernel call, and one for each operation of autograd that computes without a kernel. A step
does the same every time, so that the n-th time of one observer belongs to the n-th record of the other.
"""

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ..autograd import Function
from .activation_memory import kept_arrays, memory_of
from .profile_costs import Cost, cost_of_kernel, cost_of_operation, kind_of_kernel
from .profile_device import synchronize

OUTSIDE = "(outside the network)"  # of the loss, and of the optimizer's kernels


@dataclass
class Owner:
    """Where an operation belongs: the path of the innermost module that ran it, and its kind, None until known."""

    layer: str
    kind: str | None = None


@dataclass(frozen=True)
class Record:
    """One kernel call, or operation without a kernel, which then goes by the name of its Function."""

    owner: Owner
    name: str
    direction: str
    cost: Cost


class Stopwatch:
    """Takes the time of every call: `names` and `seconds`, in order. A GPU is waited for after each of them."""

    def __init__(self, device="cpu"):
        self.names, self.seconds, self.device = [], [], device

    def __call__(self, subject, function, args, kwargs):
        before = len(self.seconds)
        started = time.perf_counter()
        result = function(*args, **kwargs)
        synchronize(self.device)
        seconds = time.perf_counter() - started
        if isinstance(subject, str) or len(self.seconds) == before:
            self.names.append(subject if isinstance(subject, str) else type(subject).__name__)
            self.seconds.append(seconds)
        return result


class Describer:
    """Finds the `Record` of every call, and the memory that is kept for backward.

    direction: "forward", "backward" or "update"; who runs the step sets it. Hooks tell which module runs; a node of the
    graph belongs to the module that made it, also when it runs backward.
    """

    def __init__(self, model):
        self.records, self.direction = [], "forward"
        self.modules, self.operations = [], []  # what is running, innermost last: paths, and owners
        self.owners = WeakKeyDictionary()  # node: owner, in the order in which they were made
        self.paths = {module: path for path, module in model.named_modules()}
        self.tensors = {p: Owner(name.rpartition(".")[0]) for name, p in model.named_parameters()}
        self.handles = [
            handle
            for module in model.modules()
            for handle in (module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave))
        ]

    def remove(self):
        """Take the hooks off again."""
        for handle in self.handles:
            handle.remove()

    def _enter(self, module, args):
        self.modules.append(self.paths[module])

    def _leave(self, module, args, output):
        self.modules.pop()

    _enter.keeps_nothing = _leave.keeps_nothing = True  # see `models.joining`

    def __call__(self, subject, function, args, kwargs):
        if isinstance(subject, str):
            return self._kernel(subject, function, args, kwargs)
        before = len(self.records)
        owner = self._owner_of(subject, function)
        self.operations.append(owner)
        result = function(*args, **kwargs)
        self.operations.pop()
        if len(self.records) == before:
            name = type(subject).__name__
            owner.kind = owner.kind or name.lower()
            self.records.append(Record(owner, name, self.direction, cost_of_operation(args, result)))
        return result

    def _kernel(self, name, function, args, kwargs):
        owner = self.operations[-1] if self.operations else Owner(self.modules[-1] if self.modules else OUTSIDE)
        if owner.kind is None:
            owner.kind = kind_of_kernel(name, args, kwargs)
        result = function(*args, **kwargs)
        self.records.append(Record(owner, name, self.direction, cost_of_kernel(name, args, kwargs, result)))
        return result

    def _owner_of(self, subject, function):
        if getattr(function, "__self__", None) is not subject:  # gradients of several consumers are added up
            known = self.owners.get(subject) if isinstance(subject, Function) else self.tensors.get(subject)
            return Owner(OUTSIDE if known is None else known.layer, "gradient sum")
        if subject in self.owners:
            return self.owners[subject]
        owner = Owner(self.modules[-1] if self.modules else OUTSIDE)
        if any(subject.needs_input_grad):
            self.owners[subject] = owner
        return owner

    def saved_bytes(self, known):
        """A list of (owner, bytes that its operation was the first to keep for backward), but for the tensors `known`.

        To be called between the forward and the backward pass. A view counts as the whole memory that it holds on to.
        """
        seen = {id(memory_of(tensor._array)) for tensor in known}
        found = []
        for node, owner in self.owners.items():
            memories = {id(memory): memory for memory in map(memory_of, kept_arrays(node)) if id(memory) not in seen}
            seen |= memories.keys()
            found.append((owner, sum(memory.nbytes for memory in memories.values())))
        return found
