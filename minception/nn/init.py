"""Initial values: every function fills a tensor in place, unrecorded, and returns it.

Names and formulas are those of `torch.nn.init`. `generator` is a `numpy.random.Generator`; left out, the values are
drawn from `minception.default_generator()`, so that `minception.manual_seed` reproduces them. They are drawn in
float64 and then rounded, so that float32 and float64 models start from the same numbers.

The fans of a weight (O, I, ...) count what one output reads and what one input feeds: fan_in = I * receptive field,
fan_out = O * receptive field.

Errors, beside those that a function states: TypeError for something else than a tensor, for drawing into one that is
not floating, and for a generator or a number that is none.
"""

import math
from contextlib import contextmanager
from contextvars import ContextVar
from statistics import NormalDist

import numpy as np

from ..autograd import no_grad
from ..kernels.checks import real
from ..ops.arguments import require_tensors
from ..random import default_generator


def _fill(name, tensor, values):
    require_tensors(name, tensor=tensor)
    with no_grad():
        return tensor._in_place(name, Ellipsis, values)


def _random(name, tensor, generator, **numbers):
    """The generator to draw from. Requires a floating tensor, and real numbers."""
    require_tensors(name, tensor=tensor)
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: tensor must be floating, got {tensor.dtype}")
    for argument, value in numbers.items():
        real(name, argument, value)
    if generator is None:
        return default_generator()
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"{name}: generator must be a numpy.random.Generator, got {type(generator).__name__}")
    return generator


_skipping = ContextVar("skipping", default=False)


@contextmanager
def skip_init():
    """Inside the `with` block nothing is drawn: tensors keep the values they have, those of new layers are zeros.

    For networks that are about to be loaded, or only looked at: drawing takes most of the time of building a large one.
    Arguments are still checked, and constants are still filled in.
    """
    token = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(token)


def calculate_gain(nonlinearity, param=None):
    """By how much weights must be scaled up so that a nonlinearity keeps the variance of its input.

    1 for "linear", "conv1d", "conv2d", "conv3d" and "sigmoid", 5/3 for "tanh", sqrt(2) for "relu" (He et al. 2015,
    equation 10), sqrt(2 / (1 + slope^2)) for "leaky_relu" (equation 15), whose slope is `param` or 0.01, and 3/4
    for "selu". Raises ValueError for another name or a slope that is not a number.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: negative_slope {slope!r} is not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    gains = {
        "linear": 1.0,
        "conv1d": 1.0,
        "conv2d": 1.0,
        "conv3d": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "selu": 3 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(
            f"calculate_gain: unsupported nonlinearity {nonlinearity!r}, use one of leaky_relu, {', '.join(gains)}"
        )
    return gains[nonlinearity]


def _fans(name, tensor):
    require_tensors(name, tensor=tensor)
    if tensor.ndim < 2:
        raise ValueError(
            f"{name}: fan in and fan out need a weight with at least 2 dimensions (O, I, ...), got shape {tensor.shape}"
        )
    receptive_field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive_field, tensor.shape[0] * receptive_field


def _kaiming_std(name, tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _fans(name, tensor)
    gain = calculate_gain(nonlinearity, a)
    return gain / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Values from the uniform distribution on [a, b). Raises ValueError unless a <= b, both finite."""
    generator = _random("uniform_", tensor, generator, a=a, b=b)
    if not (a <= b and math.isfinite(b - a)):
        raise ValueError(f"uniform_: needs finite a <= b, got a={a}, b={b}")
    return tensor if _skipping.get() else _fill("uniform_", tensor, generator.uniform(a, b, tensor.shape))


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Values from the normal distribution with this mean and standard deviation. Raises ValueError unless std >= 0."""
    generator = _random("normal_", tensor, generator, mean=mean, std=std)
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, got {std}")
    return tensor if _skipping.get() else _fill("normal_", tensor, generator.normal(mean, std, tensor.shape))


def constant_(tensor, val):
    """The value `val` everywhere. Raises TypeError for what is not a real number."""
    return _fill("constant_", tensor, real("constant_", "val", val))


def zeros_(tensor):
    """Zeros."""
    return _fill("zeros_", tensor, 0)


def ones_(tensor):
    """Ones."""
    return _fill("ones_", tensor, 1)


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform on [-b, b], b = gain * sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation
    16. Raises ValueError for a tensor with fewer than 2 dimensions.
    """
    generator = _random("xavier_uniform_", tensor, generator, gain=gain)
    bound = gain * math.sqrt(6 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with mean 0 and standard deviation gain * sqrt(2 / (fan_in + fan_out)).

    Glorot and Bengio (2010), equation 12. Raises ValueError for a tensor with fewer than 2 dimensions.
    """
    generator = _random("xavier_normal_", tensor, generator, gain=gain)
    std = gain * math.sqrt(2 / sum(_fans("xavier_normal_", tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform on [-b, b], b = gain * sqrt(3 / fan), with the gain of `nonlinearity`, whose slope is `a`.

    He, Zhang, Ren and Sun, "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet
    Classification" (2015), equations 10 (fan_in) and 14 (fan_out), as a uniform distribution of the same variance.
    Raises ValueError for another mode or nonlinearity, or a tensor with fewer than 2 dimensions.
    """
    generator = _random("kaiming_uniform_", tensor, generator)
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with mean 0 and standard deviation gain / sqrt(fan).

    He, Zhang, Ren and Sun (2015), equations 10 (fan_in) and 14 (fan_out). Raises ValueError for another mode or
    nonlinearity, or a tensor with fewer than 2 dimensions.
    """
    generator = _random("kaiming_normal_", tensor, generator)
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def fan_in_uniform_(weight, bias=None, generator=None):
    """PyTorch's default for convolution and linear layers: weight and bias uniform on [-b, b], b = 1 / sqrt(fan_in).

    For the weight that is `kaiming_uniform_` with slope sqrt(5), whose gain is sqrt(1/3). Returns the weight.
    """
    generator = _random("fan_in_uniform_", weight, generator)
    fan_in, _ = _fans("fan_in_uniform_", weight)
    kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    if bias is not None:
        bound = 1 / math.sqrt(fan_in)
        uniform_(bias, -bound, bound, generator)
    return weight


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Values from the normal distribution with this mean and standard deviation, given that they lie in [a, b].

    `a` and `b` are values, not multiples of `std`. Values outside are drawn again; where the interval holds little of
    the distribution, uniform values on it are kept with the probability that the density gives (Robert, "Simulation
    of truncated normal variables", 1995, section 2.2). Raises ValueError unless a < b and std > 0.
    """
    generator = _random("trunc_normal_", tensor, generator, mean=mean, std=std, a=a, b=b)
    if not a < b or not std > 0:
        raise ValueError(f"trunc_normal_: needs a < b and std > 0, got a={a}, b={b}, std={std}")
    if _skipping.get():
        return tensor
    values = generator.normal(mean, std, tensor.shape).reshape(-1)
    pending = ((values < a) | (values > b)).nonzero()[0]
    normal = NormalDist(mean, std)
    likely = normal.cdf(b) - normal.cdf(a) > 0.3
    mode = min(max(mean, a), b)
    # Ten standard deviations from the mode the density has fallen below exp(-50) of its peak.
    low, high = max(a, mode - 10 * std), min(b, mode + 10 * std)
    while pending.size:
        if likely:
            drawn = generator.normal(mean, std, pending.size)
            accepted = (drawn >= a) & (drawn <= b)
        else:
            drawn = generator.uniform(low, high, pending.size)
            exponent = (mode - mean) ** 2 - (drawn - mean) ** 2
            accepted = 2 * std**2 * -generator.exponential(size=pending.size) < exponent
        values[pending[accepted]] = drawn[accepted]
        pending = pending[~accepted]
    return _fill("trunc_normal_", tensor, values.reshape(tensor.shape))
