"""Convolution on tensor cores: factors are rounded, and nothing else is less precise than in float32."""

import numpy as np
import pytest

import minception as mc
from minception.kernels import reference
from minception.kernels.cuda import conv, product
from minception.kernels.cuda.device import compute_capability
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
FRACTION_BITS = {"tf32": 10, "bfloat16": 7, "float16": 10}
PRECISIONS = pytest.mark.parametrize("precision", FRACTION_BITS)
EPS = 2.0**-23


@pytest.fixture(autouse=True)
def kept(request):
    precision = getattr(request.node, "callspec", None) and request.node.callspec.params.get("precision")
    if OF_GPU == "cuda" and precision and compute_capability() < product.OLDEST[precision]:
        pytest.skip(f"this GPU has no tensor cores for {precision}")
    with settings_kept():
        yield


def rounded(array, precision):
    """The nearest numbers of a precision, as float64; TF32 rounds halves away from zero, the others to even."""
    if precision == "float16":
        return array.astype(np.float16).astype(np.float64)
    bits = FRACTION_BITS[precision]
    fraction, exponent = np.frexp(np.asarray(array, np.float64))  # 1/2 <= |fraction| < 1
    scaled = fraction * 2.0 ** (bits + 1)
    nearest = np.trunc(scaled + np.copysign(0.5, scaled)) if precision == "tf32" else np.round(scaled)
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
    if OF_GPU == "cuda" and name == "pointwise":
        judge_cublas(actual, x, weight, bias, g, call.options, precision)
        return
    factors = [rounded(array, precision) for array in (x, weight, g)]
    bias = None if bias is None else bias.astype(np.float64)
    expected = results(*factors[:2], bias, factors[2], call.options)
    magnitudes = results(*map(np.abs, factors[:2]), None if bias is None else abs(bias), abs(factors[2]), call.options)
    for result, (values, count) in expected.items():
        magnitude = magnitudes[result][0]
        rounding.judge(result, actual[result], values, np.float32, 2 * count + 1, magnitude, magnitude, largest=10.0)


def judge_cublas(actual, x, weight, bias, g, options, precision):
    """cuBLAS may bring factors to this precision or to a finer one, and cut instead of rounding: by a step at most."""
    inputs = [None if array is None else array.astype(np.float64) for array in (x, weight, bias, g)]
    magnitudes = results(*[None if array is None else abs(array) for array in inputs], options)
    for result, (values, count) in results(*inputs, options).items():
        bound = (2 * 2.0 ** -FRACTION_BITS[precision] + (count + 2) * EPS) * magnitudes[result][0]
        assert (abs(actual[result] - values) <= bound).all(), result


@PRECISIONS
def test_factors_are_rounded_to_the_nearest(precision):
    """Products with one, which is kept: numbers below, at and above the middle between two neighbours."""
    mc.set_precision(precision)
    step = 2.0 ** -FRACTION_BITS[precision]
    values = np.array([1, 1 + step / 4, 1 + 0.75 * step, 1 + 1.5 * step, np.inf, np.nan], np.float32)
    found = run_forward(values)
    np.testing.assert_array_equal(found[:4], [1, 1, 1 + step, 1 + 2 * step])  # halves: away from zero, to even alike
    np.testing.assert_array_equal(found[4:], values[4:])


@PRECISIONS
def test_large_and_small_numbers(precision):
    """float16 alone has no place for them; its neighbours are equally far from each other below 2^-14."""
    mc.set_precision(precision)
    values = np.array([1e30, -1e-30, 65519, 65520, 2.0**-24, 1.4 * 2.0**-24, 2.0**-25, -3 * 2.0**-25], np.float32)
    found = run_forward(values)
    if precision == "float16":
        tiny = 2.0**-24
        np.testing.assert_array_equal(found, [np.inf, 0, 65504, np.inf, tiny, tiny, 0, -2 * tiny])
    else:
        np.testing.assert_allclose(found, values, rtol=2.0 ** -FRACTION_BITS[precision])


def run_forward(values):
    """Each number times one, by our kernel: where there is padding, cuBLAS cannot do it."""
    with kernels_of(OF_GPU):
        x = values.reshape(-1, 1, 1, 1)
        return mc.kernels.conv2d(x, np.ones((1, 1, 1, 1), np.float32), padding=(0, 1))[:, 0, 0, 1]


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
    assert product.COMPUTE.keys() == product.OLDEST.keys() == set(mc.kernels.settings.PRECISIONS)


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
