"""A stand-in for cuBLAS as CuPy has it: `cublasGemmEx` for float32 matrices, on the CPU.

It takes what the function takes (cuBLAS manual, 2.8.12): matrices that lie in memory column by column, as addresses,
and factors on the host, as addresses too. Factors are rounded as each type of computation allows; a GPU may do so, or
round less.
"""

import ctypes

import numpy as np

HANDLE = 0xB1A5
ROUNDED = {68: None, 74: "float16", 75: "bfloat16", 77: "tf32"}
NOT_TRANSPOSED, TRANSPOSED = 0, 1


def gemmEx(  # noqa: N802 - CuPy's name
    handle, transa, transb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, compute, algo
):
    """C = alpha * op(A) @ op(B) + beta * C, of sizes (m, k), (k, n) and (m, n)."""
    assert handle == HANDLE
    assert (a_type, b_type, c_type) == (0, 0, 0), "CUDA_R_32F"
    assert algo == -1, "CUBLAS_GEMM_DEFAULT"
    assert all(isinstance(number, int) for number in (transa, transb, m, n, k, lda, ldb, ldc)), "Cython takes ints"
    left, right = _operand(a, transa, m, k, lda), _operand(b, transb, k, n, ldb)
    out = _matrix(c, m, n, ldc)
    alpha, beta = (ctypes.c_float.from_address(address).value for address in (alpha, beta))
    product = np.float32(alpha) * (rounded(left, ROUNDED[compute]) @ rounded(right, ROUNDED[compute]))
    out[...] = product if beta == 0 else product + np.float32(beta) * out


def rounded(array, precision):
    """Where a factor is rounded to the nearest, which does not matter for TF32: it is cut there."""
    if precision is None:
        return array
    if precision == "float16":
        with np.errstate(over="ignore"):
            return array.astype(np.float16).astype(np.float32)
    lost = {"tf32": 13, "bfloat16": 16}[precision]
    return (array.view(np.uint32) >> lost << lost).view(np.float32)


def _operand(address, transposed, rows, columns, leading):
    if transposed == NOT_TRANSPOSED:
        return _matrix(address, rows, columns, leading).copy()
    assert transposed == TRANSPOSED
    return _matrix(address, columns, rows, leading).T.copy()


def _matrix(address, rows, columns, leading):
    """A matrix that lies column by column, `leading` numbers from one to the next, as a view of its memory."""
    assert leading >= rows >= 1 and columns >= 1
    memory = (ctypes.c_float * (leading * (columns - 1) + rows)).from_address(address)
    return np.lib.stride_tricks.as_strided(np.frombuffer(memory, np.float32), (rows, columns), (4, 4 * leading))
