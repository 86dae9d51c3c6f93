"""What the pickles of PyTorch's files name: storages, and tensors that view them.

A *storage* is a run of numbers of one type; its bytes lie elsewhere in the file, under a key. A *tensor* is a view of
a storage: an offset, sizes and strides, counted in elements. Several tensors may view one storage.
"""

import math
from dataclasses import dataclass

import numpy as np

from .errors import FormatError, shown
from .pickles import Ignored, set_item

BFLOAT16 = "bfloat16"  # which NumPy lacks; read as float32, which holds all its values
DTYPES = {
    **{name: np.dtype(name) for name in ("float64", "float32", "float16")},
    **{f"{sign}int{bits}": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "bool": np.dtype(bool),
    BFLOAT16: np.dtype(np.uint16),  # its upper half, as bits
}
STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
UNREAD = ("complex64", "complex128", "float8_e4m3fn", "float8_e5m2")  # known, so that an error can say it
UNTYPED = "untyped"
MAXIMUM_AXES = 64  # NumPy's
MAXIMUM_EXPANDED = 1 << 20  # elements of a tensor that shows the elements of its storage more than once


@dataclass(frozen=True, slots=True)
class StorageType:
    """The type of a storage's elements; UNTYPED are bytes, whose type each tensor says itself."""

    name: str

    @property
    def size(self):
        """Bytes of one element."""
        return DTYPES[self.name].itemsize if self.name in DTYPES else 1


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage under the key `key`: `count` elements. `start` and `stop` are those that tensors may view."""

    type: StorageType
    key: str
    count: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor whose numbers have not been read yet. `dtype` is a key of DTYPES."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple
    strides: tuple


@dataclass(frozen=True, slots=True)
class ElementType:
    """A dtype as a value: torch.float32."""

    name: str


# ------------------------------------------------------------------------------------------ in the pickle


def storage_of(identifier):
    """The Storage that a persistent identifier ("storage", type, key, location, count[, view]) means."""
    if type(identifier) is not tuple or len(identifier) not in (5, 6) or identifier[0] != "storage":
        if type(identifier) is tuple and identifier[:1] == ("module",):
            raise FormatError("holds a whole pickled model, not a state_dict: in PyTorch, save `model.state_dict()`")
        raise FormatError("damaged pickle: a persistent object that is no storage")
    _, kind, key, _, count, *view = identifier
    if type(kind) is not StorageType or type(key) is not str:
        raise FormatError("damaged pickle: a storage without its type and key")
    _check_sizes("a storage's size", (count,))
    if not view or view[0] is None:
        return Storage(kind, key, count, 0, count)
    _, start, size = view[0]  # of PyTorch before 0.4
    _check_sizes("a storage's view", (start, size))
    if start + size > count:
        raise FormatError(f"damaged: a view of storage {shown(key)} ends at {start + size}, the storage at {count}")
    return Storage(kind, key, count, start, start + size)


def rebuild_tensor(storage, offset, shape, strides, _requires_grad=False, _hooks=None, metadata=None):
    """Stands for torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    if type(storage) is not Storage or storage.type.name == UNTYPED:
        raise FormatError("damaged pickle: a tensor without a storage")
    return _tensor(storage, storage.type.name, offset, shape, strides, metadata)


def rebuild_tensor_v3(storage, offset, shape, strides, _requires_grad, _hooks, dtype, metadata=None):
    """Stands for torch._utils._rebuild_tensor_v3: a tensor of bytes that says its own dtype."""
    if type(storage) is not Storage or type(dtype) is not ElementType:
        raise FormatError("damaged pickle: a tensor without a storage and a dtype")
    return _tensor(storage, dtype.name, offset, shape, strides, metadata)


def rebuild_parameter(tensor, *_):
    """Stands for torch._utils._rebuild_parameter and _rebuild_parameter_with_state."""
    if type(tensor) is not StoredTensor:
        raise FormatError("damaged pickle: a parameter without a tensor")
    return tensor


def rebuild_from_type(function, _type, arguments, _state):
    """Stands for torch._tensor._rebuild_from_type_v2: a tensor with attributes."""
    if function not in (rebuild_tensor, rebuild_tensor_v3, rebuild_parameter):
        raise FormatError("damaged pickle: a tensor made by something unknown")
    return function(*arguments)


def size(shape=()):
    """Stands for torch.Size."""
    return _check_sizes("a shape", shape)


def ordered_dict(items=()):
    """Stands for collections.OrderedDict, which Python 2 makes from a list of pairs."""
    result = {}
    for key, value in items:
        set_item(result, key, value)
    return result


def empty_dict(*_):
    """Stands for collections.defaultdict and Counter, which hold states of optimizers and schedules, no weights."""
    return {}


def _tensor(storage, dtype, offset, shape, strides, metadata):
    if metadata:
        raise FormatError("holds a tensor with its sign or conjugate bit set, which is not read")
    if dtype not in DTYPES:
        raise FormatError(f"holds a tensor of type {dtype}, which is not read")
    _check_sizes("a tensor's offset", (offset,))
    _check_sizes("a tensor's shape", shape)
    _check_sizes("a tensor's strides", strides)
    if len(shape) != len(strides):
        raise FormatError(f"damaged: a tensor of {len(shape)} axes with {len(strides)} strides")
    return StoredTensor(storage, dtype, offset, shape, strides)


def _check_sizes(what, numbers):
    if type(numbers) is not tuple or len(numbers) > MAXIMUM_AXES:
        raise FormatError(f"damaged: {what} is no tuple of at most {MAXIMUM_AXES} numbers")
    for number in numbers:
        if type(number) is not int or not 0 <= number < 1 << 62:
            found = number if type(number) is int else type(number).__name__
            raise FormatError(f"damaged: {what} contains {found}")
    return numbers


BUILTINS = ("set", "list", "dict", "int", "float", "str", "bytearray", "complex")

# All that can be looked up in a pickle. What is ignored may stand beside the weights, as options of a training script.
STAND_INS = {
    **{("torch", name): StorageType(dtype) for name, dtype in STORAGES.items()},
    ("torch", "UntypedStorage"): StorageType(UNTYPED),
    ("torch.storage", "UntypedStorage"): StorageType(UNTYPED),
    **{("torch", name): ElementType(name) for name in (*DTYPES, *UNREAD)},
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): rebuild_tensor_v3,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild_from_type,
    ("torch", "Size"): size,
    ("collections", "OrderedDict"): ordered_dict,
    ("collections", "defaultdict"): empty_dict,
    ("collections", "Counter"): empty_dict,
    **{
        (module, name): Ignored(f"{module}.{name}")
        for module, names in {
            "argparse": ("Namespace",),
            "torch": ("Tensor", "device"),
            "torch.nn.parameter": ("Parameter",),
            "torch.serialization": ("_get_layout",),
            "numpy": ("dtype", "ndarray"),
            "numpy.core.multiarray": ("scalar", "_reconstruct"),
            "numpy._core.multiarray": ("scalar", "_reconstruct"),
            "_codecs": ("encode",),
            "builtins": BUILTINS,
            "__builtin__": BUILTINS,  # of Python 2
        }.items()
        for name in names
    },
}


# ------------------------------------------------------------------------------------------- as an array


class Arrays:
    """Makes arrays of StoredTensors.

    read: function from a storage's key to its bytes (anything with the buffer interface). The arrays are read-only
    views of those, or of private and aligned copies with `copy`, of which there is one for each storage.
    """

    def __init__(self, read, byte_order="<", copy=False):
        self.read, self.byte_order, self.copy = read, byte_order, copy
        self.typed = {}

    def array(self, name, tensor):
        """The array of a StoredTensor. Raises FormatError, which says `name`, if it does not fit its storage."""
        what = f"{shown(name)} of shape {shown(tensor.shape)}"
        numbers = self._numbers(tensor.storage, tensor.dtype)
        elements = math.prod(tensor.shape)
        steps = [stride if extent > 1 else 0 for extent, stride in zip(tensor.shape, tensor.strides, strict=True)]
        last = tensor.offset + sum((extent - 1) * step for extent, step in zip(tensor.shape, steps, strict=True))
        if elements and last >= numbers.size:
            raise FormatError(
                f"damaged: {what} needs {last + 1} elements, its storage has {numbers.size}"
            )
        if elements > max(numbers.size, MAXIMUM_EXPANDED):
            raise FormatError(f"{what} shows a storage of only {numbers.size} elements")
        size = numbers.itemsize
        try:
            if elements:
                array = np.ndarray(
                    tensor.shape, numbers.dtype, numbers, tensor.offset * size, [step * size for step in steps]
                )
            else:
                array = np.empty(tensor.shape, numbers.dtype)
        except ValueError:  # NumPy's own limits: 0 x 2**60
            raise FormatError(f"damaged: {what} is too large") from None
        array.flags.writeable = False
        return array

    def _numbers(self, storage, dtype):
        """The elements of a storage that tensors may view, (n,), in the machine's byte order."""
        data = memoryview(self.read(storage.key))
        if len(data) // storage.type.size != storage.count:
            raise FormatError(
                f"damaged: storage {shown(storage.key)} should have {storage.count} elements of {storage.type.size} "
                f"bytes, the file has {len(data)} bytes"
            )
        if (storage.key, dtype) not in self.typed:
            self.typed[storage.key, dtype] = self._converted(data, dtype)
        numbers = self.typed[storage.key, dtype]
        return numbers if storage.type.name == UNTYPED else numbers[storage.start : storage.stop]

    def _converted(self, data, dtype):
        stored = DTYPES[dtype].newbyteorder(self.byte_order)
        numbers = np.frombuffer(data, stored, len(data) // stored.itemsize)
        if dtype == BFLOAT16:
            return widened(numbers)
        if dtype == "bool":
            return numbers.view(np.uint8) != 0  # any other byte is true, as in PyTorch
        return numbers.astype(stored.newbyteorder("="), copy=self.copy)


def widened(bits):
    """The float32 array of bfloat16 numbers given as uint16: the same bits, followed by zeros."""
    return (bits.astype(np.uint32) << 16).view(np.float32)

