"""The home "cuda" of the table: what goes to a GPU and what comes back, by way of the stand-in for CuPy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minception import kernels
from minception.kernels import dispatch
from tests.device.conftest import cupy  # noqa: F401 - a fixture
from tests.kernels.inputs import LAYOUTS, in_layout

from .on_gpu import in_same_layout, kernels_of

ROOT = Path(__file__).parents[2]
X = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("layout", [*LAYOUTS, "broadcast", "a number", "nothing"])
def test_copies_lie_as_the_arrays_do(cupy, layout):  # noqa: F811
    special = {"broadcast": np.broadcast_to(X[:, :, :1], X.shape), "a number": X[0, 0, 0, 1], "nothing": X[:0]}
    array = np.asarray(special[layout]) if layout in special else in_layout(X, layout)
    copy = in_same_layout(array)
    assert isinstance(copy, cupy.ndarray) and copy.shape == array.shape and copy.dtype == array.dtype
    assert not array.size or copy.strides == array.strides
    np.testing.assert_array_equal(copy.get(), array)
    if layout == "sliced":  # gaps hold what they hold here
        assert np.isnan(np.lib.stride_tricks.as_strided(copy._values, (2,), (copy.itemsize,))[1])


def test_kernels_run_there(cupy, monkeypatch):  # noqa: F811
    homes, find = [], dispatch._find
    monkeypatch.setattr(dispatch, "_find", lambda home, name: homes.append((home, name)) or find(home, name))
    with kernels_of("cuda"):
        output, taps = kernels.max_pool2d(X, 2)
        np.testing.assert_array_equal(kernels.concatenate([X, X]), np.concatenate([X, X], 1))
    assert {("cuda", "max_pool2d"), ("cuda", "concatenate")} <= set(homes)
    np.testing.assert_array_equal(output, kernels.reference.max_pool2d(X, 2)[0])
    assert isinstance(taps, np.ndarray)


def test_what_is_changed_in_place_is_changed_here(cupy):  # noqa: F811
    parameter, grad = X.copy(), np.ones_like(X)
    with kernels_of("cuda"):
        kernels.sgd_update(parameter, grad, None, lr=0.5)
    np.testing.assert_array_equal(parameter, X - 0.5)
    parameter.flags.writeable = False
    with pytest.raises(AssertionError, match="sgd_update wrote to a read-only argument"), kernels_of("cuda"):
        kernels.sgd_update(parameter, grad, None, lr=0.5)


def test_the_sum_that_is_added_to_is_the_result(cupy):  # noqa: F811
    """A kernel that returns its own argument does so here."""
    weight, so_far = np.ones((2, 3, 1, 1), np.float32), in_layout(np.zeros_like(X), "channels last")
    with kernels_of("cuda"):
        result = kernels.conv2d_backward_input(X[:, :2], weight, X.shape, add_to=so_far)
    assert result is so_far and result.any()


def test_prepared_weights_go_there_and_back(cupy):  # noqa: F811
    weight = np.ones((2, 3, 1, 1), np.float32)
    with kernels_of("cuda"):
        prepared = kernels.conv2d_prepare(weight)
        assert isinstance(prepared.weight, np.ndarray)
        output = kernels.conv2d_prepared(X, prepared)
    np.testing.assert_allclose(output, np.broadcast_to(X.sum(1, keepdims=True), output.shape))


def test_without_a_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match="CuPy is not installed"), kernels_of("cuda"):
        pass


def test_the_switch(tmp_path):
    """MINCEPTION_TEST_HOMES=cuda runs the tests of the table on CuPy's arrays."""
    module = "import sys\nfrom tests.device import stand_in\nsys.modules['cupy'] = stand_in.make_module()\n"
    (tmp_path / "cupy.py").write_text(module)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    tests = ["tests/table/test_values.py", "tests/kernels/cuda/test_values.py", "-k", "relu-kernel-zeros or [relu]"]
    command = [sys.executable, "-m", "pytest", "-v", *tests]
    environment = {**os.environ, "MINCEPTION_TEST_HOMES": "cuda", "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "[relu-kernel-zeros-cuda-float32]" in done.stdout and "[relu]" in done.stdout
    assert "-reference" not in done.stdout and "-cpu" not in done.stdout
