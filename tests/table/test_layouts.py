"""Memory is nobody's business: any layout gives the answer of a contiguous copy, and no input is written to.

Arrays come transposed, sliced out of larger ones (whose gaps hold NaN), reversed (negative strides), broadcast
(stride 0), in Fortran order, channels-last, read-only, and as one and the same array in two places of the call; the
gradient of the output too.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.inputs import LAYOUTS, in_layout

from .homes import HOMES
from .table import TABLE
from .test_values import FACES

SEPARATE = (*LAYOUTS, "transposed")
ALL = (*SEPARATE, "broadcast", "the same as another")  # the last two are not for arrays that are meant to be changed


def can_stand_for(other, array):
    """Whether a call that is valid with the array is so with the other one in its place.

    Variances stay positive, probabilities at least 0. And an infinite image as its own gradient would ask whether a
    zero of the padding is multiplied or skipped.
    """
    if (other.shape, other.dtype) != (array.shape, array.dtype) or not np.isfinite(other).all():
        return False
    return (other > 0).all() >= (array > 0).all() and (other >= 0).all() >= (array >= 0).all()


def place(array, layout, others):
    """The array in a layout; broadcast arrays, and shared ones, have other values."""
    if layout == "the same as another":
        alike = [o for o in others if can_stand_for(o, array)]
        return alike[0] if alike else array
    if layout == "broadcast" and array.ndim and array.shape[-1]:
        return np.broadcast_to(array[..., :1], array.shape)
    if layout == "transposed" and array.ndim > 1:
        return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)
    return in_layout(array, layout if layout in LAYOUTS else "contiguous")


class Memory:
    """Gives every array of a call a layout, and remembers it. `choose(options, label)` picks one of the options."""

    def __init__(self, choose, in_place):
        self.choose, self.in_place, self.given, self.copies = choose, in_place, {}, {}

    def __call__(self, name, array):
        if array.dtype.kind != "f":
            return array[::-1].copy()[::-1] if array.ndim else array
        layouts = SEPARATE if name in self.in_place else ALL
        placed = place(array, self.choose(layouts, f"layout of {name}"), self.given.values())
        if name not in self.in_place:
            self.given[name] = placed = placed.view()
            self.copies[name] = placed.copy()
            placed.flags.writeable = not self.choose((False, True), f"{name} is read-only")
        return placed

    def assert_untouched(self):
        """Nothing that was given, the gradient of the output included, has changed."""
        for name, array in self.given.items():
            np.testing.assert_array_equal(array, self.copies[name], f"{name} was written to")

    def contiguous(self, name, array):
        """A contiguous copy, in the dtype of `array`, of what was given under the name."""
        return np.array(self.given.get(name, array), array.dtype, order="C")


def check(operation, face, home, case, dtype, memory):
    """The results of a call laid out by `memory` are those of contiguous copies, and nothing was written to."""
    results = operation.run(face, home, case.call(dtype, memory))
    memory.assert_untouched()
    operation.truth(case, memory.contiguous).judge(results, dtype)


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("operation", "face"), FACES)
@given(data=st.data())
def test_layout_does_not_matter(operation, face, home, data):
    case = data.draw(operation.cases, label="case")
    dtype = data.draw(st.sampled_from(operation.dtypes), label="dtype")

    def choose(options, label):
        return data.draw(st.sampled_from(options), label=label)

    check(operation, face, home, case, dtype, Memory(choose, operation.in_place))


@pytest.mark.parametrize("layout", ALL)
@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("operation", "face"), FACES)
def test_named_cases_in_every_layout(operation, face, home, layout):
    """The first array of the call in the layout, the second contiguous, and so on."""
    for case in operation.examples.values():
        turns = itertools.cycle([layout, "contiguous"])

        def choose(options, label, turns=turns):
            wanted = next(turns) if label.startswith("layout") else True
            return wanted if wanted in options else "contiguous"

        check(operation, face, home, case, np.float32, Memory(choose, operation.in_place))


def test_layouts_are_what_they_are_called():
    array = np.arange(24.0).reshape(2, 3, 4)
    assert place(array, "broadcast", []).strides[-1] == 0
    assert place(array, "reversed", []).strides[-1] < 0
    assert place(array, "fortran", []).flags.f_contiguous
    assert not place(array, "sliced", []).flags.forc
    assert place(array, "transposed", []).strides[-1] != array.itemsize
    assert place(array, "the same as another", [array]) is array
    assert len(TABLE) > 50
