"""Nothing here runs without a C++ compiler."""

import shutil

import pytest


@pytest.fixture(autouse=True)
def compiler():
    if shutil.which("g++") is None:
        pytest.skip("CUDA kernels are emulated with g++, which is not installed")
