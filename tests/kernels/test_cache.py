"""The cache of machine code: what is wrong with it costs time and nothing else."""

import importlib.util
import multiprocessing
import os
import sys
from pathlib import Path
from types import FunctionType

import numba
import numpy as np
import pytest

from minception.kernels import cpu
from minception.kernels.cpu import cache, winograd
from minception.kernels.cpu import compile as compilation
from minception.kernels.cpu.cache import fingerprint

for path in sorted(Path(cpu.__file__).parent.glob("*.py")):
    importlib.import_module(f"{cpu.__name__}.{path.stem}")

SOURCE = """
from minception.kernels.cpu.compile import compiled, compiled_exactly
{imports}
STEP = 1

@compiled
def add(x):
    for i in range(len(x)):
        x[i] += STEP
"""


@pytest.fixture(autouse=True)
def beside_the_source(monkeypatch):
    """Keep machine code beside the source, whatever NUMBA_CACHE_DIR says; and forget these functions afterwards."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(compilation, "_declared", list(compilation._declared))


def load(folder, source=None, name="kernels_to_cache"):
    """A module as in a new process, from `source` or what the file holds already."""
    path = folder / f"{name}.py"
    if source is not None:
        path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(folder, source=None, dtype=np.float32, step=1):
    """Whether a new process would find `add` in the cache; it must add what it should in any case."""
    module = load(folder, source)
    x = np.zeros(3, dtype)
    module.add(x)
    np.testing.assert_array_equal(x, step)
    return sum(module.add.stats.cache_hits.values()) == 1


@pytest.fixture(autouse=True)
def nothing_is_left_half_written(tmp_path):
    """Looked for when all is over: while other processes compile, they have files under temporary names."""
    yield
    assert not list(tmp_path.rglob("*.tmp*"))


def files(folder, kind):
    found = sorted(folder.glob(f"__pycache__/*.{kind}"))
    assert found
    return found


def source(imports=""):
    return SOURCE.format(imports=imports)


def test_the_second_start_finds_what_the_first_compiled(tmp_path):
    assert not start(tmp_path, source())
    assert start(tmp_path)
    assert not start(tmp_path, dtype=np.float64) and start(tmp_path, dtype=np.float64) and start(tmp_path)


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["empty", "half", "noise", "a folder"])
def test_damaged_files_are_compiled_anew_and_mended(tmp_path, kind, damage):
    start(tmp_path, source())
    for path in files(tmp_path, kind):
        content = path.read_bytes()
        path.unlink()
        if damage == "a folder":
            path.mkdir()
        else:
            path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "noise": b"\x93" * 99}[damage])
    assert not start(tmp_path)
    assert start(tmp_path) == (damage != "a folder")


def test_code_for_other_types_is_not_run(tmp_path):
    """Two processes that number their files alike can leave an index that calls one's code by the other's types."""
    start(tmp_path, source())
    start(tmp_path, dtype=np.float64)
    first, second = files(tmp_path, "nbc")
    first.rename(tmp_path / "kept")
    second.rename(first)
    (tmp_path / "kept").rename(second)
    assert not start(tmp_path)
    assert not start(tmp_path, dtype=np.float64)
    assert start(tmp_path) and start(tmp_path, dtype=np.float64)


def test_without_a_folder_it_is_compiled_at_every_start(tmp_path, monkeypatch):
    """The source's folder, the user's and NUMBA_CACHE_DIR: none can be written."""
    (tmp_path / "__pycache__").write_text("a file where the folder would be")
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, os.devnull + "/nowhere")
    monkeypatch.setattr(numba.config, "CACHE_DIR", os.devnull + "/nowhere")
    assert not start(tmp_path, source())
    assert not compilation.is_cached(sys.modules["kernels_to_cache"].add)
    assert not start(tmp_path)


def test_without_the_source_folder_it_is_kept_in_that_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "__pycache__").write_text("a file where the folder would be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert not start(tmp_path, source())
    assert start(tmp_path)
    assert list((tmp_path / "user").rglob("*.nbc"))


def test_a_folder_that_vanishes_or_a_full_disk(tmp_path, monkeypatch):
    module = load(tmp_path, source())

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._open_for_write", full)
    x = np.zeros(2, np.float32)
    module.add(x)
    assert x.tolist() == [1, 1]


def test_changes_of_what_a_function_calls_are_seen(tmp_path):
    """Numba looks at the function's own file only."""
    sys.path.insert(0, str(tmp_path))
    try:
        other = "from minception.kernels.cpu.compile import compiled\nONE = {}\n@compiled\ndef step():\n    return {}\n"
        text = source("from step_of_add import step, ONE").replace("+= STEP", "+= step() * ONE")
        load(tmp_path, other.format(1, 1), "step_of_add")
        assert not start(tmp_path, text) and start(tmp_path)
        load(tmp_path, other.format(1, 2), "step_of_add")
        assert not start(tmp_path, step=2) and start(tmp_path, step=2)
        load(tmp_path, other.format(3, 2), "step_of_add")
        assert not start(tmp_path, step=6)
    finally:
        sys.path.remove(str(tmp_path))


def test_options_are_part_of_the_key(tmp_path):
    load(tmp_path, source())
    start(tmp_path)
    files_before = len(files(tmp_path, "nbc"))
    text = source().replace("@compiled\n", "@compiled_exactly\n")
    assert not start(tmp_path, text)
    assert len(files(tmp_path, "nbc")) >= files_before


def test_fingerprints_are_the_same_in_every_process(tmp_path):
    """Also of sets, whose order depends on the process."""
    text = "def f(x):\n    return x in {'a', 'b', 'c', 'd', 'e'}\n"
    module = load(tmp_path, text, "named")
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(_fingerprint_of, (str(tmp_path),)) == fingerprint(module.f)


def _fingerprint_of(folder):
    return fingerprint(load(Path(folder), name="named").f)


def test_two_processes_at_once(tmp_path):
    load(tmp_path, source())
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        assert pool.map(_start_in_process, [(str(tmp_path), i) for i in range(8)]) == [True] * 8
    # Of two that write the index together, the later may not have seen the other's entry: that is compiled once more.
    start(tmp_path)
    start(tmp_path, dtype=np.float64)
    assert start(tmp_path) and start(tmp_path, dtype=np.float64)


def _start_in_process(task):
    folder, number = task
    numba.config.CACHE_DIR = ""
    start(Path(folder), dtype=np.float32 if number % 2 else np.float64)
    return True


def test_watching(tmp_path):
    module, seen = load(tmp_path, source()), []
    with compilation.watch_compilation(lambda f: seen.append(("+", f)), lambda f: seen.append(("-", f))):
        numba.njit(lambda x: x)(1)  # none of ours
        module.add(np.zeros(2))
        module.add(np.zeros(2))
    module.add(np.zeros(2, np.float32))
    assert seen == [("+", module.add), ("-", module.add)]
    with compilation.watch_compilation(seen.append, seen.append):
        load(tmp_path).add(np.zeros(2))  # which is in the cache
    assert len(seen) == 2


def test_no_two_compiled_functions_have_the_same_name():
    """Compiled by two processes and loaded by a third, one would run in place of the other, whatever it computes."""
    pending, named = [function.py_func for function in compilation._declared], {}
    while pending:
        function = pending.pop()
        name = function.__module__, function.__qualname__
        if named.setdefault(name, function) is function:
            globals_ = [function.__globals__.get(name) for name in function.__code__.co_names]
            for value in globals_ + [cell.cell_contents for cell in function.__closure__ or ()]:
                if isinstance(value, FunctionType) and value not in named.values():
                    pending.append(value)
        else:
            raise AssertionError(f"two functions are called {name}")
    assert len(named) > 60
    assert (winograd.__name__, "_to_kernel") in named


INTRINSIC = """
from numba import types
from numba.extending import intrinsic
from kernels_to_use import Generator

def make(generator):
    def generate(context, builder, signature, arguments):
        return generator.add(context, builder, arguments[0])

    @intrinsic
    def stepped(context, value):
        return types.float64(value), generate

    return stepped

stepped = make(Generator())

from minception.kernels.cpu.compile import compiled

@compiled
def add(x):
    for i in range(len(x)):
        x[i] = stepped(x[i])
"""
GENERATOR = """
from llvmlite import ir

class Generator:
    def add(self, context, builder, value):
        return builder.fadd(value, ir.Constant(value.type, {step}))
"""


def test_change_of_what_an_intrinsic_generates_is_seen(tmp_path, monkeypatch):
    """It is in a method of a class of another file, which no name in the compiled function leads to."""
    monkeypatch.syspath_prepend(tmp_path)
    for step, found in ((1.0, False), (1.0, True), (2.0, False)):
        cache._folder_hash.cache_clear()
        load(tmp_path, GENERATOR.format(step=step), "kernels_to_use")
        assert start(tmp_path, INTRINSIC, np.float64, step) == found
