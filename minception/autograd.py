"""Reverse-mode differentiation: remember what was done, then walk it backwards.

Every differentiable operation is a `Function`: one object per call, which is also the node of the graph. A node
points to the nodes that made its inputs (never to the tensors, so that an array lives only as long as somebody
needs it) and keeps exactly the arrays its backward pass will read.

Reference: Baydin et al., "Automatic differentiation in machine learning: a survey" (2018), section 3.2.
"""

import sys
import weakref
from contextlib import ContextDecorator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from . import kernels, tensor
from .device import require_one_device
from .kernels.arrays import FLOAT_DTYPES, array_module
from .kernels.dispatch import watched
from .kernels.transfer import device_of, on_device, on_device_of, to_device

_modes = ContextVar("modes", default=(True,))  # innermost last; every thread starts with the default


def is_grad_enabled():
    """Whether operations are recorded at this point of the program (per thread, on by default)."""
    return _modes.get()[-1]


class _GradMode(ContextDecorator):
    """Context manager and decorator that sets whether operations are recorded."""

    recording: bool

    def __enter__(self):
        _modes.set((*_modes.get(), self.recording))
        return self

    def __exit__(self, *exception):
        _modes.set(_modes.get()[:-1])


class no_grad(_GradMode):  # noqa: N801 - torch's name
    """Inside `with no_grad():` nothing is recorded: results have `requires_grad=False`."""

    recording = False


class enable_grad(_GradMode):  # noqa: N801 - torch's name
    """Inside `with enable_grad():` operations are recorded, even within `no_grad`."""

    recording = True


class Edge(NamedTuple):
    """From a node to the origin of one of its inputs: a node, or a leaf tensor; None if it needs no gradient."""

    origin: object
    shape: tuple
    dtype: np.dtype


class Function:
    """A differentiable operation.

    A subclass writes two methods, on arrays:

    - `forward(self, *arrays, **options)` returns the output array and calls `self.save(name=array, ...)` for
      each array that backward will read (`None` is passed where an optional input is absent);
    - `backward(self, grad_output)` returns one gradient array per input of `apply`, in order (a bare array if
      there is only one). It may return None where `self.needs_input_grad[i]` is False.

    `Subclass.apply(*tensors, **options)` runs it and records the call. Overflow and invalid values give infinity
    and NaN without a warning, as in PyTorch. Only floating outputs are differentiable.

        class Square(Function):
            def forward(self, x):
                self.save(x=x)
                return x * x

            def backward(self, grad_output):
                return 2 * self.saved.x * grad_output
    """

    # Whether backward takes the sum of the gradients that have reached its first input so far, adds its own to it in
    # place, and returns it.
    adds_to_sum = False

    def __init__(self):
        self.saved = SimpleNamespace()
        self._sum_so_far = None
        self._hooks = {}
        self.needs_input_grad = ()
        self.edges = ()
        self._watched = []
        self._retained = None

    def forward(self, *arrays, **options):
        """The output array; every subclass writes its own."""
        raise NotImplementedError(f"{self.name}: a Function needs a forward method of its own")

    def backward(self, grad_output):
        """The gradients of the inputs; every subclass writes its own."""
        raise NotImplementedError(f"{self.name}: a Function needs a backward method of its own")

    def take_sum(self):
        """For backward, if `adds_to_sum`: the array to which the first input's gradient is to be added, or None."""
        so_far, self._sum_so_far = self._sum_so_far, None
        return so_far

    @property
    def name(self):
        return type(self).__name__

    def save(self, **arrays):
        """Keep arrays for backward as `self.saved.NAME`."""
        vars(self.saved).update(arrays)

    @classmethod
    def apply(cls, *inputs, **options):
        """Run forward on tensors (or None) and return the result as a tensor, recorded if any input needs it."""
        node = cls()
        for position, t in enumerate(inputs):
            if not (t is None or isinstance(t, tensor.Tensor)):
                raise TypeError(f"{node.name}: input {position} must be a Tensor, got {type(t).__name__}")
        recording = is_grad_enabled()
        node.needs_input_grad = tuple(recording and t is not None and t.requires_grad for t in inputs)
        arrays = [None if t is None else t._array for t in inputs]
        with np.errstate(all="ignore"), _on_their_device(node.name, arrays, options):
            array = watched(node, node.forward, *arrays, **options)
        counter = next((t._counter for t in inputs if t is not None and _share_memory(array, t._array)), None)
        output = tensor.Tensor._wrap(array, counter)
        if any(node.needs_input_grad) and output.is_floating_point():
            node._record(inputs, output)
        return output

    def _record(self, inputs, output):
        self.edges = tuple(
            Edge(t if t.grad_fn is None else t.grad_fn, t.shape, t.dtype) if needed else None
            for t, needed in zip(inputs, self.needs_input_grad, strict=True)
        )
        saved = [array for array in vars(self.saved).values() if hasattr(array, "base")]
        for position, t in enumerate((*inputs, output)):
            if t is not None and any(_share_memory(array, t._array) for array in saved):
                which = "its output" if t is output else f"its input {position}"
                self._watched.append((t._counter, t._version, which))
        output.grad_fn = self
        output.requires_grad = True

    def run_backward(self, grad_output):
        """Gradients of the inputs, checked; called once per node by `backward`."""
        if self.saved is None:
            raise RuntimeError(
                f"backward: the graph through {self.name} was already walked and its saved arrays are freed; "
                "call backward(retain_graph=True) the first time to walk it again"
            )
        for counter, version, which in self._watched:
            if counter.value != version:
                raise RuntimeError(
                    f"backward: {self.name} needs {which} as it was in the forward pass, but it was modified in "
                    f"place since (version {version}, now {counter.value})"
                )
        grads = watched(self, self.backward, grad_output)
        grads = tuple(grads) if isinstance(grads, (tuple, list)) else (grads,)
        if len(grads) != len(self.edges):
            raise RuntimeError(
                f"{self.name}.backward: expected {len(self.edges)} gradients, one for each input, got {len(grads)}"
            )
        for position, (edge, grad) in enumerate(zip(self.edges, grads, strict=True)):
            shape = getattr(grad, "shape", None)
            if edge is not None and shape != edge.shape:
                got = f"{type(grad).__name__} without a shape" if shape is None else f"shape {shape}"
                raise RuntimeError(
                    f"{self.name}.backward: the gradient of input {position} must have shape {edge.shape}, got {got}"
                )
        return grads

    def release(self):
        """Free the saved arrays and the way to earlier nodes."""
        self.saved = None
        self.edges = ()
        self._watched = []

    def retain_grad_of(self, output):
        """Store the gradient that arrives here as `output.grad` too."""
        self._retained = weakref.ref(output)

    def retained_output(self):
        return None if self._retained is None else self._retained()


def _on_their_device(name, arrays, options):
    """Context in which an operation computes where its arrays lie, those among its options too; all on one device."""
    involved = [*arrays, *(option for option in options.values() if getattr(option, "ndim", 0))]
    if all(array is None or type(array) is np.ndarray for array in involved):
        return on_device("cpu")
    return on_device(require_one_device(name, *involved))


def _share_memory(a, b):
    """Whether two arrays may overlap in memory; arrays that own their memory do so only if they are one."""
    if a is b or (a.base is None and b.base is None):
        return a is b
    module = array_module(a)
    return module is array_module(b) and module.may_share_memory(a, b)


def count_consumers(*roots):
    """How many edges lead to each node and leaf that the roots depend on. Iterative, each node visited once."""
    consumers = dict.fromkeys(roots, 0)
    stack = list(consumers)
    while stack:
        node = stack.pop()
        for edge in getattr(node, "edges", ()):
            if edge is None:
                continue
            if edge.origin not in consumers:
                consumers[edge.origin] = 0
                stack.append(edge.origin)
            consumers[edge.origin] += 1
    return consumers


def _run_hooks(hooks, grad):
    for hook in list(hooks.values()):
        replacement = hook(tensor.Tensor._wrap(_for_reading(grad)))
        if replacement is not None:
            replacement = to_device(tensor.as_tensor(replacement)._array, device_of(grad))
            if replacement.shape != grad.shape:
                raise RuntimeError(
                    f"gradient hook: the replacement must have shape {grad.shape}, got {replacement.shape}"
                )
            grad = replacement.astype(grad.dtype, copy=False)
    return grad


def _for_reading(grad):
    """The gradient as hooks get it: other branches of the graph may hold the same array, so it is read-only, or, where
    no array is, a copy."""
    return tensor.Tensor._wrap(grad).numpy() if isinstance(grad, np.ndarray) else grad.copy()


def _sum(a, b):
    """Sum of two gradients, in new memory: either may belong to other branches of the graph as well."""
    return kernels.add(a, b) if a.dtype in FLOAT_DTYPES else a + b


def _count_references(grads, origin):
    """(references to a gradient, references to the memory that it is a view of)."""
    owner = grads[origin].base
    return sys.getrefcount(grads[origin]), sys.getrefcount(owner)


_ALONE = _count_references({0: np.empty(1)[:]}, 0)


def _is_ours_alone(grads, origin):
    """Whether nobody else holds the gradient in `grads`, or its memory, so that it may be changed in place."""
    grad = grads[origin]
    if not isinstance(grad.base, np.ndarray) or not kernels.workspace.owns_memory(grad.base):
        return False
    if not grad.flags.writeable:
        return False
    del grad
    return _count_references(grads, origin) == _ALONE


def backward(root, gradient, retain_graph=False):
    """Add the gradients of `root`, weighted by the array `gradient`, to `.grad` of every leaf it depends on.

    A node runs when the gradients of all its consumers have arrived, so it runs once however many paths lead to
    it. Its saved arrays are freed right after, unless `retain_graph`. Nothing is recorded meanwhile.
    """
    with no_grad(), np.errstate(all="ignore"):
        _walk(root, gradient, retain_graph)


def _walk(root, gradient, retain_graph):
    start = root if root.grad_fn is None else root.grad_fn
    waiting = count_consumers(start)
    grads = {start: gradient}
    ready = [start]
    while ready:
        node = ready.pop()
        with on_device_of(grads[node]):
            _visit(node, grads, waiting, ready, retain_graph)


def _visit(node, grads, waiting, ready, retain_graph):
    """Run one node, or reach a leaf, and hand on the gradients."""
    grad = _run_hooks(node._hooks, grads.pop(node))
    if not isinstance(node, Function):
        node._accumulate_grad(grad)
        return
    retained = node.retained_output()
    if retained is not None:
        retained._accumulate_grad(grad)
    edge = node.edges[0] if node.adds_to_sum and node.edges else None
    if edge is not None and edge.origin in grads and _is_ours_alone(grads, edge.origin):
        node._sum_so_far = grads.pop(edge.origin)
    edges, input_grads = node.edges, node.run_backward(grad)
    if not retain_graph:
        node.release()
    del grad
    for edge, input_grad in zip(edges, input_grads, strict=True):
        if edge is None:
            continue
        origin = edge.origin
        with on_device_of(input_grad):
            input_grad = input_grad.astype(edge.dtype, copy=False)
            grads[origin] = watched(origin, _sum, grads[origin], input_grad) if origin in grads else input_grad
        waiting[origin] -= 1
        if waiting[origin] == 0:
            ready.append(origin)
