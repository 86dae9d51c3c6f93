"""No wrong CUDA kernel survives: each mistake turns a test of the table red, in one order of the threads or both."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minception.kernels.cuda import launch, source
from minception.kernels.cuda.emulated import build
from tests.mutants.catch import FIND_ONLY
from tests.table.homes import ON_GPU

from .mutants import MUTANTS
from .test_values import ORDERS, run


def changed_text(mutant, text):
    """The text of the file with the mistake in it."""
    times = text.count(mutant.old)
    assert times == mutant.times, f"{mutant.name}: {mutant.old!r} is {times} times in {mutant.file}"
    parts = text.split(mutant.old)
    before, after = mutant.old.join(parts[: mutant.at + 1]), mutant.old.join(parts[mutant.at + 1 :])
    return before + mutant.new + after


@contextmanager
def applied(mutant, monkeypatch, folder):
    """The mistake in the sources, as a folder of its own; nothing is optimised, because compiling takes longer."""
    for path in (*source.FOLDER.glob("*.cu"), *source.FOLDER.glob("*.cuh")):
        text = path.read_text()
        (folder / path.name).write_text(changed_text(mutant, text) if path.name == mutant.file else text)
    with monkeypatch.context() as patch:
        patch.setattr(source, "FOLDER", folder)
        patch.setattr(build, "_folder", lambda: folder)
        patch.setattr(build, "FLAGS", (*build.FLAGS, "-O0"))
        forget()
        try:
            yield
        finally:
            forget()


def forget():
    source.source_text.cache_clear()
    launch._emulated.cache_clear()


def catching_test(mutant):
    """(test, message) of the first test that fails, or None. In float32: one library for each mistake."""
    for name in mutant.rows:
        row = ON_GPU[name]
        for title, case in row.examples.items():
            for order in ORDERS:
                error = error_of(lambda row=row, case=case, order=order: judge(row, case, order))
                if error:
                    return f"test_named_case_equals_torch[{name}-{title}-float32], {order}", error
        if error := error_of(lambda row=row: drawn(row)):
            return f"test_equals_torch[{name}]", error
    return None


def judge(row, case, order):
    row.truth(case).judge(run(row, case, np.float32, order), np.float32)


def drawn(row):
    @FIND_ONLY
    @given(data=st.data())
    def test(data):
        judge(row, data.draw(row.cases), data.draw(st.sampled_from(ORDERS)))

    test()


def error_of(test):
    try:
        test()
    except Exception as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
@pytest.mark.filterwarnings("ignore")
def test_mutant_is_caught(mutant, monkeypatch, tmp_path, record_property):
    with applied(mutant, monkeypatch, tmp_path):
        caught = catching_test(mutant)
    assert caught, f"survived: {mutant.name} ({mutant.file})"
    record_property("mutant", (mutant.name, f"kernels/cuda/{mutant.file}", *caught))


def test_names_are_unique():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
