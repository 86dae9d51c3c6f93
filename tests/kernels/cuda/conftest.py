"""Nothing here runs without a C++ compiler, unless it runs on a GPU."""

import shutil

import pytest

from tests.table.homes import EMULATED, OF_GPU


@pytest.fixture(autouse=True)
def compiler():
    if OF_GPU == EMULATED and shutil.which("g++") is None:
        pytest.skip("CUDA kernels are emulated with g++, which is not installed")
