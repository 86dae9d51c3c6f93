"""Every `.cu` file compiles for GPUs of three generations, without warnings and without spilling registers to memory.

By NVIDIA's own compiler, which needs no GPU: NVRTC, as CuPy uses it.
"""

import ctypes
import functools
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from minception.kernels.cuda import conv, source

FILES = sorted(path.name for path in source.FOLDER.glob("*.cu"))
ONLY_FLOAT32 = set(conv.TENSOR_CORES.values())
TURING, AMPERE, HOPPER = "sm_75", "sm_80", "sm_90"
BUILDS = [
    *((generation, np.float32, np.int32) for generation in (TURING, AMPERE, HOPPER)),
    (AMPERE, np.float64, np.int32),
    (AMPERE, np.float32, np.int64),
    (AMPERE, np.float64, np.int64),
]


@functools.cache
def nvrtc():
    """The library, from `pip install nvidia-cuda-nvrtc-cu12`; skips the test where it is not installed."""
    try:
        spec = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        pytest.skip("NVIDIA's compiler is not installed: pip install nvidia-cuda-nvrtc-cu12")
    (library,) = Path(next(iter(spec.submodule_search_locations))).glob("lib/libnvrtc.so.*")
    return ctypes.CDLL(str(library))


def log_of_compiling(text, generation, *definitions):
    """What the compiler and the assembler say of a source; fails if they do not compile it."""
    options = [f"-arch={generation}", "-std=c++17", "--ptxas-options=-v", *definitions]
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    nvrtc().nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"source.cu", 0, None, None)
    try:
        encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        failed = nvrtc().nvrtcCompileProgram(program, len(options), encoded)
        nvrtc().nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc().nvrtcGetProgramLog(program, log)
    finally:
        nvrtc().nvrtcDestroyProgram(ctypes.byref(program))
    log = log.value.decode()
    assert not failed, log
    return log


def complaints(log):
    """Warnings, and lines of the assembler's that count spilled bytes."""
    spills = [line for line in log.splitlines() if re.search(r"[1-9]\d* bytes spill", line)]
    return spills + [line for line in log.splitlines() if "warning" in line]


CASES = [(f, *build) for f in FILES for build in BUILDS if build[1] is np.float32 or f not in ONLY_FLOAT32]


@pytest.mark.parametrize(("file", "generation", "dtype", "integer"), CASES)
def test_compiles(file, generation, dtype, integer):
    text = source.source_text(file)
    log = log_of_compiling(text, generation, *source.definitions(dtype, integer))
    assert complaints(log) == []
    for kernel in source.kernel_names(text):
        assert f"entry function '{kernel}'" in log


def test_there_are_files():
    assert FILES


UNUSED = 'extern "C" __global__ void unused(float* x) { int nobody_reads_it; }'
MANY_LIVE_NUMBERS = """
extern "C" __global__ void __launch_bounds__(1024) spilling(double* x, int n) {
    double a[64];
    for (int i = 0; i < 64; i++) a[i] = x[i * 1024 + threadIdx.x];
    for (int k = 0; k < n; k++)
        #pragma unroll
        for (int i = 0; i < 64; i++) a[i] = a[i] * a[(i + k % 2 + 7) % 64] + a[(i + 31) % 64];
    for (int i = 0; i < 64; i++) x[i * 1024 + threadIdx.x] = a[i];
}
"""


def test_a_warning_is_noticed():
    assert "never referenced" in complaints(log_of_compiling(UNUSED, AMPERE))[0]


def test_a_spill_is_noticed():
    assert "bytes spill stores" in complaints(log_of_compiling(MANY_LIVE_NUMBERS, AMPERE))[0]
