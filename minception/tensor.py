"""The tensor: an array that remembers which operation made it.

A `Tensor` is little more than an array, a gradient and a pointer into the graph (see `autograd`); the operations
live in `minception.ops`, and the methods here only name them. Names and semantics are PyTorch's; where they
differ, the docstring says so.
"""

import numpy as np

from . import autograd
from .device import parse_device, require_one_device
from .kernels.arrays import array_module
from .kernels.transfer import device_of, on_device_of, to_device, to_numpy
from .promotion import as_array, category, check_dtype


class _Counter:
    """Counts in-place modifications of one piece of memory; shared by all tensors that view it."""

    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


class HookHandle:
    """Returned by hook registrations; `remove()` takes the hook away."""

    def __init__(self, hooks, hook):
        self._hooks, self._key = hooks, object()  # a key that outlives this handle, unlike its id
        hooks[self._key] = hook

    def remove(self):
        self._hooks.pop(self._key, None)


class Tensor:
    """An n-dimensional array on which operations can be differentiated.

    `Tensor(data, dtype=None, requires_grad=False, device=None)` copies `data` (an array, a tensor, a number or nested
    lists). Python floats become float32 and Python integers int64; arrays keep their dtype. Dtypes: float16, float32,
    float64, the integers and bool; only floating tensors can require gradients. The tensor lies on `device` ("cpu",
    "cuda" or "cuda:N"), by default where `data` does.

    `np.asarray(tensor)` is a read-only view, so that no value needed by a backward pass changes unnoticed; to
    write, use `tensor[...] = value` or another in-place method where nothing is being recorded. A tensor on a GPU has
    no such view: `np.asarray(tensor.cpu())` is a copy.
    """

    __array_priority__ = 1000  # array + tensor calls Tensor.__radd__

    def __init__(self, data, dtype=None, requires_grad=False, device=None):
        self._array = _copied("Tensor", data, dtype, device)
        self._init_state()
        self.requires_grad_(requires_grad)

    @classmethod
    def _wrap(cls, array, counter=None):
        """A tensor around `array` itself, without a copy."""
        self = Tensor.__new__(Tensor)
        self._array = array if hasattr(array, "strides") and not np.isscalar(array) else np.asarray(array)
        self._init_state(counter)
        return self

    def _init_state(self, counter=None):
        self._requires_grad = False
        self.grad = None
        self.grad_fn = None
        self._counter = counter or _Counter()
        self._hooks = {}

    # What it is

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    device = property(lambda self: device_of(self._array))
    is_leaf = property(lambda self: self.grad_fn is None)
    requires_grad = property(lambda self: self._requires_grad, lambda self, value: self.requires_grad_(value))
    _version = property(lambda self: self._counter.value)

    def size(self, dim=None):
        """The shape, or its entry `dim`."""
        return self.shape if dim is None else self.shape[ops.axis_index("size", dim, self.ndim)]

    def dim(self):
        """Number of dimensions."""
        return self.ndim

    def numel(self):
        """Number of elements."""
        return self._array.size

    def is_floating_point(self):
        return np.issubdtype(self.dtype, np.floating)

    def numpy(self):
        """A read-only view of the values as a NumPy array; copy it to write. Raises TypeError for one on a GPU."""
        if self.device != "cpu":
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                "memory first."
            )
        view = self._array.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype=None, copy=None):
        if copy or (dtype is not None and np.dtype(dtype) != self.dtype):
            if copy is False:
                raise ValueError(f"Tensor: a {self.dtype} tensor cannot become {dtype} without a copy")
            return np.array(self.numpy(), dtype=dtype)
        return self.numpy()

    def item(self):
        """The value of a one-element tensor as a Python number."""
        if self.numel() != 1:
            raise ValueError(f"item: only a tensor with one element is a number, this one has shape {self.shape}")
        return self._array.item()

    def tolist(self):
        return self._array.tolist()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self.is_floating_point():
            raise TypeError(f"only integer tensors can be used as an index, this one is {self.dtype}")
        return int(self.item())

    def __bool__(self):
        if self.numel() != 1:
            raise ValueError(
                f"the truth of a tensor with {self.numel()} elements is ambiguous: use np.any or np.all on it"
            )
        return bool(self.item())

    def __len__(self):
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        prefix = "tensor("
        text = np.array2string(to_numpy(self._array), separator=", ", prefix=prefix, precision=4)
        notes = "" if self.device == "cpu" else f", device='{self.device}'"
        notes += "" if self.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.dtype}"
        if self.grad_fn is not None:
            notes += f", grad_fn=<{self.grad_fn.name}>"
        elif self.requires_grad:
            notes += ", requires_grad=True"
        return f"{prefix}{text}{notes})"

    __hash__ = object.__hash__

    def __deepcopy__(self, memo):
        if self.grad_fn is not None:
            raise RuntimeError("deepcopy: only leaf tensors can be copied; call detach() or clone() first")
        copy = type(self).__new__(type(self))
        with on_device_of(self._array):
            copy._array = self._array.copy(order="K")
        copy._init_state()
        copy.requires_grad = self.requires_grad
        copy.grad = None if self.grad is None else self.grad.clone()
        memo[id(self)] = copy
        return copy

    def __reduce__(self):
        raise TypeError("tensors are not pickled: save their arrays, for example with minception.checkpoint")

    # Gradients

    def requires_grad_(self, requires_grad=True):
        """Set whether operations on this leaf are recorded; returns the tensor."""
        if requires_grad and not self.is_floating_point():
            raise RuntimeError(f"requires_grad: only floating tensors have gradients, this one is {self.dtype}")
        if not requires_grad and self.grad_fn is not None:
            raise RuntimeError("requires_grad_(False): this tensor is not a leaf; use detach()")
        self._requires_grad = bool(requires_grad)
        return self

    def backward(self, gradient=None, retain_graph=False):
        """Add the gradients of this tensor to `.grad` of every leaf that it depends on.

        `gradient`, of this tensor's shape, weights its elements (the cotangent); it may be left out if there is
        one element, and is then 1. The arrays saved for backward are freed as the walk goes, unless
        `retain_graph`. Raises RuntimeError if nothing was recorded, if the graph was walked before, or if a saved
        array was modified in place.
        """
        if not self.requires_grad:
            raise RuntimeError("backward: this tensor does not require a gradient, nothing was recorded")
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError(
                    f"backward: gradient can be left out only for one element, this tensor has shape {self.shape}"
                )
            with on_device_of(self._array):
                gradient = array_module(self._array).ones(self.shape, self.dtype)
        else:
            if isinstance(gradient, Tensor):
                require_one_device("backward", self._array, gradient._array)
            gradient = to_device(as_array(gradient, self.dtype, "backward: gradient"), self.device)
            if gradient.shape != self.shape:
                raise RuntimeError(
                    f"backward: gradient must have the tensor's shape {self.shape}, got {gradient.shape}"
                )
        autograd.backward(self, gradient, retain_graph)

    def _accumulate_grad(self, grad):
        if self.grad is None:
            # A copy in this tensor's own memory order: the array that arrived may belong to somebody else.
            own = array_module(self._array).empty_like(self._array)
            own[...] = grad
            self.grad = Tensor._wrap(own)
        else:
            self.grad._array[...] += grad
            self.grad._bump_version()

    def register_hook(self, hook):
        """Call `hook(grad)` when this tensor's whole gradient is known in a backward pass.

        `grad` is a tensor; if the hook returns something other than None, that replaces the gradient. Returns a
        handle with `remove()`.
        """
        if not self.requires_grad:
            raise RuntimeError("register_hook: this tensor does not require a gradient")
        if not callable(hook):
            raise TypeError(f"register_hook: hook must be callable, got {hook!r}")
        return HookHandle(self._hooks if self.grad_fn is None else self.grad_fn._hooks, hook)

    def retain_grad(self):
        """Keep the gradient of this non-leaf tensor in `.grad` too."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: this tensor does not require a gradient")
        if self.grad_fn is not None:
            self.grad_fn.retain_grad_of(self)

    def detach(self):
        """A tensor with the same memory that is not part of the graph."""
        return Tensor._wrap(self._array, self._counter)

    @property
    def data(self):
        """`detach()`; assigning replaces the values in place, unrecorded."""
        return self.detach()

    @data.setter
    def data(self, value):
        value = as_array(value, self.dtype, "data")
        if value is not self._array:
            self._write("data", Ellipsis, value)

    # In place, where nothing is recorded

    def _bump_version(self):
        self._counter.value += 1

    def _write(self, name, index, value):
        """Write an array of this dtype, from wherever it lies, at a raw index."""
        value = to_device(value, self.device)
        try:
            first, second = ops.split_index(index, self.ndim)
            with on_device_of(self._array):
                if second is None:
                    self._array[ops.checked_index(first, self._array)] = value
                else:
                    part = self._array[first]
                    part[ops.checked_index(second, part)] = value
        except (IndexError, ValueError) as error:
            raise type(error)(f"{name}: shape {self.shape}: {error}") from None
        self._bump_version()

    def _in_place(self, name, index, value):
        involved = (self, value) if isinstance(value, Tensor) else (self,)
        if autograd.is_grad_enabled() and any(t.requires_grad for t in involved):
            raise RuntimeError(
                f"{name}: in-place changes are not recorded by autograd; write it out of place (x = x + y), or "
                "inside `with no_grad():` if no gradient should flow through it"
            )
        self._write(name, index, as_array(value, self.dtype, name))
        return self

    def __setitem__(self, index, value):
        self._in_place("tensor[...] = value", ops.raw_index(index), value)

    def _replace(self, name, result):
        if category(result.dtype) > category(self.dtype):
            raise RuntimeError(f"{name}: a {result.dtype} result cannot be stored in a {self.dtype} tensor")
        return self._in_place(name, Ellipsis, result)

    def __iadd__(self, other):
        return self._replace("+=", self + other)

    def __isub__(self, other):
        return self._replace("-=", self - other)

    def __imul__(self, other):
        return self._replace("*=", self * other)

    def __itruediv__(self, other):
        return self._replace("/=", self / other)

    def add_(self, other, alpha=1):
        """self += alpha * other, in place."""
        scaled = other if alpha == 1 else alpha * (other if isinstance(other, Tensor) else np.asarray(other))
        return self._replace("add_", self + scaled)

    def mul_(self, other):
        return self._replace("mul_", self * other)

    def copy_(self, other):
        """Write the values of `other` (broadcast to this shape, from any device) into this tensor's memory."""
        return self._in_place("copy_", Ellipsis, other)

    def fill_(self, value):
        return self._in_place("fill_", Ellipsis, value)

    def zero_(self):
        return self._in_place("zero_", Ellipsis, 0)


def as_tensor(data, dtype=None, device=None):
    """`data` itself if it is a tensor (of that dtype, on that device), else a new tensor."""
    if isinstance(data, Tensor):
        data = data if dtype is None else data.to(dtype)
        return data if device is None else data.to(parse_device("as_tensor", device))
    return Tensor._wrap(_copied("as_tensor", data, dtype, device))


def _copied(name, data, dtype, device):
    """`as_array` in memory of its own, on a device, by default that of the data."""
    array = as_array(data, dtype, name)
    moved = array if device is None else to_device(array, parse_device(name, device))
    if moved is not array:
        return moved
    with on_device_of(array):
        return array_module(array).array(array)


def from_numpy(array):
    """A tensor that shares the memory of a NumPy array: changes made through the array are not noticed."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}")
    check_dtype("from_numpy", array.dtype)
    return Tensor._wrap(array)


from . import ops  # noqa: E402 - operations need Tensor

ops.attach_methods(Tensor)
