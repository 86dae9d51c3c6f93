"""The kernels of `kernels/cuda` on the CPU: the very same `.cu` files, compiled by g++ against `cuda_on_cpu.h`.

    with minception.use_kernels("cuda-emulated"): ...

runs NumPy arrays through them. It is for tests, where there is no GPU: every thread of a block is a fiber, so it is
slow. What it proves is the logic: indices, bounds, barriers, which thread reads what when. See
`kernels/cuda/__init__.py`.
"""

from .build import SANITIZERS, emulated_kernel, find_compiler, thread_order

__all__ = ["SANITIZERS", "emulated_kernel", "find_compiler", "thread_order"]
