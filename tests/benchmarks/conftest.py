"""CuPy's stand-in for processes that are started."""

import os
import sys
from pathlib import Path

import pytest

from minception.kernels.cuda.emulated.build import find_compiler

MODULE = "import sys\nfrom tests.device import stand_in\nsys.modules['cupy'] = stand_in.make_module(devices=1)\n"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def with_stand_in(tmp_path, monkeypatch):
    """Environment variables with which a new process imports the stand-in as CuPy, and finds benchmarks and tests."""
    find_compiler()
    folder = tmp_path / "in place of CuPy"
    folder.mkdir()
    (folder / "cupy.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT), *filter(None, sys.path)]))
    return dict(os.environ)
