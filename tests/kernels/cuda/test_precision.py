"""Convolution on tensor cores: factors are rounded, and nothing else is less precise than in float32."""

import numpy as np
import pytest

import minception as mc
from minception.kernels import reference
from minception.kernels.cuda import conv
from tests.kept_settings import settings_kept
from tests.table import rounding
from tests.table.homes import OF_GPU, ON_GPU
from tests.table.on_gpu import kernels_of

from .mutants import mistakes
from .test_mutants import applied, error_of
from .test_values import ORDERS, run

ROW = ON_GPU["conv2d"]
NAMES = (
    "one pixel", "pointwise", "pointwise, grouped", "stride that does not divide", "everything at once",
    "groups of many outputs", "groups of many channels", "few channels, many outputs", "long sums",
)  # fmt: skip
FRACTION_BITS = {"tf32": 10, "bfloat16": 7}
PRECISIONS = pytest.mark.parametrize("precision", FRACTION_BITS)


@pytest.fixture(autouse=True)
def kept():
    with settings_kept():
        yield


def rounded(array, bits):
    """The nearest numbers whose fraction has so many bits, as float64; TF32 rounds halves away from zero."""
    fraction, exponent = np.frexp(np.asarray(array, np.float64))  # 1/2 <= |fraction| < 1
    scaled = fraction * 2.0 ** (bits + 1)
    nearest = np.trunc(scaled + np.copysign(0.5, scaled)) if bits == 10 else np.round(scaled)
    return np.ldexp(nearest / 2.0 ** (bits + 1), exponent)


def results(x, weight, bias, g, options):
    """{name: (the three passes in float64, how many products each element adds up)}."""
    found = {
        "output": reference.conv2d(x, weight, bias, **options),
        "grad x": reference.conv2d_backward_input(g, weight, x.shape, **options),
        "grad weight": reference.conv2d_backward_weight(g, x, weight.shape, **options),
    }
    counts = weight[0].size, weight[:, 0].size, g[:, 0].size
    return {name: (result, count) for (name, result), count in zip(found.items(), counts, strict=True)}


@PRECISIONS
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NAMES)
def test_equals_products_of_rounded_factors(name, precision, order):
    mc.set_precision(precision)
    call = ROW.examples[name].call(np.float32)
    x, weight, bias = (call.inputs[n] for n in ("x", "weight", "bias"))
    g = call.cotangent(reference.conv2d(x, weight, None, **call.options).shape)
    actual = run(ROW, ROW.examples[name], np.float32, order)
    factors = [rounded(array, FRACTION_BITS[precision]) for array in (x, weight, g)]
    bias = None if bias is None else bias.astype(np.float64)
    expected = results(*factors[:2], bias, factors[2], call.options)
    magnitudes = results(*map(np.abs, factors[:2]), None if bias is None else abs(bias), abs(factors[2]), call.options)
    for result, (values, count) in expected.items():
        magnitude = magnitudes[result][0]
        rounding.judge(result, actual[result], values, np.float32, 2 * count + 1, magnitude, magnitude, largest=10.0)


@PRECISIONS
def test_factors_are_rounded_to_the_nearest(precision):
    """Products with one, which is kept: numbers below, at and above the middle between two neighbours."""
    mc.set_precision(precision)
    step = 2.0 ** -FRACTION_BITS[precision]
    values = np.array([1, 1 + step / 4, 1 + 0.75 * step, 1 + 1.5 * step, 1e30, -1e-30, np.inf, np.nan], np.float32)
    found = run_forward(values)
    np.testing.assert_array_equal(found[:4], [1, 1, 1 + step, 1 + 2 * step])  # halves: away from zero, to even alike
    np.testing.assert_allclose(found[4:6], values[4:6], rtol=step)
    np.testing.assert_array_equal(found[6:], values[6:])


def run_forward(values):
    with kernels_of(OF_GPU):
        x = values.reshape(-1, 1, 1, 1)
        return mc.kernels.conv2d(x, np.ones((1, 1, 1, 1), np.float32)).reshape(-1)


@PRECISIONS
def test_float64_and_other_homes_are_not_concerned(precision, rng):
    x, weight = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((4, 3, 3, 3))
    single = x.astype(np.float32), weight.astype(np.float32)
    with kernels_of(OF_GPU):
        double, full = mc.kernels.conv2d(x, weight), mc.kernels.conv2d(*single)
    on_cpu = mc.kernels.conv2d(*single)
    mc.set_precision(precision)
    with kernels_of(OF_GPU):
        np.testing.assert_array_equal(mc.kernels.conv2d(x, weight), double)
        assert (mc.kernels.conv2d(*single) != full).any()
    np.testing.assert_array_equal(mc.kernels.conv2d(*single), on_cpu)


def test_float32_is_the_default_and_every_other_precision_has_its_file():
    assert mc.get_precision() == "float32"
    assert conv.TENSOR_CORES.keys() == FRACTION_BITS.keys()
    assert (set(mc.kernels.settings.PRECISIONS) - conv.TENSOR_CORES.keys()) == {"float32"}


MISTAKES = mistakes(
    "tensor_cores.cuh",
    ("eight rows for sixteen", "[row(2 * i + n % 2)]", "[row(2 * i)]"),
    ("four columns of the left matrix for eight", "a[k + member() + n / 2 * 4]", "a[k + member()]"),
    ("four rows of the right matrix for eight", "b[k + member() + 4]", "b[k + member()]"),
    ("columns of the right matrix by member", "8 * j + group()", "8 * j + member()"),
    ("half of a slice", "k < SLICE; k += 8", "k < 8; k += 8"),
    ("warps side by side on the same columns", "threadIdx.x / 32 % 2 * (WIDTH / 2)", "0"),
    ("warps above each other on the same rows", "threadIdx.x / 64 * (HEIGHT / 4)", "0"),
    ("sums of a thread four columns apart", "2 * member() + j % 2", "member() + j % 2 * 4"),
    ("sums only of the last products", "float block[4] = {sums[2 * i][2 * j],", "float block[4] = {0,"),
    rows=["conv2d"],
)


@pytest.mark.parametrize("mutant", MISTAKES, ids=[mutant.name for mutant in MISTAKES])
def test_mutant_is_caught(mutant, monkeypatch, tmp_path):
    with applied(mutant, monkeypatch, tmp_path):
        tests = [lambda name=name: test_equals_products_of_rounded_factors(name, "tf32", "forward") for name in NAMES]
        assert any(map(error_of, tests))


@pytest.mark.parametrize("bits", [9, 11])
def test_other_fractions_are_noticed(bits, monkeypatch):
    """Had the kernels one bit more or less, the results would differ by more than is allowed."""
    monkeypatch.setitem(FRACTION_BITS, "tf32", bits)
    assert error_of(lambda: test_equals_products_of_rounded_factors("long sums", "tf32", "forward"))
