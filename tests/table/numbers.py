"""The numbers that operations are tried on, as descriptions: small enough to print, exact enough to repeat.

A description holds a shape, a kind of values and a seed. All values are exactly representable in float32, so that the
float32 and the float64 version of a call mean the same numbers.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

KINDS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "ties": lambda rng, shape: rng.integers(-2, 3, shape),  # small integers: equal values and zeros abound
    "positive": lambda rng, shape: np.abs(rng.standard_normal(shape)) + 0.1,
    "weights": lambda rng, shape: rng.random(shape) * (rng.random(shape) < 0.7),  # not negative, some zero
    "offset": lambda rng, shape: 1e4 + 1e-2 * rng.standard_normal(shape),  # the deviation is a few float32 steps
    "large": lambda rng, shape: 1e4 * rng.standard_normal(shape),
    "huge": lambda rng, shape: np.full(shape, 1e30),  # whose products float32 cannot hold
    "subnormal": lambda rng, shape: 1e-40 * rng.standard_normal(shape),
    "mixed": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 5, shape),
    "uniform": lambda rng, shape: rng.random(shape),
    "eighths": lambda rng, shape: rng.integers(0, 8, shape) / 8,
    "zero": lambda rng, shape: np.zeros(shape),
    "one": lambda rng, shape: np.ones(shape),
    "lowest": lambda rng, shape: np.full(shape, -np.inf),
    "infinite": lambda rng, shape: np.where(
        rng.random(shape) < 0.25, rng.choice([np.inf, -np.inf], shape), rng.standard_normal(shape)
    ),
    "nonfinite": lambda rng, shape: np.where(
        rng.random(shape) < 0.25, rng.choice([np.inf, -np.inf, np.nan], shape), rng.standard_normal(shape)
    ),
}

seeds = st.integers(0, 2**32 - 1)
cotangents = st.sampled_from(["normal", "normal", "nonfinite"])


@dataclass(frozen=True)
class Numbers:
    """Floating-point numbers of one kind."""

    shape: tuple
    kind: str = "normal"
    seed: int = 0

    def array(self, dtype):
        rng = np.random.default_rng(self.seed)
        values = np.asarray(KINDS[self.kind](rng, self.shape), np.float64)
        return values.astype(np.float32).astype(dtype)


@dataclass(frozen=True)
class Given:
    """Numbers written out, as nested tuples."""

    values: tuple

    @property
    def shape(self):
        return np.shape(self.values)

    def array(self, dtype):
        return np.array(self.values, np.float32).astype(dtype)


@dataclass(frozen=True)
class Integers:
    """Integers from `low` to `high` - 1, and sometimes `other` (an ignored label, say); their dtype is fixed."""

    shape: tuple
    low: int
    high: int
    seed: int = 0
    other: int | None = None
    dtype: str = "int64"

    def array(self, dtype):
        rng = np.random.default_rng(self.seed)
        values = rng.integers(self.low, self.high, self.shape)
        if self.other is not None:
            values = np.where(rng.random(self.shape) < 0.3, self.other, values)
        return values.astype(self.dtype)


@st.composite
def numbers(draw, shape, *kinds):
    """`Numbers` of the shape, of one of the kinds ("normal" or "ties" if none is given)."""
    return Numbers(tuple(shape), draw(st.sampled_from(kinds or ("normal", "ties"))), draw(seeds))


@st.composite
def maybe(draw, strategy):
    """None, or what the strategy draws: an argument that may be left out."""
    return draw(strategy) if draw(st.booleans()) else None


def int_or_pair(smallest, largest):
    """An integer, or a pair of different ones for height and width."""
    number = st.integers(smallest, largest)
    return st.one_of(number, st.tuples(number, number))


def both(value):
    """(for height, for width) of an integer or a pair."""
    return value if isinstance(value, tuple) else (value, value)
