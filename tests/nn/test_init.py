"""Initial values: bounds, mean, variance and shape of the distributions, and that a seed reproduces them.

The tolerances are five standard errors: for K independent values of variance v and fourth central moment m, the mean
has standard error sqrt(v / K) and the sample variance sqrt((m - v^2) / K), which a right program exceeds with
probability below 1e-6. The seed is fixed, so a test that passes once passes always.
"""

import math

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from minception.nn import init

SHAPE = (64, 32, 3, 5)  # fan_in 480, fan_out 960
FAN_IN, FAN_OUT = 480, 960
STANDARD_ERRORS = 5


def tensor(*shape, dtype=np.float32):
    return nn.Parameter(np.zeros(shape or SHAPE, dtype))


def assert_moments(values, mean, variance, fourth):
    values = np.asarray(values, np.float64).reshape(-1)
    count = values.size
    assert abs(values.mean() - mean) < STANDARD_ERRORS * math.sqrt(variance / count)
    assert abs(values.var() - variance) < STANDARD_ERRORS * math.sqrt((fourth - variance**2) / count)


def assert_distributed(values, cdf):
    """Kolmogorov and Smirnov: the empirical distribution is d or more away with probability 2 exp(-2 K d^2) < 1e-6."""
    values = np.sort(np.asarray(values, np.float64).reshape(-1))
    ranks = np.arange(1, values.size + 1) / values.size
    distance = np.abs(ranks - np.array([cdf(v) for v in values])).max()
    assert distance < math.sqrt(math.log(2e6) / (2 * values.size))


def assert_uniform(values, low, high):
    values = np.asarray(values, np.float64)
    rounding = np.finfo(np.float32).eps * max(abs(low), abs(high))
    assert low - rounding <= values.min() and values.max() <= high + rounding
    width = high - low
    # K values all stay a share t of the width away from an end with probability (1 - t)^K < exp(-K t).
    near = width * math.log(1e6) / values.size
    assert values.min() < low + near and values.max() > high - near
    assert_moments(values, (low + high) / 2, width**2 / 12, width**4 / 80)
    assert_distributed(values, lambda v: (v - low) / width)


def assert_normal(values, mean, std):
    assert_moments(values, mean, std**2, 3 * std**4)
    assert_distributed(values, lambda v: 0.5 * (1 + math.erf((v - mean) / (std * math.sqrt(2)))))


@pytest.fixture(autouse=True)
def seed():
    mc.manual_seed(0)


def test_uniform_and_normal():
    assert_uniform(init.uniform_(tensor()), 0, 1)
    assert_uniform(init.uniform_(tensor(), -2.0, 3.0), -2, 3)
    assert_normal(init.normal_(tensor()), 0, 1)
    assert_normal(init.normal_(tensor(), 2.0, 0.1), 2, 0.1)


def test_constants():
    np.testing.assert_array_equal(np.asarray(init.constant_(tensor(2, 3), 0.5)), 0.5)
    np.testing.assert_array_equal(np.asarray(init.ones_(tensor(2, 3))), 1)
    np.testing.assert_array_equal(np.asarray(init.zeros_(init.ones_(tensor(2, 3)))), 0)


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_xavier(gain):
    std = gain * math.sqrt(2 / (FAN_IN + FAN_OUT))
    assert_uniform(init.xavier_uniform_(tensor(), gain), -math.sqrt(3) * std, math.sqrt(3) * std)
    assert_normal(init.xavier_normal_(tensor(), gain), 0, std)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(
    ("nonlinearity", "a", "gain"),
    [("relu", 0, math.sqrt(2)), ("leaky_relu", 0.5, math.sqrt(1.6)), ("linear", 0, 1.0), ("tanh", 0, 5 / 3)],
)
def test_kaiming(mode, nonlinearity, a, gain):
    std = gain / math.sqrt({"fan_in": FAN_IN, "fan_out": FAN_OUT}[mode])
    bound = math.sqrt(3) * std
    assert_uniform(init.kaiming_uniform_(tensor(), a, mode, nonlinearity), -bound, bound)
    assert_normal(init.kaiming_normal_(tensor(), a, mode, nonlinearity), 0, std)


def test_kaiming_defaults_are_torchs():
    bound = math.sqrt(6 / FAN_IN)
    assert_uniform(init.kaiming_uniform_(tensor()), -bound, bound)
    assert_normal(init.kaiming_normal_(tensor()), 0, math.sqrt(2 / FAN_IN))


def test_fans_of_a_matrix_are_its_sides():
    assert_normal(init.kaiming_normal_(tensor(300, 50), mode="fan_in"), 0, math.sqrt(2 / 50))
    assert_normal(init.kaiming_normal_(tensor(300, 50), mode="fan_out"), 0, math.sqrt(2 / 300))


def truncated(mean, std, a, b):
    """Distribution function, and mean and variance by the closed forms, of the truncated normal distribution."""

    def density(z):
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    # erfc keeps digits in the tails, where 1 + erf loses them.
    def mass(low, high):
        if low > 0:
            low, high = -high, -low
        return 0.5 * (math.erfc(-high / math.sqrt(2)) - math.erfc(-low / math.sqrt(2)))

    low, high = (a - mean) / std, (b - mean) / std
    whole = mass(low, high)
    first = (density(low) - density(high)) / whole
    second = 1 + (low * density(low) - high * density(high)) / whole
    return lambda v: mass(low, (v - mean) / std) / whole, mean + std * first, std**2 * (second - first**2)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0.0, 1.0, -2.0, 2.0),
        (0.0, 0.02, -2.0, 2.0),
        (0.0, 0.1, -0.2, 0.2),
        (1.0, 2.0, 0.5, 0.9),  # little of the distribution: uniform proposals
        (0.0, 1.0, 3.0, 4.0),  # the upper tail
        (0.0, 1.0, -50.0, -4.0),  # the lower tail, a wide interval
        (0.0, 1.0, 0.0, 1.0),
        (-1.0, 0.5, -1.1, 8.0),
    ],
)
def test_trunc_normal_is_the_normal_distribution_between_its_bounds(mean, std, a, b):
    values = np.asarray(init.trunc_normal_(tensor(dtype=np.float64), mean, std, a, b))
    assert a <= values.min() and values.max() <= b
    cdf, expected_mean, variance = truncated(mean, std, a, b)
    count = values.size
    assert abs(values.mean() - expected_mean) < STANDARD_ERRORS * math.sqrt(variance / count)
    # No closed form for the fourth moment is needed: the sample's own is near enough for a standard error.
    fourth = ((values - expected_mean) ** 4).mean()
    assert abs(values.var() - variance) < STANDARD_ERRORS * math.sqrt((fourth - variance**2) / count)
    assert_distributed(values, cdf)


def test_trunc_normal_reaches_both_sides():
    values = np.asarray(init.trunc_normal_(tensor()))
    assert values.min() < -1.9 and values.max() > 1.9


@pytest.mark.parametrize("options", [{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": -2.0}, {"std": 0.0}, {"std": -1.0}])
def test_trunc_normal_refuses_empty_intervals(options):
    with pytest.raises(ValueError, match="trunc_normal_: needs a < b and std > 0"):
        init.trunc_normal_(tensor(3), **options)


@pytest.mark.parametrize(
    ("nonlinearity", "param"),
    [
        ("linear", None),
        ("conv1d", None),
        ("conv2d", None),
        ("conv3d", None),
        ("sigmoid", None),
        ("tanh", None),
        ("relu", None),
        ("selu", None),
        ("leaky_relu", None),
        ("leaky_relu", 0),
        ("leaky_relu", 0.3),
        ("leaky_relu", math.sqrt(5)),
    ],
)
def test_calculate_gain_is_torchs(nonlinearity, param):
    assert init.calculate_gain(nonlinearity, param) == torch.nn.init.calculate_gain(nonlinearity, param)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: init.calculate_gain("gelu"), "unsupported nonlinearity 'gelu'"),
        (lambda: init.calculate_gain("leaky_relu", "0.1"), "negative_slope '0.1' is not a valid number"),
        (lambda: init.calculate_gain("leaky_relu", True), "negative_slope True is not a valid number"),
        (lambda: init.kaiming_uniform_(tensor(), mode="fan_mid"), "mode must be 'fan_in' or 'fan_out'"),
        (lambda: init.kaiming_normal_(tensor(5)), "at least 2 dimensions"),
        (lambda: init.xavier_uniform_(tensor(5)), "at least 2 dimensions"),
        (lambda: init.kaiming_normal_(tensor(), nonlinearity="gelu"), "unsupported nonlinearity"),
    ],
)
def test_wrong_arguments_fail(call, words):
    with pytest.raises(ValueError, match=words):
        call()


FILLERS = {
    "uniform_": lambda t, **k: init.uniform_(t, **k),
    "normal_": lambda t, **k: init.normal_(t, **k),
    "xavier_uniform_": lambda t, **k: init.xavier_uniform_(t, **k),
    "xavier_normal_": lambda t, **k: init.xavier_normal_(t, **k),
    "kaiming_uniform_": lambda t, **k: init.kaiming_uniform_(t, **k),
    "kaiming_normal_": lambda t, **k: init.kaiming_normal_(t, **k),
    "trunc_normal_": lambda t, **k: init.trunc_normal_(t, **k),
    "trunc_normal_, tail": lambda t, **k: init.trunc_normal_(t, a=2.0, b=3.0, **k),
}


@pytest.mark.parametrize("name", FILLERS)
def test_a_seed_reproduces_and_fills_the_tensor_itself(name):
    fill, target = FILLERS[name], tensor(4, 5)
    version = target._version
    assert fill(target) is target
    assert target.requires_grad and target.is_leaf and target._version > version
    second = np.array(fill(tensor(4, 5)))
    mc.manual_seed(0)
    np.testing.assert_array_equal(np.asarray(fill(tensor(4, 5))), np.asarray(target))
    assert (second != np.asarray(target)).any()


@pytest.mark.parametrize("name", FILLERS)
def test_a_generator_of_ones_own_leaves_the_default_alone(name):
    before = mc.default_generator().bit_generator.state
    first = FILLERS[name](tensor(4, 5), generator=np.random.default_rng(7))
    second = FILLERS[name](tensor(4, 5), generator=np.random.default_rng(7))
    np.testing.assert_array_equal(np.asarray(first), np.asarray(second))
    assert mc.default_generator().bit_generator.state == before


@pytest.mark.parametrize("name", FILLERS)
def test_float32_gets_the_float64_values_rounded(name):
    wide = FILLERS[name](tensor(4, 5, dtype=np.float64), generator=np.random.default_rng(7))
    narrow = FILLERS[name](tensor(4, 5), generator=np.random.default_rng(7))
    np.testing.assert_array_equal(np.asarray(narrow), np.asarray(wide).astype(np.float32), strict=True)


LAYERS = {
    "conv": (lambda package: package.Conv2d(48, 96, (3, 5)), 48 * 15),
    "grouped conv": (lambda package: package.Conv2d(64, 128, 3, groups=4), 16 * 9),
    "depthwise conv": (lambda package: package.Conv2d(512, 1024, 5, groups=512), 25),
    "linear": (lambda package: package.Linear(96, 512), 96),
}


@pytest.mark.parametrize("name", LAYERS)
def test_default_initialisation_is_torchs(name):
    build, fan_in = LAYERS[name]
    bound = 1 / math.sqrt(fan_in)
    torch.manual_seed(0)
    for layer in (build(nn), build(torch.nn)):
        for values in (layer.weight, layer.bias):
            array = values.detach().numpy()
            assert_uniform(array, -bound, bound)


def test_default_initialisation_of_depthwise_and_separable_layers():
    depthwise = nn.DepthwiseConv2d(1024, (3, 5), depth_multiplier=2)
    assert_uniform(depthwise.weight, -1 / math.sqrt(15), 1 / math.sqrt(15))
    assert_uniform(depthwise.bias, -1 / math.sqrt(15), 1 / math.sqrt(15))
    separable = nn.SeparableConv2d(256, 512, 3)
    assert_uniform(separable.depthwise.weight, -1 / 3, 1 / 3)
    assert_uniform(separable.pointwise.weight, -1 / 16, 1 / 16)


def test_a_seed_reproduces_a_network():
    def states():
        mc.manual_seed(5)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)).state_dict()

    first, second = states(), states()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


@pytest.mark.parametrize(
    "fill",
    [
        init.uniform_,
        init.normal_,
        init.trunc_normal_,
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.fan_in_uniform_,
    ],
)
def test_skip_init_draws_nothing(fill):
    state = mc.default_generator().bit_generator.state
    weight = tensor()
    with init.skip_init():
        assert fill(weight) is weight
        with pytest.raises(TypeError):
            fill(3)
    assert not weight.numpy().any()
    assert mc.default_generator().bit_generator.state == state
    assert fill(weight).numpy().any(), "the block has ended"


def test_layers_built_under_skip_init_are_complete():
    with init.skip_init():
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.DepthwiseConv2d(4, 3), nn.Linear(4, 2))
    assert model[1].weight.numpy().all(), "constants are filled in"
    drawn = [model[0].weight, model[0].bias, model[2].weight, model[3].weight]
    assert not any(parameter.numpy().any() for parameter in drawn)
