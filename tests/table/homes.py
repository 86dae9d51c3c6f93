"""The homes of kernels that every row is run in, and which rows have kernels for a GPU.

Those are run on the CPU, where their blocks and threads are emulated: tests/kernels/cuda.
"""

from minception.kernels import cuda

from .table import TABLE

HOMES = ("reference", "cpu")
EMULATED = "cuda-emulated"
GPU_KERNELS = {f"kernels.{name}" for name in cuda.__all__}
ON_GPU = {name: row for name, row in TABLE.items() if GPU_KERNELS.intersection(row.proves)}
