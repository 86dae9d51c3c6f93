"""The emulator itself: what CUDA has works, and what CUDA forbids is said and does not hang."""

from pathlib import Path

import numpy as np
import pytest

from minception import kernels
from minception.kernels.cuda import launch
from minception.kernels.cuda.emulated import build, thread_order

SOURCE = Path(__file__).with_name("emulator.cu")
ORDERS = pytest.mark.parametrize("order", ["forward", "reversed"])


def run(name, grid, block, *arguments, dtype=np.float32, order="forward", shared=0):
    with thread_order(order):
        launch.launch(SOURCE, name, dtype, grid, block, *arguments, shared=shared)


def numbers(count, dtype=np.float32):
    return np.arange(1, count + 1).astype(dtype)


def empty(count, dtype=np.float32):
    return np.full(count, -1, dtype)


@ORDERS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_barrier(order, dtype):
    x, out = numbers(192, dtype), empty(192, dtype)
    run("reverse_block", (3,), (64,), x, out, 1, dtype=dtype, order=order)
    np.testing.assert_array_equal(out.reshape(3, 64), x.reshape(3, 64)[:, ::-1])
    dynamic = empty(192, dtype)
    run("reverse_block_dynamic", (3,), (64,), x, dynamic, dtype=dtype, order=order, shared=64 * x.itemsize)
    np.testing.assert_array_equal(dynamic, out)


@ORDERS
def test_missing_barrier_shows(order):
    """Half of the threads read what nobody has written, which is NaN."""
    out = empty(64)
    run("reverse_block", (1,), (64,), numbers(64), out, 0, order=order)
    assert np.isnan(out).sum() == 32


@ORDERS
def test_many_barriers(order):
    out = empty(64)
    run("running_sum", (1,), (64,), numbers(64), out, order=order)
    np.testing.assert_array_equal(out, numbers(64).cumsum())


def test_shared_memory_is_not_handed_to_the_next_block():
    out = empty(3)
    run("unwritten", (3,), (1,), out)
    assert np.isnan(out).all()


@ORDERS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shuffles(order, dtype):
    x = numbers(128, dtype)
    down, butterfly, first, halves = (empty(128, dtype) for _ in range(4))
    run("shuffles", (2,), (64,), x, down, butterfly, first, halves, dtype=dtype, order=order)
    lanes, warps = np.arange(128) % 32, x.reshape(4, 32)
    np.testing.assert_array_equal(down, np.where(lanes < 29, x + 3, x))  # who reads beyond the warp gets its own
    np.testing.assert_array_equal(butterfly, np.repeat(warps.sum(1), 32))
    np.testing.assert_array_equal(first, np.repeat(warps[:, 0], 32))
    np.testing.assert_array_equal(halves, np.where(lanes % 16 < 15, x + 1, x))


@ORDERS
def test_shuffle_of_half_a_warp(order):
    out = empty(32)
    run("half_warp", (1,), (32,), numbers(32), out, order=order)
    np.testing.assert_array_equal(out[:16].reshape(8, 2), numbers(16).reshape(8, 2)[:, ::-1])
    np.testing.assert_array_equal(out[16:], numbers(32)[16:])


@ORDERS
def test_atomics(order):
    total, most, winner = np.zeros(1, np.float32), np.array([-5], np.int32), np.array([-1], np.int32)
    run("atomics", (3,), (20,), np.arange(60, dtype=np.int32), total, most, winner, order=order)
    assert (total[0], most[0]) == (60 * 59 / 2, 59)
    assert winner[0] == (0 if order == "forward" else 59)


@ORDERS
def test_every_thread_runs_once_in_its_place(order):
    grid, block = (3, 2, 2), (4, 3, 2)
    out = empty(12 * 24, np.int32)
    run("places", grid, block, out, order=order)
    z, y, x, c, b, a = np.indices((*grid[::-1], *block[::-1]))
    digits = sum(digit * 10**power for power, digit in enumerate((x, y, z, a, b, c)))
    np.testing.assert_array_equal(out, digits.reshape(-1))


@ORDERS
@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("some_return", ["thread 5 has ended", "waits at __syncthreads (emulator.cu:"]),
        ("two_barriers", ["thread 0 waits at __syncthreads", "thread 8 waits at __syncthreads"]),
        ("lane_missing", ["thread 7 has ended", "waits at __shfl_down_sync (emulator.cu:"]),
        ("lane_left_out", ["lane 15 reads lane 16, which the mask leaves out (emulator.cu:"]),
    ],
)
def test_threads_that_wait_for_nobody_are_an_error(kernel, words, order):
    with pytest.raises(RuntimeError) as caught:
        run(kernel, (2,), (32,), empty(32), order=order)
    assert all(word in str(caught.value) for word in [kernel, *words]), caught.value
    out = empty(64)  # and the next launch is as good as ever
    run("reverse_block", (1,), (64,), numbers(64), out, 1, order=order)
    np.testing.assert_array_equal(out, numbers(64)[::-1])


def all_parameters(a, b=None, c=None, d=None, e=3, f=0.5):
    c = np.array([7], np.uint8) if c is None else c
    d = np.array([-2], np.int32) if d is None else d
    run("all_parameters", (1,), (1,), a, b, c, d, e, f)


def test_arguments():
    b = np.zeros(1, np.float32)
    all_parameters(np.array([1.25], np.float32), b)
    assert b[0] == 1.25 + 7 - 2 + 3 + 0.5
    all_parameters(np.array([1.25], np.float32))  # a null pointer


READ_ONLY = np.zeros(1, np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": np.zeros(1)}, "argument 0 is const float32, got an array of float64"),
        ({"c": np.zeros(1, np.int8)}, "argument 2 is const uint8, got an array of int8"),
        ({"b": READ_ONLY}, "argument 1 must be C-contiguous, and writeable unless it is const"),
        ({"a": np.zeros((2, 2), np.float32).T}, "argument 0 must be C-contiguous"),
        ({"e": 0.5}, "argument 4 is integer, got 0.5"),
        ({"f": 2}, "argument 5 is double, got"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(TypeError, match=message):
        all_parameters(**{"a": np.zeros(1, np.float32)} | arguments)


def test_wrong_number_of_arguments():
    with pytest.raises(TypeError, match="unwritten: expected 1 arguments, got 2"):
        run("unwritten", (1,), (1,), empty(1), empty(1))


@pytest.mark.parametrize(
    ("grid", "block", "shared", "message"),
    [
        ((1,), (1025,), 0, "at most 1024 threads"),
        ((1,), (1, 1, 65), 0, "64 of them along z"),
        ((1, 65536), (1,), 0, "65535 along y and z"),
        ((1 << 31,), (1,), 0, r"2\^31 - 1 blocks along x"),
        ((1,), (1,), 49153, "at most 48 KiB of shared memory"),
    ],
)
def test_limits_of_gpus(grid, block, shared, message):
    with pytest.raises(ValueError, match=f"unwritten: .*{message}"):
        run("unwritten", grid, block, empty(1), shared=shared)


def test_an_empty_grid_is_not_launched():
    run("unwritten", (0,), (32,), empty(1))


def test_unknown_order():
    with pytest.raises(ValueError, match='"forward" or "reversed", got \'backward\''), thread_order("backward"):
        pass


@pytest.fixture
def fresh(monkeypatch):
    """Nothing is known of compilers and libraries."""
    for function in (build.find_compiler, build._library, build._folder):
        monkeypatch.setattr(build, function.__name__, function.__wrapped__)
    return monkeypatch


def test_no_compiler(fresh):
    fresh.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match=r"need a C\+\+ compiler: no-such-compiler was not found"):
        with kernels.use_kernels("cuda-emulated"):
            pass


def test_source_that_does_not_compile(fresh, tmp_path):
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match="could not compile a kernel for the CPU"):
        build._library("this is no C++", ())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_libraries_are_kept(fresh, tmp_path):
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = 'extern "C" __global__ void nothing(integer n) {}'
    flags = "-Dinteger=int", "-DINTEGER=int"
    build._library(text, flags)
    (library,) = tmp_path.rglob("*.so")
    before = library.stat().st_mtime_ns
    build._library(text, flags)
    assert library.stat().st_mtime_ns == before
    build._library(text + "\n", flags)
    assert len(list(tmp_path.rglob("*.so"))) == 2


def test_a_folder_of_its_own_where_the_cache_cannot_be_written(fresh, tmp_path):
    (tmp_path / "file").write_text("")
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = build._folder()
    assert folder.is_dir() and tmp_path not in folder.parents
    folder.rmdir()
