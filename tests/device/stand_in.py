"""A stand-in for CuPy: arrays that hold their values in NumPy's memory, but behave as CuPy's do where it matters.

It is strict. What CuPy refuses, it refuses with the same kind of error: NumPy arrays beside its own in one operation,
`np.asarray` of its arrays, writing a NumPy array into one. So is what CuPy refuses on some machines only: to compute
with arrays that do not lie on the current device. What CuPy does silently wrong is an AssertionError: index arrays
that are out of range, which it wraps around. It has only functions, methods and attributes that CuPy 14 has, and of
those only what the engine uses. As in CuPy, functions of NumPy that are called with its arrays lead to its own.

`RawModule` compiles CUDA C++ for the emulator (`minception.kernels.cuda.emulated`), so that all from
`tensor.to("cuda")` down to the launch of a kernel is the code that runs on a GPU. What it cannot show: that CuPy and
NVRTC take what they are given, and anything that depends on the hardware.

Read for it: CuPy 14.2, `cupy/__init__.py` for what there is, and `_core/core.pyx` and `_core/_routines_indexing.pyx`
for conversion, operators, indexing and devices.
"""

import functools
import importlib.machinery
import numbers
import threading
import time
import types
import weakref
from collections import Counter

import numpy as np

from minception.kernels.cuda.emulated import emulated_kernel

from . import cublas, streams

UFUNCS = """
    abs absolute add bitwise_and bitwise_or divide equal exp expm1 floor_divide greater greater_equal invert isfinite
    isnan less less_equal log logical_and logical_not logical_or matmul maximum minimum multiply negative not_equal
    power remainder sign sqrt square subtract tanh true_divide
""".split()
FUNCTIONS = """
    all any arange argmax argmin argsort broadcast_to clip concatenate count_nonzero dot einsum empty empty_like
    expand_dims flatnonzero full full_like max mean min moveaxis nonzero ones ones_like pad prod
    put_along_axis repeat reshape squeeze stack sum swapaxes take take_along_axis tensordot transpose where zeros
    zeros_like
""".split()
METHODS = "all any argmax argmin clip dot max mean min prod repeat std sum take var".split()
TYPES = "bool_ float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
}  # fmt: skip
COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip

ALLOCATE = {np.empty, np.empty_like}  # which a graph has done once and for all: what they return holds what it held
OF_CUBLAS = {np.matmul, np.dot, np.einsum, np.tensordot, np.ndarray.dot}

_current = threading.local()
_live = weakref.WeakValueDictionary()  # arrays that own memory, by their number
_machine = types.SimpleNamespace(devices=2, largest=1 << 62, allocated=0)


class CUDARuntimeError(RuntimeError):
    """`cupy.cuda.runtime.CUDARuntimeError`."""


class OutOfMemoryError(MemoryError):
    """`cupy.cuda.memory.OutOfMemoryError`, with its text."""

    def __init__(self, size, total):
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class Device:
    """`cupy.cuda.Device`: a number, and a context in which that device is the current one of the thread."""

    compute_capability = "90"

    def __init__(self, device=None):
        self.id = current_device() if device is None else int(device)
        self._before = []

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    __hash__ = None

    def use(self):
        if not 0 <= self.id < _machine.devices:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        _current.device = self.id

    def synchronize(self):
        pass

    def __enter__(self):
        self._before.append(current_device())
        self.use()
        return self

    def __exit__(self, *exception):
        _current.device = self._before.pop()

    def __repr__(self):
        return f"<CUDA Device {self.id}>"


class Event:
    """`cupy.cuda.Event`: a mark in the queue of the current device, which is always empty."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self._when = None

    def record(self, stream=None):
        self._when = time.perf_counter()

    def synchronize(self):
        if self._when is None:
            raise CUDARuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")


def get_elapsed_time(start_event, end_event):
    """`cupy.cuda.get_elapsed_time`: milliseconds."""
    return (end_event._when - start_event._when) * 1e3


def current_device():
    return getattr(_current, "device", 0)


class Flags:
    """`ndarray.flags`, which has these three."""

    def __init__(self, flags):
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


class ndarray:  # noqa: N801 - CuPy's name
    """`cupy.ndarray`."""

    __array_priority__ = 100
    __hash__ = None

    def __init__(self, values, device, base=None):
        self._values, self._device, self.base = values, device, base
        if base is None:
            if values.nbytes > _machine.largest:
                raise OutOfMemoryError(values.nbytes, _machine.allocated)
            pool = streams.pool() or _pool
            pool.allocate(device, values.nbytes)
            weakref.finalize(self, pool.free, device, values.nbytes)
            if streams.recording() is not None:
                streams.recording().allocated(values, pool)
            _live[id(self)] = self

    shape = property(lambda self: self._values.shape)
    strides = property(lambda self: self._values.strides)
    dtype = property(lambda self: self._values.dtype)
    ndim = property(lambda self: self._values.ndim)
    size = property(lambda self: self._values.size)
    itemsize = property(lambda self: self._values.itemsize)
    nbytes = property(lambda self: self._values.nbytes)
    flags = property(lambda self: Flags(self._values.flags))
    device = property(lambda self: Device(self._device))
    data = property(lambda self: types.SimpleNamespace(ptr=self._values.ctypes.data))
    T = property(lambda self: self.transpose())

    # To the host, on request only

    def get(self, stream=None, order="C", out=None, blocking=True):
        if out is not None or order != "C":
            raise NotImplementedError("the stand-in copies in C order, to new memory")
        streams.refuse_reading()
        return np.array(self._values, order="C")

    def set(self, arr, stream=None):
        streams.refuse_host_memory()
        contiguous = self.flags.c_contiguous and arr.flags.c_contiguous
        if arr.dtype != self.dtype or arr.shape != self.shape or not contiguous:
            raise ValueError("the stand-in takes what is C-contiguous, of the same dtype and shape")
        _raw(self)[...] = arr

    def item(self):
        streams.refuse_reading()
        return self._values.item()

    def tolist(self):
        streams.refuse_reading()
        return self._values.tolist()

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        function = _namespace.get(ufunc.__name__)
        if function is None or method not in ("__call__", "at"):
            return NotImplemented
        if out is not None:
            options["out"] = out[0]
        return (function if method == "__call__" else function.at)(*inputs, **options)

    def __array_function__(self, function, kinds, args, kwargs):
        places = (function.__module__ or "numpy").split(".")[1:]
        try:
            found = getattr(functools.reduce(getattr, places, _as_namespace(_namespace)), function.__name__)
        except AttributeError:
            return NotImplemented
        return found(*args, **kwargs)

    # One number

    def __bool__(self):
        return bool(self.item())

    def __int__(self):
        return int(self.item())

    def __float__(self):
        return float(self.item())

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return repr(self._values)

    # Elements

    def __getitem__(self, index):
        return _view(lambda values: _indexed(lambda raw: values[raw], index), self)

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray):
            if value.ndim:
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            value = value.item()

        def write(raw):
            self._values[raw] = _raw(value)

        _raw(self)
        _indexed(write, index)
        streams.record(lambda: _indexed(write, index))

    def fill(self, value):
        self[...] = value

    # Shape and type

    def reshape(self, *shape, order="C"):
        return _view(np.ndarray.reshape, self, *shape)

    def ravel(self, order="C"):
        return self.reshape(-1)

    def view(self):
        return _view(np.ndarray.view, self)

    def transpose(self, *axes):
        return _view(np.ndarray.transpose, self, *axes)

    def swapaxes(self, axis1, axis2):
        return _view(np.ndarray.swapaxes, self, axis1, axis2)

    def squeeze(self, axis=None):
        return _view(np.ndarray.squeeze, self, axis)

    def copy(self, order="C"):
        contiguous = self._values.flags.c_contiguous or self._values.flags.f_contiguous
        if self._device != current_device() and not contiguous:
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")
        return _copied(self._values.copy(order=order), self._values)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported yet")
        values = _raw(self).astype(dtype, order=order, copy=copy)
        return self if values is self._values else _copied(values, self._values)

    # Operators

    def __neg__(self):
        return _call(np.negative, self)

    def __abs__(self):
        return _call(np.absolute, self)

    def __invert__(self):
        return _call(np.invert, self)


def _raw(value):
    """NumPy's array behind an array on the current device; scalars as they are."""
    if isinstance(value, ndarray):
        if value._device != current_device():
            raise ValueError(
                "Array device must be same as the current device: "
                f"array device = {value._device} while current = {current_device()}"
            )
        return value._values
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (tuple, list)):
        return type(value)(map(_raw, value))
    return value


def _copied(values, source):
    """An array of its own on the current device, with the values of another one."""
    streams.record(lambda: np.copyto(values, source, casting="unsafe"))
    return ndarray(values, current_device())


def _again(function, arguments, options, result):
    """The same operation at each replay: to where its result is now."""
    if isinstance(result, tuple):
        raise NotImplementedError("the stand-in captures operations with one result")
    if "out" in options or not isinstance(result, ndarray):
        return lambda: function(*arguments, **options)
    shared = any(isinstance(a, np.ndarray) and np.may_share_memory(a, result._values) for a in arguments)
    return (lambda: None) if shared else lambda: np.copyto(result._values, function(*arguments, **options))


def live_values():
    """NumPy's arrays behind all arrays that own memory."""
    return [array._values for array in list(_live.values())]


def _wrapped(result, *known):
    """The result as arrays on the current device; what was handed in as `out` comes back itself."""
    if isinstance(result, tuple):
        return tuple(_wrapped(item, *known) for item in result)
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    for array in known:
        if isinstance(array, ndarray) and array._values is result:
            return array
    return ndarray(np.asarray(result), current_device())


def _call(function, *arguments, **options):
    if function in OF_CUBLAS:
        streams.refuse_cublas()
    raw, raw_options = tuple(map(_raw, arguments)), {name: _raw(value) for name, value in options.items()}
    with np.errstate(all="ignore"):
        result = _wrapped(function(*raw, **raw_options), *arguments, options.get("out"))
    if streams.recording() is not None and function not in ALLOCATE:
        streams.record(_again(function, raw, raw_options, result))
    return result


def _view(function, array, *arguments):
    """A view, which may be made of an array on any device; where NumPy had to copy, as `_call`."""
    result = function(array._values, *arguments)
    if isinstance(result, np.ndarray) and (np.may_share_memory(result, array._values) or not result.size):
        return ndarray(result, array._device, array if array.base is None else array.base)
    _raw(array)
    if not isinstance(result, np.ndarray):  # one element, of NumPy's own class for numbers
        result = np.asarray(result)
    streams.record(lambda: np.copyto(result, function(array._values, *arguments)))
    return ndarray(result, current_device())


def _indexed(access, index):
    """Call `access` with the raw index; index arrays may be NumPy's, which CuPy copies."""
    parts = index if isinstance(index, tuple) else (index,)
    raw = [part._values if isinstance(part, ndarray) else part for part in parts]
    try:
        return access(tuple(raw) if isinstance(index, tuple) else raw[0])
    except IndexError as error:
        if any(isinstance(part, (list, np.ndarray)) for part in raw) and "out of bounds" in str(error):
            raise AssertionError(f"CuPy would wrap this index around: {error}") from None
        raise


def _operand(value):
    return isinstance(value, (ndarray, np.ndarray, np.generic, numbers.Number))


def _define(name, ufunc, in_place=True):
    def forward(self, other):
        return _call(ufunc, self, other) if _operand(other) else NotImplemented

    def reflected(self, other):
        return _call(ufunc, other, self) if _operand(other) else NotImplemented

    def assigning(self, other):
        return _call(ufunc, self, other, out=self)

    setattr(ndarray, f"__{name}__", forward)
    if in_place:
        setattr(ndarray, f"__r{name}__", reflected)
        setattr(ndarray, f"__i{name}__", assigning)


def _method(function):
    return lambda self, *arguments, **options: _call(function, self, *arguments, **options)


for _name, _ufunc in OPERATORS.items():
    _define(_name, getattr(np, _ufunc))
for _name, _ufunc in COMPARISONS.items():
    _define(_name, getattr(np, _ufunc), in_place=False)
for _name in METHODS:
    setattr(ndarray, _name, _method(getattr(np.ndarray, _name)))


class RawModule:
    """`cupy.RawModule`: the kernels of a source text, compiled for the emulator."""

    def __init__(self, code, options=()):
        self._code, self._definitions = code, [option for option in options if option.startswith("-D")]

    def get_function(self, name):
        run = emulated_kernel(self._code, name, self._definitions)

        def kernel(grid, block, args, *, shared_mem=0):
            raw = [None if isinstance(a, np.uint64) and a == 0 else _raw(a) for a in args]
            run(grid, block, raw, shared_mem)
            streams.record(lambda: run(grid, block, raw, shared_mem))

        return kernel


def array(obj, dtype=None, copy=True, order="K"):
    """`cupy.array`: from the host, or a copy on the current device."""
    if isinstance(obj, ndarray):
        return obj.astype(obj.dtype if dtype is None else dtype, order=order, copy=copy)
    streams.refuse_host_memory()
    return ndarray(np.array(obj, dtype, order="C"), current_device())  # in C order, whatever it was


def asarray(a, dtype=None, order=None):
    return array(a, dtype, copy=False, order=order or "K")


def ascontiguousarray(a, dtype=None):
    if not isinstance(a, ndarray):
        streams.refuse_host_memory()
        return ndarray(np.ascontiguousarray(a, dtype), current_device())
    values = np.ascontiguousarray(_raw(a), dtype)
    return a if values is a._values else _copied(values, a._values)


def asnumpy(a):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def as_strided(x, shape=None, strides=None):
    return _view(np.lib.stride_tricks.as_strided, x, shape, strides)


def add_at(a, indices, b):
    """`cupy.add.at`, which takes the indices that `a[...]` takes."""
    def add():
        _indexed(lambda raw: np.add.at(_raw(a), raw, _raw(b)), indices)

    add()
    streams.record(add)


def may_share_memory(a, b):
    return a._device == b._device and np.may_share_memory(a._values, b._values)


class MemoryPool:
    """What `cupy.get_default_memory_pool()` returns, as far as it is asked for: the memory of the current device.

    Freed memory stays in the pool until `free_all_blocks`, and fits whatever is asked for next.
    """

    def __init__(self):
        self.freed, self._used, self._total = 0, Counter(), Counter()

    def malloc(self, size):
        raise NotImplementedError("the stand-in's arrays have NumPy's memory")

    def allocate(self, device, nbytes):
        self._used[device] += nbytes
        self._total[device] = max(self._total[device], self._used[device])

    def free(self, device, nbytes):
        self._used[device] -= nbytes

    def used_bytes(self):
        return self._used[current_device()]

    def total_bytes(self):
        return self._total[current_device()]

    def free_all_blocks(self):
        self.freed += 1
        self._total[current_device()] = self._used[current_device()]


_pool = MemoryPool()


def _gemm(*arguments):
    streams.refuse_cublas()
    cublas.gemmEx(*arguments)


def _device_count():
    return _machine.devices


def _functions():
    """Everything that is called `cupy.NAME`."""
    names = {name: functools.partial(_call, getattr(np, name)) for name in (*UFUNCS, *FUNCTIONS)}
    names["add"].at = add_at
    names |= {name: getattr(np, name) for name in TYPES}
    names |= {f.__name__: f for f in (array, asarray, ascontiguousarray, asnumpy, may_share_memory, ndarray, RawModule)}
    return names | {
        "__version__": "14.2.0",
        "newaxis": None,
        "linalg": types.SimpleNamespace(norm=functools.partial(_call, np.linalg.norm)),
        "lib": types.SimpleNamespace(stride_tricks=types.SimpleNamespace(as_strided=as_strided)),
        "get_default_memory_pool": lambda: _pool,
        "cuda": types.SimpleNamespace(
            Device=Device,
            Event=Event,
            get_elapsed_time=get_elapsed_time,
            memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            cublas=types.SimpleNamespace(gemmEx=_gemm),
            MemoryPool=MemoryPool,
            Stream=streams.Stream,
            using_allocator=streams.using_allocator,
            get_cublas_handle=lambda: cublas.HANDLE,
            runtime=types.SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                getDevice=current_device,
                getDeviceCount=_device_count,
                driverGetVersion=lambda: 12090,
                runtimeGetVersion=lambda: 12090,
                getDeviceProperties=lambda device: {"name": b"Stand-in %d" % device},
            ),
        ),
    }


_namespace = _functions()


def _as_namespace(names):
    return types.SimpleNamespace(**names)


def make_module(devices=2):
    """The module to be put into `sys.modules["cupy"]`, on a machine with so many GPUs, whose memory has no end."""
    _machine.devices, _machine.largest, _current.device = devices, 1 << 62, 0
    module = types.ModuleType("cupy")
    module.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    vars(module).update(_functions())
    return module


def limit_memory(largest):
    """From now on arrays of more bytes than `largest` do not fit."""
    _machine.largest = largest
