"""Which arrays go to the kernels of a GPU, and what is said where there is none."""

import subprocess
import sys
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest

from minception import kernels
from minception.kernels import cuda, dispatch, reference
from minception.kernels.cuda import device, launch, pool, source
from minception.kernels.cuda.emulated import build

X = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)


def test_emulated_kernels_run_where_they_are_asked_for(monkeypatch):
    launched = []
    monkeypatch.setattr(pool, "launch", lambda source, name, *rest: launched.append(name))
    kernels.max_pool2d(X, 2)
    assert launched == []
    with kernels.use_kernels("cuda-emulated"):
        kernels.max_pool2d(X, 2)
        assert launched == ["max_pool2d"]
        np.testing.assert_array_equal(kernels.elu(X - 7), reference.elu(X - 7))  # of which there is no such version


def fake_cupy(monkeypatch, get_device_count):
    """A module like CuPy as far as choosing kernels goes; its arrays are of a class of their own."""

    class CUDARuntimeError(Exception):
        pass

    cupy = types.ModuleType("cupy")
    cupy.__version__ = "14.2.0"
    cupy.ndarray = type("ndarray", (np.ndarray,), {})
    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError, getDeviceCount=lambda: get_device_count(CUDARuntimeError)
    )
    cupy.cuda = types.SimpleNamespace(runtime=runtime)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


def no_driver(error):
    raise error("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")


def test_cuda_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r'"cuda" need .* CuPy is not installed: pip install'):
        with kernels.use_kernels("cuda"):
            pass


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (no_driver, "driver is missing or too old: cudaErrorInsufficientDriver"),
        (lambda error: 0, "there is no NVIDIA GPU"),
    ],
)
def test_cuda_without_a_gpu(monkeypatch, count, message):
    fake_cupy(monkeypatch, count)
    with pytest.raises(RuntimeError, match=message), kernels.use_kernels("cuda"):
        pass


def test_homes_follow_the_arrays(monkeypatch):
    cupy = fake_cupy(monkeypatch, lambda error: 1)
    on_gpu = X.view(cupy.ndarray)
    device.require_gpu()
    assert dispatch._home_of(X) == "cpu"
    assert dispatch._home_of(on_gpu) == dispatch._home_of([on_gpu]) == "cuda"
    with kernels.use_kernels("cuda"):
        assert dispatch._home_of(on_gpu) == "cuda"
        with pytest.raises(TypeError, match='kernels "cuda" compute with arrays of cupy, got one of numpy'):
            kernels.relu(X)
    with kernels.use_kernels("cuda-emulated"):
        with pytest.raises(TypeError, match='"cuda-emulated" compute with arrays of numpy, got one of cupy'):
            kernels.relu(on_gpu)
    assert dispatch._find("cuda", "max_pool2d") is cuda.max_pool2d is dispatch._find("cuda-emulated", "max_pool2d")


def test_launch_by_way_of_cupy(monkeypatch):
    """What CuPy is asked for: the whole text, what `number` is, and scalars as they must lie in memory."""
    cupy, calls = fake_cupy(monkeypatch, lambda error: 1), []

    class RawModule:
        def __init__(self, code, options):
            self.code, self.options = code, options

        def get_function(self, name):
            return lambda *arguments, **named: calls.append((self, name, arguments, named))

    cupy.RawModule = RawModule
    monkeypatch.setattr(launch, "_on_gpu", launch._on_gpu.__wrapped__)
    monkeypatch.setattr(launch, "_module", launch._module.__wrapped__)
    x = X.view(cupy.ndarray)
    launch.launch("pool.cu", "max_pool2d", x.dtype, (3, 2), (32, 8), x, None, 7, 0.5)
    ((module, name, (grid, block, arguments), named),) = calls
    assert (name, grid, block, named) == ("max_pool2d", (3, 2, 1), (32, 8, 1), {"shared_mem": 0})
    assert arguments[0] is x
    assert arguments[1:] == (0, 7, 0.5)
    assert [type(a) for a in arguments[1:]] == [np.uint64, np.int32, np.float64]
    assert {"-DNUMBER=float", "-DINTEGER=int"} <= set(module.options)
    assert "#include" not in module.code and "struct Axis" in module.code


def test_importing_minception_needs_neither_cupy_nor_a_compiler():
    code = "import sys, minception; assert not {'cupy', 'minception.kernels.cuda.emulated'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": "", "PYTHONPATH": ":".join(sys.path)})


def test_sources_are_in_the_wheel():
    """What compilers read beside the Python files."""
    settings = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, folder in (("cuda", source.FOLDER), ("cuda.emulated", build.HEADER.parent)):
        patterns = settings["package-data"][f"minception.kernels.{package}"]
        assert f"minception.kernels.{package}" in settings["packages"]
        for path in folder.iterdir():
            if path.is_file():
                assert path.suffix == ".py" or any(path.match(pattern) for pattern in patterns), path
