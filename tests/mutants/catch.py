"""Run the suite's tests of a row, or others, until one fails."""

import functools
import importlib

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.kept_settings import settings_kept
from tests.table import test_layouts, test_values
from tests.table.homes import HOMES
from tests.table.table import TABLE

FIND_ONLY = settings(phases=(Phase.explicit, Phase.generate), report_multiple_bugs=False, database=None)

property_of_values = test_values.test_equals_torch.hypothesis.inner_test
property_of_layouts = test_layouts.test_layout_does_not_matter.hypothesis.inner_test


def suite_for(mutant):
    """(test id, function without arguments), the named cases first."""
    for name in mutant.rows:
        row = TABLE[name]
        for face in row.faces:
            for home in HOMES:
                for title, case in row.examples.items():
                    for dtype in (np.float32, np.float64):
                        where = f"{name}-{face}-{title}-{home}-{np.dtype(dtype)}"
                        yield f"test_named_case_equals_torch[{where}]", _named(row, face, case, home, dtype)
        for face in row.faces:
            for home in HOMES:
                yield f"test_equals_torch[{name}-{face}-{home}]", _drawn(property_of_values, row, face, home)
        for face in row.faces:
            for home in HOMES:
                for layout in test_layouts.ALL:
                    where = f"{name}-{face}-{home}-{layout}"
                    yield f"test_named_cases_in_every_layout[{where}]", _in_layout(row, face, home, layout)
                test = _drawn(property_of_layouts, row, face, home)
                yield f"test_layout_does_not_matter[{name}-{face}-{home}]", test
    for path in mutant.tests:
        module, _, function = path.partition(":")
        yield path.replace(":", "::"), _other(getattr(importlib.import_module(f"tests.{module}"), function))


def _named(row, face, case, home, dtype):
    return lambda: test_values.test_named_case_equals_torch(row, face, case, home, dtype)


def _in_layout(row, face, home, layout):
    return lambda: test_layouts.test_named_cases_in_every_layout(row, face, home, layout)


def _drawn(holds, row, face, home):
    @FIND_ONLY
    @given(data=st.data())
    def test(data):
        holds(row, face, home, data)

    return test


@functools.cache  # hypothesis accepts settings once
def _other(test):
    if not hasattr(test, "hypothesis"):
        return test
    return FIND_ONLY(test)


def catching_test(mutant):
    """(test id, message) of the first test that fails while the mutant is in place; None if none does.

    Each test starts on two threads and leaves the settings as they were: it runs without its fixtures.
    """
    for name, test in suite_for(mutant):
        try:
            with settings_kept(num_threads=2):
                test()
        except (Exception, pytest.fail.Exception) as error:  # a wrong kernel may also crash
            text = str(error).strip().splitlines() or [type(error).__name__]
            return name, text[0]
    return None
