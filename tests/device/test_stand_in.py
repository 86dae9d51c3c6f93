"""The stand-in refuses what CuPy refuses: otherwise the tests that use it would prove nothing."""

import numpy as np
import pytest

from minception.kernels.cuda import launch

from . import stand_in

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x(cupy):
    return cupy.asarray(HOST)


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x + HOST,
        lambda x: HOST + x,
        lambda x: HOST @ x.T,
        lambda x: np.add(HOST, x),
        lambda x: np.maximum(x, HOST),
        lambda x: np.where(x > 0, x, HOST),
        lambda x: np.concatenate([x, HOST]),
        lambda x: x.__iadd__(HOST),
        lambda x: HOST.copy().__iadd__(x),
        lambda x: HOST.copy().__setitem__(..., x),
        lambda x: np.asarray(x),
        lambda x: np.array(x),
        lambda x: x * np.float32([2])[0] + np.array(2.0),
    ],
)
def test_numpy_arrays_do_not_mix_with_its_own(x, mix):
    with pytest.raises(TypeError, match=r"Implicit conversion|Unsupported type"):
        mix(x)


def test_numpy_arrays_are_not_written_into_it(x):
    with pytest.raises(ValueError, match=r"non-scalar numpy\.ndarray cannot be used for fill"):
        x[...] = HOST
    x[...] = np.array(3.0)
    assert x.tolist() == [[3.0] * 3] * 2


def test_numpy_functions_lead_to_those_of_the_module(cupy, x):
    for result in (np.exp(x), np.where(x > 2, x, 0), np.zeros_like(x), np.float32(2) * x):
        assert isinstance(result, cupy.ndarray)
    with pytest.raises(TypeError, match="no implementation found"):
        np.polyfit(x, x, 1)
    with pytest.raises(AttributeError):
        cupy.polyfit(x, x, 1)
    for name in ("writeable", "__getitem__"):
        assert not hasattr(x.flags, name)


def test_arrays_stay_on_their_device(cupy, x):
    with cupy.cuda.Device(1):
        y = cupy.asarray(HOST)
        with pytest.raises(ValueError, match="array device = 0 while current = 1"):
            x + y
        assert (x.copy() + y).device == cupy.cuda.Device(1)
        with pytest.raises(ValueError, match="array device = 0 while current = 1"):
            launch.launch("activation.cu", "relu", np.float32, (1,), (32,), x, x, 6)
    assert cupy.cuda.runtime.getDevice() == 0
    with pytest.raises(stand_in.CUDARuntimeError, match="invalid device ordinal"), cupy.cuda.Device(2):
        pass


def test_what_would_wrap_around_is_an_error(x):
    for index in ([0, 2], np.array([-3]), (0, [3])):
        with pytest.raises(AssertionError, match="wrap this index around"):
            x[index]
    with pytest.raises(IndexError):
        x[2]


def test_views_and_results_in_place(cupy, x):
    assert x.base is None and x[0].base is not None and x.copy().base is None
    assert cupy.may_share_memory(x, x[1]) and not cupy.may_share_memory(x, x.copy())
    out = cupy.empty_like(x)
    assert cupy.maximum(x, 2, out=out) is out
    assert out.tolist() == np.maximum(HOST, 2).tolist()


def test_memory_has_an_end(cupy):
    stand_in.limit_memory(1000)
    cupy.zeros(250, cupy.float32)
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match="Out of memory allocating 1,004 bytes"):
        cupy.zeros(251, cupy.float32)
