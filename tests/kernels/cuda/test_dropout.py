"""Dropout on a GPU: its random numbers are Philox's, and the key and the shape alone decide what is kept."""

from pathlib import Path

import numpy as np
import pytest

from minception.kernels import cuda
from minception.kernels.cuda import launch
from minception.kernels.cuda.emulated import thread_order
from tests.kernels.inputs import LAYOUTS, in_layout, is_channels_last

from .mutants import mistakes
from .test_mutants import applied, error_of

KNOWN = [  # counter, key, random numbers: the authors' known answers, Random123, kat_vectors, "philox4x32 10"
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_known_answers(counter, key, expected):
    counter, key, expected = map(words, (counter, key, expected))
    given, found = np.array([*counter, *key], np.uint32), np.zeros(4, np.uint32)
    launch.launch(Path(__file__).with_name("philox.cu"), "four_numbers", np.float32, (1,), (1,), given, found)
    assert found.tolist() == philox(counter, key) == expected


def philox(counter, key):
    """Ten rounds, in Python's integers."""
    (c0, c1, c2, c3), (k0, k1), last = counter, key, (1 << 32) - 1
    for _ in range(10):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = second >> 32 ^ c1 ^ k0, second & last, first >> 32 ^ c3 ^ k1, first & last
        k0, k1 = k0 + 0x9E3779B9 & last, k1 + 0xBB67AE85 & last
    return [c0, c1, c2, c3]


def expected_mask(count, p, generator):
    """Which elements are kept, in their order in memory: of each 1024, e has number e // 256 of counter e % 256."""
    key = [int(k) % (1 << 32) for k in generator.integers(-(1 << 31), 1 << 31, 2)]
    numbers = {}
    for i in range(-(-count // 1024) * 256):
        for n, random in enumerate(philox([i, 0, 0, 0], key)):
            numbers[(i // 256 * 4 + n) * 256 + i % 256] = random
    return np.array([numbers[e] >= p * 2**32 for e in range(count)], bool)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 255, 257, 1024, 1025, 2600])
def test_mask(rng, count, dtype, order):
    x = rng.standard_normal(count).astype(dtype)
    used_before = [np.full(count, np.nan, dtype) for _ in range(4)]
    del used_before  # so that what nobody writes is NaN, and not what a test before has written
    with thread_order(order):
        output, mask = cuda.dropout(x, 0.3, generator(3))
    kept = expected_mask(count, 0.3, generator(3))
    np.testing.assert_array_equal(mask, kept * dtype(1 / 0.7))
    np.testing.assert_array_equal(output, x * mask)


@pytest.mark.parametrize("shape", [(), (0, 3), (6,), (4, 6), (3, 4, 5), (2, 3, 40, 5)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_seed_and_the_shape_alone_decide_the_mask(rng, shape, layout, monkeypatch):
    x = rng.standard_normal(shape)
    _, expected = cuda.dropout(np.ascontiguousarray(x).reshape(shape), 0.5, generator(7))
    monkeypatch.setattr(launch, "MOST_BLOCKS", 1)
    output, mask = cuda.dropout(in_layout(x, layout), 0.5, generator(7))
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(output, x * expected)
    if len(shape) == 4:
        assert is_channels_last(output) and is_channels_last(mask)
        memory = np.moveaxis(mask, 1, -1).reshape(-1) != 0
        np.testing.assert_array_equal(memory, expected_mask(mask.size, 0.5, generator(7)))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_drops_the_fraction_p_everywhere(p):
    shape = (20, 10, 20, 25)
    _, mask = cuda.dropout(np.ones(shape, np.float32), p, generator())
    deviation = np.sqrt(p * (1 - p))
    for axis in range(4):
        kept = (mask != 0).mean(axis=tuple(a for a in range(4) if a != axis))
        assert np.abs(kept - (1 - p)).max() < 6 * deviation / np.sqrt(mask.size / shape[axis])


def test_extremes_and_the_state_of_the_generator():
    x = np.array([1.0, -2.0, 3.0])
    used = [generator() for _ in range(3)]
    np.testing.assert_array_equal(cuda.dropout(x, 0, used[0])[0], x)
    for result in cuda.dropout(x, 1, used[1]):
        np.testing.assert_array_equal(result, np.zeros(3))
    cuda.dropout(np.ones(5000), 0.3, used[2])
    assert len({g.bit_generator.state["state"]["state"] for g in used}) == 1  # whatever p and the shape
    _, first = cuda.dropout(np.ones(100), 0.5, used[0])
    _, second = cuda.dropout(np.ones(100), 0.5, used[0])
    assert (first != second).any()


MISTAKES = [
    *mistakes(
        "philox.cuh",
        ("nine rounds", "round < 10", "round < 9"),
        ("keys stay", "key_0 += 0x9E3779B9;", ""),
        ("halves of a product exchanged", "c[1] = (unsigned)product_1;", "c[1] = (unsigned)product_0;"),
        rows=["dropout"],
    ),
    *mistakes(
        "dropout.cu",
        ("dropped and kept exchanged", "random.numbers[n] >= p", "random.numbers[n] < p"),
        ("survivors not scaled", "(number)scale : 0", "1 : 0"),
        ("the first of four numbers for all", "random.numbers[n]", "random.numbers[0]"),
        ("last elements left out", "divide_up(count, 4 * STRIDE)", "(count / (4 * STRIDE))"),
        rows=["dropout"],
    ),
]


@pytest.mark.parametrize("mutant", MISTAKES, ids=[mutant.name for mutant in MISTAKES])
def test_mutant_is_caught(mutant, monkeypatch, tmp_path):
    with applied(mutant, monkeypatch, tmp_path):
        assert error_of(lambda: test_mask(np.random.default_rng(0), 1025, np.float32, "forward"))
