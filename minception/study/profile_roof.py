"""What the machine can do at most: the two lines of a roofline plot, measured.

Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures" (2009).
"""

import time
from dataclasses import dataclass

import numpy as np

from ..kernels.threads import get_num_threads, run_parts

MATRIX_SIZE = 1024  # three such matrices of float32 are 12 MiB
COPY_BYTES = 1 << 27  # far more than a cache holds
TURNS = 20


@dataclass(frozen=True)
class Roof:
    """Floating-point operations and bytes per second of `threads` threads together, in float32."""

    flops_per_second: float
    bytes_per_second: float
    threads: int

    def seconds(self, flops, bytes):
        """The floor: the time that so much work takes at least, be it for the arithmetic or for the memory."""
        return max(flops / self.flops_per_second, bytes / self.bytes_per_second)

    @property
    def ridge(self):
        """The arithmetic intensity, in FLOP/byte, from which on the arithmetic takes longer than the memory."""
        return self.flops_per_second / self.bytes_per_second


def measure_roof():
    """The `Roof` of this machine with the threads that the kernels use.

    Arithmetic: every thread multiplies float32 matrices of 1024 x 1024 by `np.matmul`, as the best of twenty turns.
    Memory: the threads together copy 128 MiB, the same; bytes read and bytes written count. About half a second. Data
    that are still in a cache can be faster than that.
    """
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

    multiplying = _least_seconds(multiply, threads)
    copying = _least_seconds(copy, source.size)
    return Roof(2 * MATRIX_SIZE**3 * threads / multiplying, 2 * source.nbytes / copying, threads)


def _least_seconds(part, size):
    """The least time of several turns; the first, which touches the memory for the first time, does not count."""
    times = []
    for _ in range(1 + TURNS):
        started = time.perf_counter()
        run_parts(part, size)
        times.append(time.perf_counter() - started)
    return min(times[1:])
