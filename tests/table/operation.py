"""A row of the table: an operation, its counterpart in torch, its arguments, and what is known of its rounding."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis.strategies import SearchStrategy

from minception import kernels
from tests.kept_settings import settings_kept

from .case import Call, Case
from .faces import by_torch
from .on_gpu import kernels_of
from .rounding import judge


def by_absolute_values(theirs):
    """Magnitudes of an operation that is linear in each of its inputs: its results for absolute values."""

    def magnitudes(call, results):
        return {name: np.abs(result) for name, result in theirs(call.changed(np.abs)).items()}

    return magnitudes


def by_absolute_cotangent(theirs):
    """Magnitudes of an operation that only moves its inputs around: its results for an absolute cotangent."""

    def magnitudes(call, results):
        return {name: np.abs(result) for name, result in theirs(replace(call, change=np.abs)).items()}

    return magnitudes


def by_ones(theirs):
    """Roundings of a sum of products: for ones, the result is the number of products, and each rounds twice."""

    def roundings(call, results):
        return {name: 2 * np.abs(result) for name, result in theirs(call.changed(np.ones_like)).items()}

    return roundings


@dataclass(frozen=True, kw_only=True, repr=False)
class Operation:
    """One row.

    torch: the torch function, called with a case's inputs, constants and options by name.
    cases: the hypothesis strategy for valid calls. examples: calls that must never be missing, by name.
    faces: the ways to call ours, by name: "kernel", "function", "method", "layer", ... (see `faces`).
    proves: the public names that the faces go through, e.g. "kernels.conv2d", "nn.Conv2d".
    roundings, magnitudes: functions of (call in float64, results in float64), or a number of roundings; what a
        result lacks in them is taken from "*". By default those of a sum of products. See `rounding`.
    torch_magnitudes: the same for torch's float64, where its formula rounds larger terms than need be.
    in_place: arrays that the operation is meant to change.
    """

    name: str
    torch: Callable
    cases: SearchStrategy
    faces: dict
    proves: tuple
    roundings: object = None
    magnitudes: object = None
    torch_magnitudes: object = None
    examples: dict = field(default_factory=dict)
    in_place: tuple = ()
    dtypes: tuple = (np.float32, np.float64)

    def __repr__(self):
        return f"<{self.name}>"

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))  # hypothesis would print every field of a failing row

    @property
    def theirs(self):
        """torch's results as a function of a call."""
        return by_torch(self.torch) if not isinstance(self.torch, Theirs) else self.torch.results

    def truth(self, case, lay_out=None):
        """torch's results in float64, with their magnitudes and numbers of roundings."""
        call = case.call(np.float64, lay_out)
        with np.errstate(all="ignore"):
            results = self.theirs(call)
            magnitudes = (self.magnitudes or by_absolute_values(self.theirs))(call, results)
            roundings = self.roundings
            if roundings is None:
                roundings = by_ones(self.theirs)(call, results)
            elif callable(roundings):
                roundings = roundings(call, results)
            torch_magnitudes = self.torch_magnitudes(call, results) if self.torch_magnitudes else magnitudes
        return Truth(results, roundings, magnitudes, torch_magnitudes, largest_number(call, results))

    def run(self, face, home, call: Call, threads=2):
        """Results of one face with the kernels of one home; fails if an input was written to."""
        before = {name: a.copy() for name, a in call.arrays.items() if name not in self.in_place}
        with kernels_of(home), settings_kept(threads):
            results = self.faces[face](call)
        for name, copy in before.items():
            np.testing.assert_array_equal(call.arrays[name], copy, f"{self.name}: the input {name} was written to")
        return results


def largest_number(call, results):
    """The largest finite magnitude among the arrays of a call, the cotangent of its output included."""
    arrays = [a for a in call.arrays.values() if a.dtype.kind == "f"]
    if "output" in results:
        arrays.append(call.cotangent(results["output"].shape))
    return max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays), default=0.0)


@dataclass(frozen=True)
class Theirs:
    """Marks a torch counterpart that goes from a `Call` to results by itself."""

    results: Callable


@dataclass(frozen=True)
class Truth:
    """What the results should be, and how well they can be known."""

    results: dict
    roundings: object
    magnitudes: dict
    torch_magnitudes: dict
    largest: float

    def of(self, table, name):
        """What a table of roundings or magnitudes says of one result."""
        if not isinstance(table, dict):
            return table
        return table[name] if name in table else table["*"]

    def judge(self, results, dtype):
        """Assert that `results` are the truth up to rounding; return the worst error of each, in eps."""
        assert set(results) >= set(self.results), f"missing: {set(self.results) - set(results)}"
        worst = {}
        for name in self.results:
            known = (self.of(table, name) for table in (self.roundings, self.magnitudes, self.torch_magnitudes))
            worst[name] = judge(name, results[name], self.results[name], dtype, *known, self.largest)
        return worst


def kernel_face(function):
    """A face from a function of (kernels, call): kernels called one by one, without any autograd."""

    def results(call):
        found = function(kernels, call)
        assert all(isinstance(a, np.ndarray) for a in found.values()), "a kernel returned what is not an array"
        return found

    return results


__all__ = [
    "Call",
    "Case",
    "Operation",
    "Theirs",
    "Truth",
    "by_absolute_cotangent",
    "by_absolute_values",
    "by_ones",
    "kernel_face",
]
