"""No mutant survives: each wrong kernel, applied to the running code, turns a test of the suite red.

Run with `--mutant-table` to see which test catches which.
"""

import pytest

from .catalogue import MUTANTS
from .catch import catching_test, suite_for
from .mutation import applied, bare, locate


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
@pytest.mark.filterwarnings("ignore")  # a wrong kernel may divide by zero on its way
def test_mutant_is_caught(mutant, record_property):
    with applied(mutant):
        caught = catching_test(mutant)
    assert caught, f"survived: {mutant.name} ({mutant.function})"
    record_property("mutant", (mutant.name, mutant.function, *caught))


def test_the_suite_passes_again_when_a_mutant_is_gone():
    mutant = MUTANTS[0]
    right = bare(locate(mutant.function)[2]).__code__
    with applied(mutant):
        assert bare(locate(mutant.function)[2]).__code__ is not right
    assert bare(locate(mutant.function)[2]).__code__ is right
    for _, test in suite_for(mutant):
        test()


def test_the_list_is_long_and_its_names_are_unique():
    assert len(MUTANTS) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.rows or mutant.tests for mutant in MUTANTS)
