"""The GPU kernels in Python, under Numba's simulator, which has to be chosen before Numba is imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import cuda

from minception.study import cuda_in_python

CASES = Path(__file__).with_name("under_simulator.py")


def test_under_the_simulator():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(CASES)]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, env=environment, cwd=CASES.parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) == 7


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU, on which the kernels run")
def test_without_a_gpu():
    x = np.zeros((1, 2, 4, 4), np.float32)
    for call in (
        lambda: cuda_in_python.im2col(x, 3),
        lambda: cuda_in_python.max_pool2d(x, 3),
        lambda: cuda_in_python.depthwise_conv2d(x, x.reshape(2, 1, 4, 4)),
    ):
        with pytest.raises(RuntimeError, match="finds no GPU; set NUMBA_ENABLE_CUDASIM=1"):
            call()
