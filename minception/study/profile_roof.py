"""What the machine can do at most: the two lines of a roofline plot, measured.

Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures" (2009).
"""

import time
from dataclasses import dataclass

import numpy as np

from ..device import parse_device
from ..kernels.threads import get_num_threads, run_parts
from ..kernels.transfer import on_device
from .profile_device import synchronize

MATRIX_SIZE = 1024  # three such matrices of float32 are 12 MiB
COPY_BYTES = 1 << 27  # far more than a cache holds
MATRIX_SIZE_ON_GPU, COPY_BYTES_ON_GPU = 8192, 1 << 30
TURNS = 20


@dataclass(frozen=True)
class Roof:
    """Floating-point operations and bytes per second in float32, of `threads` threads together or of a GPU.

    device: "cpu", or "cuda:N" with threads None.
    """

    flops_per_second: float
    bytes_per_second: float
    threads: int | None
    device: str = "cpu"

    @property
    def machine(self):
        """In words: "1 thread", "2 threads" or the device."""
        if self.threads is None:
            return self.device
        return "1 thread" if self.threads == 1 else f"{self.threads} threads"

    def seconds(self, flops, bytes):
        """The floor: the time that so much work takes at least, be it for the arithmetic or for the memory."""
        return max(flops / self.flops_per_second, bytes / self.bytes_per_second)

    @property
    def ridge(self):
        """The arithmetic intensity, in FLOP/byte, from which on the arithmetic takes longer than the memory."""
        return self.flops_per_second / self.bytes_per_second


def measure_roof(device="cpu"):
    """The `Roof` of this machine with the threads that the kernels use, or of a GPU.

    Arithmetic: every thread multiplies float32 matrices of 1024 x 1024 by `np.matmul`, as the best of twenty turns.
    Memory: the threads together copy 128 MiB, the same; bytes read and bytes written count. About half a second. Data
    that are still in a cache can be faster than that.

    Raises RuntimeError for a device that is not there, TypeError for what is none.

    A GPU multiplies matrices of 8192 x 8192 by cuBLAS, in float32 without shortening (no TF32), and copies 1 GiB.
    """
    device = parse_device("measure_roof", device)
    if device != "cpu":
        return _roof_of_gpu(device)
    threads = get_num_threads()
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, MATRIX_SIZE, MATRIX_SIZE), np.float32)
    products = np.empty((threads, MATRIX_SIZE, MATRIX_SIZE), np.float32)
    source = np.ones(COPY_BYTES // 4, np.float32)
    target = np.empty_like(source)

    def multiply(start, stop):
        for thread in range(start, stop):
            np.matmul(a, b, out=products[thread])

    def copy(start, stop):
        np.copyto(target[start:stop], source[start:stop])

    multiplying = _least_seconds(lambda: run_parts(multiply, threads))
    copying = _least_seconds(lambda: run_parts(copy, source.size))
    return Roof(2 * MATRIX_SIZE**3 * threads / multiplying, 2 * source.nbytes / copying, threads)


def _roof_of_gpu(device):
    import cupy

    with on_device(device):
        a, b = (cupy.full((MATRIX_SIZE_ON_GPU, MATRIX_SIZE_ON_GPU), 0.5, np.float32) for _ in range(2))
        product = cupy.empty_like(a)
        multiplying = _least_seconds(lambda: cupy.matmul(a, b, out=product), lambda: synchronize(device))
        source = cupy.ones(COPY_BYTES_ON_GPU // 4, np.float32)
        target = cupy.empty_like(source)

        def copy():
            target[...] = source

        copying = _least_seconds(copy, lambda: synchronize(device))
    return Roof(2 * MATRIX_SIZE_ON_GPU**3 / multiplying, 2 * source.nbytes / copying, None, device)


def _least_seconds(work, wait=lambda: None):
    """The least time of several turns; the first, which touches the memory for the first time, does not count."""
    times = []
    for _ in range(1 + TURNS):
        wait()
        started = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - started)
    return min(times[1:])
