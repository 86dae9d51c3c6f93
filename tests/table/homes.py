"""The homes of kernels that every row is run in, and which rows have kernels for a GPU.

Those are run on the CPU, where their blocks and threads are emulated: tests/kernels/cuda. Where there is a GPU,
MINCEPTION_TEST_HOMES=cuda in the environment runs them there instead, and the rows of the table too; several homes are
separated by commas.
"""

import os

from minception.kernels import cuda

from .table import TABLE

HOMES = tuple(os.environ.get("MINCEPTION_TEST_HOMES", "reference,cpu").split(","))
EMULATED = "cuda-emulated"
OF_GPU = "cuda" if "cuda" in HOMES else EMULATED  # where kernels for a GPU are run
GPU_KERNELS = {f"kernels.{name}" for name in cuda.__all__}
ON_GPU = {name: row for name, row in TABLE.items() if GPU_KERNELS.intersection(row.proves)}
