"""Numeric check of gradients by central differences, in float64."""

import numpy as np

from .autograd import no_grad
from .kernels.checks import positive, real
from .kernels.transfer import to_numpy
from .tensor import Tensor, as_tensor

ELEMENTWISE_LIMIT = 256
DIRECTIONS = 8


class GradcheckError(AssertionError):
    """An analytic gradient differs from the numeric one; the message names the worst element and both values."""


@np.errstate(all="ignore")
def gradcheck(function, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, seed=0):
    """Compare the gradients of `function(*inputs)` with central differences; return True if they agree.

    A random cotangent v (drawn from `seed`) makes the outputs, one tensor or several, a scalar <v, f(x)>. Inputs
    of up to 256 elements are checked element by element, larger ones along 8 random directions of unit-variance
    entries; if a direction disagrees, the disagreement is traced to one element by halving. An element agrees if
    |analytic - numeric| <= atol + rtol * |numeric|. The slopes along a direction must differ by no more than
    atol + rtol * (root mean square of the gradient), the tolerance of one typical element, so that one wrong
    element is not lost among thousands of right ones.

    Every input that requires a gradient must be a float64 leaf and every floating output float64 (ValueError
    otherwise); integer outputs are passed over. A function that gives
    different values for equal inputs raises ValueError, and so does an eps that is not positive; a function that does
    not return tensors raises TypeError. Disagreement raises GradcheckError, or returns False if
    `raise_exception` is False.

    Inputs may lie on a GPU: the function runs there, the comparison on the CPU.

    The truncation error of a central difference is O(eps**2), its rounding error about 1e-16 / eps relative to
    the size of the scalar (Press et al., "Numerical Recipes", 3rd edition, section 5.7).
    """
    if not callable(function):
        raise TypeError(f"gradcheck: function must be callable, got {function!r}")
    eps = positive("gradcheck", "eps", eps)
    atol, rtol = real("gradcheck", "atol", atol), real("gradcheck", "rtol", rtol)
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = [position for position, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    if not checked:
        raise ValueError("gradcheck: no input requires a gradient")
    for position in checked:
        if inputs[position].dtype != np.float64 or not inputs[position].is_leaf:
            raise ValueError(f"gradcheck: input {position} must be a float64 leaf")
    rng = np.random.default_rng(seed)
    scalar = _Scalar(function, inputs, rng)
    for position, analytic in zip(checked, scalar.gradients(checked), strict=True):
        check = _check_elements if analytic.size <= ELEMENTWISE_LIMIT else _check_directions
        message = check(scalar, position, analytic, eps, atol, rtol, rng)
        if message and not raise_exception:
            return False
        if message:
            raise GradcheckError(f"gradcheck: input {position}: {message}")
    return True


class _Scalar:
    """<v, f(x)> for a fixed random v, as a function of one displaced input."""

    def __init__(self, function, inputs, rng):
        self.function = function
        self.inputs = inputs
        values = [to_numpy(output._array) for output in self._outputs(inputs)]
        again = [to_numpy(output._array) for output in self._outputs(inputs)]
        if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(values, again, strict=True)):
            raise ValueError("gradcheck: the function gives different values for the same inputs (random?)")
        self.cotangents = [rng.standard_normal(value.shape) for value in values]

    def _outputs(self, inputs):
        outputs = self.function(*inputs)
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"gradcheck: function must return tensors, got {type(output).__name__}")
        outputs = [output for output in outputs if output.is_floating_point()]
        if any(output.dtype != np.float64 for output in outputs):
            raise ValueError(f"gradcheck: floating outputs must be float64, got {[str(o.dtype) for o in outputs]}")
        return outputs

    def gradients(self, checked):
        """Analytic gradients of the checked inputs; zeros where nothing depends on one."""
        fresh = [t.detach().requires_grad_() if i in checked else t for i, t in enumerate(self.inputs)]
        total = 0.0
        for output, cotangent in zip(self._outputs(fresh), self.cotangents, strict=True):
            total = (output * as_tensor(cotangent, device=output.device)).sum().cpu() + total
        if isinstance(total, Tensor) and total.requires_grad:
            total.backward()
        return [
            np.zeros(fresh[i].shape) if fresh[i].grad is None else to_numpy(fresh[i].grad._array) for i in checked
        ]

    def slope(self, position, direction, eps):
        """Central difference along `direction`, an array of the input's shape."""
        values = []
        for sign in (1, -1):
            inputs = list(self.inputs)
            x = inputs[position]
            inputs[position] = Tensor(to_numpy(x._array) + sign * eps * direction, device=x.device)
            with no_grad():
                outputs = self._outputs(inputs)
            values.append([to_numpy(output._array) for output in outputs])
        difference = sum(
            float((cotangent * (up - down)).sum())
            for cotangent, up, down in zip(self.cotangents, *values, strict=True)
        )
        return difference / (2 * eps)


def _excess(analytic, numeric, tolerance):
    """How far a pair is from agreeing; positive, or NaN, if it disagrees."""
    return abs(analytic - numeric) - tolerance


def _describe(index, analytic, numeric):
    return f"worst element {index}: analytic {analytic:.10g}, numeric {numeric:.10g}"


def _unit(shape, flat_index):
    direction = np.zeros(shape)
    direction.flat[flat_index] = 1
    return direction


def _index(flat_index, shape):
    return tuple(map(int, np.unravel_index(flat_index, shape)))


def _check_elements(scalar, position, analytic, eps, atol, rtol, rng):
    numeric = np.array([scalar.slope(position, _unit(analytic.shape, i), eps) for i in range(analytic.size)])
    excess = _excess(analytic.ravel(), numeric, atol + rtol * abs(numeric))
    if not excess.size or np.all(excess <= 0):
        return None
    worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    count = np.count_nonzero(~(excess <= 0))
    text = _describe(_index(worst, analytic.shape), analytic.flat[worst], numeric[worst])
    return f"{text} ({count} of {analytic.size} disagree)"


def _check_directions(scalar, position, analytic, eps, atol, rtol, rng):
    tolerance = atol + rtol * np.sqrt(np.mean(analytic**2))
    for _ in range(DIRECTIONS):
        direction = rng.standard_normal(analytic.shape)
        numeric = scalar.slope(position, direction, eps)
        along = float((analytic * direction).sum())
        if not _excess(along, numeric, tolerance) <= 0:
            worst = _trace(scalar, position, analytic, direction, eps)
            element = scalar.slope(position, _unit(analytic.shape, worst), eps)
            text = _describe(_index(worst, analytic.shape), analytic.flat[worst], element)
            return f"{text}; along a random direction: analytic {along:.10g}, numeric {numeric:.10g}"
    return None


def _trace(scalar, position, analytic, direction, eps):
    """Flat index of an element whose gradient is wrong: keep the half of the direction that disagrees more."""
    if not np.isfinite(analytic).all():
        return int(np.argmin(np.isfinite(analytic)))
    candidates = np.arange(analytic.size)
    while candidates.size > 1:
        errors = []
        halves = np.array_split(candidates, 2)
        for half in halves:
            part = np.zeros(analytic.shape)
            part.flat[half] = direction.flat[half]
            errors.append(abs(scalar.slope(position, part, eps) - float((analytic * part).sum())))
        candidates = halves[int(np.argmax(np.nan_to_num(errors, nan=np.inf)))]
    return int(candidates[0])
