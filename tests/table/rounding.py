"""How far a right answer may be from the truth: the one place where tolerances come from.

Computing in floating point, every operation rounds, by at most u = eps / 2 relative to its result. A number that is
made by n roundings, none of whose intermediate results exceeds `magnitude`, is therefore off by at most n u magnitude,
and, as roundings go up as often as down, hardly ever by more than

    lambda * sqrt(n) * u * magnitude,

which is exceeded with probability at most 2 exp(-lambda^2 / 2) (Higham and Mary, "A new approach to probabilistic
rounding error analysis", SIAM Journal on Scientific Computing 41, 2019, theorem 2.4). With lambda = 8 that is one
number in 10^13. So a row of the table states two things about each of its results, and no tolerance:

- `magnitude`: for a sum of products the same sum over absolute values; in general the size of the terms that it is
  the sum of. It is an array: where little is added up, little may be lost.
- `roundings`: how many roundings lie on the way, for a sum of K products 2K. 0 for results that are only moved
  around, which then must be equal to the last bit.

Below the smallest normal number, precision is lost in steps of the smallest subnormal number. One step for each
rounding is allowed, times the largest number in the call: what underflowed may be multiplied by it afterwards.
"""

import numpy as np

LAMBDA = 8.0
TORCH_FACTOR = 2.0  # ours may err this many times as much as torch's float32,
TORCH_FLOOR = 1.0  # counting torch's error as at least this many eps: it is sometimes exact by luck,
TORCH_CEILING = 2.0  # and as at most this many: where torch cancels digits away, that is no excuse


def allowed(dtype, roundings, magnitude, largest):
    """Largest credible error of numbers of this magnitude that `roundings` roundings have touched; an array."""
    limits = np.finfo(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        error = LAMBDA * np.sqrt(roundings) * limits.eps / 2 * magnitude
    return error + np.ceil(roundings) * max(1.0, largest) * float(limits.smallest_subnormal)


def judge(name, actual, expected, dtype, roundings, magnitude, torch_magnitude, largest):
    """Assert that `actual` is `expected` (float64, or integers) up to rounding; return the worst error in eps.

    The error is counted in multiples of eps * magnitude. What torch's float64 itself may have lost, at terms of
    `torch_magnitude`, is allowed on top. `largest` is the largest number in the call. Infinities and NaN must stand
    where they are expected.
    """
    actual = np.asarray(actual)
    assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, torch has {expected.shape}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected, name)
        return 0.0
    assert actual.dtype == dtype, f"{name}: dtype {actual.dtype}, should be {np.dtype(dtype)}"
    with np.errstate(over="ignore"):
        rounded = expected.astype(dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(actual[~finite], rounded[~finite], f"{name}: infinities and NaN differ")

    def at_finite(value):
        return np.broadcast_to(value, expected.shape)[finite]

    roundings, magnitude = at_finite(roundings), at_finite(magnitude)
    error = np.abs(actual[finite].astype(np.float64) - expected[finite])
    limit = allowed(dtype, roundings, magnitude, largest)
    limit += allowed(np.float64, roundings, at_finite(torch_magnitude), largest)
    wrong = ~(error <= limit)
    if wrong.any():
        worst = np.argmax(np.where(wrong, error / np.maximum(limit, 1e-300), -1))
        index = tuple(int(i) for i in np.argwhere(finite)[worst])
        raise AssertionError(
            f"{name}{list(index)} is {actual[index]!r}, torch in float64 has {expected[index]!r}: off by "
            f"{error[worst]:.3g}, allowed {limit[worst]:.3g} ({roundings[worst]:.3g} roundings at magnitude "
            f"{magnitude[worst]:.3g}); {np.count_nonzero(wrong)} of {error.size} elements are wrong"
        )
    return _in_eps(error, magnitude, dtype)


def worst_error(actual, expected, magnitude):
    """The largest error in multiples of eps * magnitude, where that can be told; nothing is asserted."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(expected.astype(actual.dtype)) & np.isfinite(actual)
    error = np.abs(actual[finite].astype(np.float64) - expected[finite])
    return _in_eps(error, np.broadcast_to(magnitude, expected.shape)[finite], actual.dtype)


def _in_eps(error, magnitude, dtype):
    scale = np.finfo(dtype).eps * magnitude
    counted = scale > np.finfo(dtype).tiny  # below, eps is not the measure
    return float((error[counted] / scale[counted]).max(initial=0))
