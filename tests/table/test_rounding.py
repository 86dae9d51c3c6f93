"""Ours rounds no worse than torch: the worst float32 errors of both, against float64.

Run with `--error-table` to see them, in multiples of eps * magnitude (see `rounding`).
"""

import numpy as np
import pytest
from hypothesis import example, given

from .homes import HOMES
from .rounding import TORCH_CEILING, TORCH_FACTOR, TORCH_FLOOR, worst_error
from .table import TABLE

ROUNDING = {name: row for name, row in TABLE.items() if row.roundings != 0}


def worst_errors(operation, home):
    """{result: [worst error of ours, of torch's float32]} over the row's drawn and named cases."""
    worst = {}
    face = next(iter(operation.faces))

    def measure(case):
        truth = operation.truth(case)
        ours = operation.run(face, home, case.call(np.float32))
        with np.errstate(all="ignore"):
            theirs = operation.theirs(case.call(np.float32))
        for name, expected in truth.results.items():
            if expected.dtype.kind == "f":
                magnitude = truth.of(truth.magnitudes, name)
                errors = [worst_error(np.asarray(r[name]), expected, magnitude) for r in (ours, theirs)]
                worst[name] = np.maximum(worst.get(name, (0.0, 0.0)), errors).tolist()

    measured = given(operation.cases)(measure)
    for case in operation.examples.values():
        measured = example(case)(measured)
    measured()
    return worst


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("operation", ROUNDING.values(), ids=list(ROUNDING))
def test_error_is_no_larger_than_that_of_torch(operation, home, record_property):
    worst = worst_errors(operation, home)
    record_property("rounding", (operation.name, home, worst))
    for name, (ours, theirs) in worst.items():
        counted = min(max(theirs, TORCH_FLOOR), TORCH_CEILING)
        assert ours <= TORCH_FACTOR * counted, f"{name}: {ours:.2f} eps, torch {theirs:.2f}"
