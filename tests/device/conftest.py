"""A machine with two GPUs, as far as Python can see."""

import importlib
import sys

import pytest

from minception.kernels.cuda import launch
from minception.kernels.cuda.emulated.build import find_compiler
from tests.table.homes import HOMES

from . import stand_in


@pytest.fixture
def cupy(monkeypatch):
    """The stand-in as the module `cupy`, with two GPUs; CuPy itself where the tests are to run on a GPU."""
    if "cuda" in HOMES:
        yield importlib.import_module("cupy")
        return
    find_compiler()  # fails where there is none: a test that did not run proves nothing
    module = stand_in.make_module(devices=2)
    monkeypatch.setitem(sys.modules, "cupy", module)
    _forget_kernels()
    yield module
    _forget_kernels()


def _forget_kernels():
    """What was compiled by one module is not for another."""
    launch._on_gpu.cache_clear()
    launch._module.cache_clear()
