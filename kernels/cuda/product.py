"""Products of matrices by cuBLAS, in the precision that is set (`settings.set_precision`).

CuPy's `matmul` has one precision for the process, an environment variable that it reads once, and cannot add to a
matrix. The function of cuBLAS beneath, `cublasGemmEx`, can: it takes the type of computation with each call, among them
those that round float32 factors for the tensor cores on their way (cuBLAS manual, `cublasComputeType_t`).
"""

import numpy as np

from ..arrays import array_module
from ..capture import uses_cublas
from ..settings import get_precision
from .device import compute_capability

__all__ = ["can_multiply", "multiply_into"]

# Values of cuBLAS's enumerations.
NOT_TRANSPOSED, TRANSPOSED = 0, 1
FLOAT32 = 0  # CUDA_R_32F
DEFAULT = -1  # CUBLAS_GEMM_DEFAULT
COMPUTE = {"float32": 68, "float16": 74, "bfloat16": 75, "tf32": 77}  # CUBLAS_COMPUTE_32F, and _FAST_16F and so on
OLDEST = {"float32": 0, "float16": 75, "bfloat16": 80, "tf32": 80}  # generation with such tensor cores


def can_multiply(array):
    """Whether `multiply_into` is there for arrays like this, in the precision that is set.

    It is not while CuPy refuses to call cuBLAS, nor, in tests, where NumPy would have to round factors.
    """
    rounds = array.dtype.itemsize == 4 and get_precision() != "float32"
    return uses_cublas() and not (rounds and array_module(array) is np)


def multiply_into(out, a, b, adding=False):
    """out = a @ b, or out += a @ b.

    a (M, K), b (K, N), out (M, N): float32 or float64 matrices of one dtype, not empty; out is C-contiguous, a and b
    are, or their transposes are. On a GPU all lie on the current device.
    """
    xp = array_module(out)
    if xp is np or out.dtype.itemsize != 4:
        if adding:
            out += xp.matmul(a, b)
        else:
            xp.matmul(a, b, out=out)
        return
    _gemm(out, a, b, adding)


def _gemm(out, a, b, adding):
    """`cublasGemmEx`, which takes matrices column by column, so that it sees out.T = b.T @ a.T."""
    import cupy

    precision = get_precision()
    if compute_capability() < OLDEST[precision]:
        precision = "float32"
    (m, k), n = a.shape, b.shape[1]
    one, added = np.array(1, np.float32), np.array(adding, np.float32)  # on the host
    cupy.cuda.cublas.gemmEx(
        cupy.cuda.get_cublas_handle(), *map(_operation, (b, a)), n, m, k, one.ctypes.data, *_matrix(b), *_matrix(a),
        added.ctypes.data, *_matrix(out), COMPUTE[precision], DEFAULT,
    )  # fmt: skip


def _operation(matrix):
    return NOT_TRANSPOSED if matrix.flags.c_contiguous else TRANSPOSED


def _matrix(matrix):
    """(address, type, numbers from one line in memory to the next)."""
    return matrix.data.ptr, FLOAT32, matrix.shape[1] if matrix.flags.c_contiguous else matrix.shape[0]
