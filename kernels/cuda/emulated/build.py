"""From the text of a `.cu` file to a function that runs its kernel on the CPU."""

import ctypes
import functools
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from ..source import kernel_names

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
FLAGS = (
    "-std=c++17",
    "-O1",
    "-Wall",
    "-Wno-unknown-pragmas",  # unroll
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",  # kernels of two libraries may have one name
    "-U_FORTIFY_SOURCE",  # which takes longjmp from stack to stack, as fibers do, for an error
    "-ffp-contract=off",  # NVIDIA's compiler contracts products and sums; here each rounds by itself on every processor
)
SANITIZERS = "MINCEPTION_SANITIZERS"  # environment: names for -fsanitize=, as in "undefined" or "address,undefined"

_reversed = ContextVar("reversed", default=False)


@contextmanager
def thread_order(order):
    """Run the blocks, and the threads of each, in "forward" or in "reversed" order inside the `with` block."""
    if order not in ("forward", "reversed"):
        raise ValueError(f'thread_order: order must be "forward" or "reversed", got {order!r}')
    token = _reversed.set(order == "reversed")
    try:
        yield
    finally:
        _reversed.reset(token)


@functools.cache
def find_compiler():
    """(path, version) of the C++ compiler: $CXX, else g++. Raises RuntimeError if there is none."""
    name = os.environ.get("CXX", "g++")
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f'the kernels "cuda-emulated" need a C++ compiler: {name} was not found (install g++)')
    return path, subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout


def emulated_kernel(text, name, definitions):
    """A callable (grid, block, arguments, shared) that runs the kernel `name` of the source `text` with NumPy arrays.

    It raises TypeError for arguments that do not fit the kernel's parameters, ValueError for a grid or block beyond the
    limits of GPUs, and RuntimeError where threads of a block wait for others that do not come.
    """
    library = _library(text, tuple(definitions))
    kernel, parameters = getattr(library, f"launch_{name}"), getattr(library, f"parameters_{name}")
    kernel.restype = parameters.restype = ctypes.c_char_p
    expected = parameters().decode().split(",")[:-1]

    def call(grid, block, arguments, shared):
        _check_limits(name, grid, block, shared)
        if len(arguments) != len(expected):
            raise TypeError(f"{name}: expected {len(expected)} arguments, got {len(arguments)}")
        values = [_checked(name, i, *pair) for i, pair in enumerate(zip(arguments, expected, strict=True))]
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        shape = (ctypes.c_uint * 6)(*grid, *block)
        failure = kernel(pointers, shape, int(_reversed.get()))
        if failure is not None:
            raise RuntimeError(f"{name}: in a block of {block} threads, {failure.decode()}")

    return call


def _check_limits(name, grid, block, shared):
    """Raise ValueError for a launch that every GPU refuses."""
    if math.prod(block) > 1024 or block[2] > 64:
        raise ValueError(f"{name}: a block has at most 1024 threads, 64 of them along z, got {block}")
    if grid[0] >= 1 << 31 or max(grid[1:]) > 65535:
        raise ValueError(f"{name}: a grid has at most 2^31 - 1 blocks along x, 65535 along y and z, got {grid}")
    if shared > 48 << 10:
        raise ValueError(f"{name}: a block has at most 48 KiB of shared memory, got {shared} bytes")


def _checked(name, position, value, expected):
    """The memory that holds an argument's value, a pointer or a number; CuPy would check nothing."""
    where = f"{name}: argument {position}"
    if value is None and expected not in ("integer", "double"):
        return np.zeros(1, np.uintp)
    if isinstance(value, np.ndarray):
        found = str(value.dtype)
        if found != expected.removeprefix("const "):
            raise TypeError(f"{where} is {expected}, got an array of {found}")
        if not value.flags.c_contiguous or not (value.flags.writeable or expected.startswith("const ")):
            raise TypeError(f"{where} must be C-contiguous, and writeable unless it is const")
        return np.array([value.ctypes.data], np.uintp)
    if expected != ("double" if isinstance(value, float) else "integer"):
        raise TypeError(f"{where} is {expected}, got {value!r}")
    return np.array([value])


@functools.cache
def _library(text, definitions):
    """The shared library of a source, from the cache or compiled."""
    sanitizers = os.environ.get(SANITIZERS)
    flags = [*FLAGS, *definitions, *([f"-fsanitize={sanitizers}", "-fno-sanitize-recover", "-g"] if sanitizers else [])]
    kernels = "".join(f"EMULATED_KERNEL({name})\n" for name in kernel_names(text))
    program = f'#line 1 "{HEADER.name}"\n{HEADER.read_text()}\n{text}\n{kernels}'
    path, version = find_compiler()
    key = hashlib.sha256("\0".join([program, version, *flags]).encode()).hexdigest()[:32]
    library = _folder() / f"{key}.so"
    if not library.exists():
        unfinished = library.with_name(f"{key}.{os.getpid()}")
        command = [path, *flags, "-x", "c++", "-", "-o", unfinished]
        done = subprocess.run(command, input=program, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{path} could not compile a kernel for the CPU:\n{done.stderr}")
        os.replace(unfinished, library)  # another process may have been faster: its file is the same
    return ctypes.PyDLL(str(library))  # which keeps the GIL: one launch at a time


@functools.cache
def _folder():
    """Where compiled kernels are kept: the user's cache folder, or one of this process if that cannot be written."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minception" / "cuda-emulated"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="minception-"))
