"""Ten kinds of shapes and patterns in colour, drawn by a program: a data set that is there on every machine.

Each picture has 32 x 32 pixels: a shape or pattern of random colour, place, size and turn on a background of random
colour, in uneven light, with a faint spot in the way, and noise. Neither colour nor any single pixel says anything
about the class, so a linear classifier does badly and a small convolutional network well.

Only sums, products, quotients, square roots, comparisons and floor are used, each rounded exactly, on the random
generator's integers and uniform numbers: the same seed gives the same bytes on every machine.
"""

import numbers

import numpy as np

from .dataset import ImageDataset, TrainTest, to_channels_first

SIZE = 32
CHUNK = 100  # pictures drawn at a time
SIN_60, SIN_45 = 0.8660254037844386, 0.7071067811865476


def synthetic_shapes(train_size=10_000, test_size=2_000, *, seed=0):
    """`TrainTest` of `train_size` and `test_size` images uint8 (N, 3, 32, 32); the 10 classes are equally frequent.

    The test images come from a random stream of their own. Raises ValueError for a size that is not positive
    or a negative seed, TypeError for one that is not an integer.
    """
    for argument, value in (("train_size", train_size), ("test_size", test_size), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(f"synthetic_shapes: {argument} must be an integer, got {value!r}")
    if seed < 0:
        raise ValueError(f"synthetic_shapes: seed must not be negative, got {seed}")
    if min(train_size, test_size) < 1:
        raise ValueError(f"synthetic_shapes: sizes must be positive, got {train_size} and {test_size}")
    train, test = np.random.SeedSequence(seed).spawn(2)
    return TrainTest(
        _dataset("synthetic training set", train_size, np.random.Generator(np.random.PCG64(train))),
        _dataset("synthetic test set", test_size, np.random.Generator(np.random.PCG64(test))),
    )


def _dataset(name, count, rng):
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(SHAPES))
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for label, shape in enumerate(SHAPES.values()):
        (members,) = np.nonzero(labels == label)
        for start in range(0, len(members), CHUNK):
            chosen = members[start : start + CHUNK]
            images[chosen] = _paint(shape(len(chosen), rng), rng)
    return ImageDataset(name, to_channels_first(images), labels, tuple(SHAPES))


def _paint(coverage, rng):
    """Colour pictures uint8 (n, H, W, 3) from the share of each pixel that the shape covers: (n, H, W)."""
    n = len(coverage)
    background, foreground = _two_colours(n, rng)
    picture = background + coverage[..., None] * (foreground - background)
    rows, columns = _pixels()
    light = 1 + _uniform(rng, n, -0.3, 0.3) * rows / SIZE + _uniform(rng, n, -0.3, 0.3) * columns / SIZE
    picture *= light[..., None]
    spot = 0.4 * _inside(_length(*_frame(n, rng, reach=14)) - _uniform(rng, n, 2, 4))[..., None]
    picture += spot * (_uniform(rng, (n, 1), 0, 255) - picture)
    strength = rng.integers(1, 13, (n, 1, 1, 1))
    noise = rng.integers(-3, 4, (2, *picture.shape), np.int8).sum(axis=0, dtype=np.int16) * strength
    return np.clip(np.floor(picture + noise + 0.5), 0, 255).astype(np.uint8)


def _two_colours(n, rng):
    """Two colours (n, 1, 1, 3) in 0...255, each uniformly distributed, at least 76 apart in every channel."""
    first = rng.random((n, 1, 1, 3))
    apart = _uniform(rng, (n, 3), 0.3, 0.5).reshape(first.shape) * (2 * rng.integers(0, 2, first.shape) - 1)
    return 255 * first, 255 * ((first + apart) % 1.0)


def _uniform(rng, n, low, high):
    """Random numbers (n, 1, 1), or (n, c, 1, 1) for n = (n, c), in low...high."""
    n = n if isinstance(n, tuple) else (n,)
    return low + (high - low) * rng.random((*n, 1, 1))


def _pixels():
    """Row and column of each pixel's centre, from the middle of the picture: (H, 1) and (1, W)."""
    position = np.arange(SIZE) - (SIZE - 1) / 2
    return position[:, None], position[None, :]


def _frame(n, rng, reach=7.0, turn=1.0, diagonal=False):
    """Coordinates u, v (n, H, W) of the pixels, in pixels, in a frame of random origin and turn for each picture.

    The origin is at most `reach` away from the middle in either direction. The turn is the angle whose half has a
    tangent of at most `turn` (1: any angle up to a right one), on top of 45 degrees to either side if `diagonal`.
    """
    half = _uniform(rng, n, -turn, turn)
    cos, sin = (1 - half**2) / (1 + half**2), 2 * half / (1 + half**2)  # no trigonometry: see the top
    if diagonal:
        side = 2 * rng.integers(0, 2, (n, 1, 1)) - 1
        cos, sin = SIN_45 * (cos - side * sin), SIN_45 * (sin + side * cos)
    rows, columns = _pixels()
    rows, columns = rows - _uniform(rng, n, -reach, reach), columns - _uniform(rng, n, -reach, reach)
    return columns * cos + rows * sin, rows * cos - columns * sin


def _length(u, v):
    return np.sqrt(u * u + v * v)


def _inside(distance):
    """The share of a pixel that lies inside an edge, from its signed distance in pixels (negative inside)."""
    return np.clip(0.5 - distance, 0, 1)


def _stripes(u, period):
    """Coverage by stripes across the direction u, half a period wide."""
    phase = u / period
    return _inside((np.abs(phase - np.floor(phase) - 0.5) - 0.25) * period)


def _disc(n, rng):
    return _inside(_length(*_frame(n, rng)) - _uniform(rng, n, 5, 10))


def _square(n, rng):
    u, v = _frame(n, rng)
    return _inside(np.maximum(np.abs(u), np.abs(v)) - _uniform(rng, n, 4.5, 9))


def _triangle(n, rng):
    u, v = _frame(n, rng)
    sides = np.maximum(np.maximum(SIN_60 * u - v / 2, -SIN_60 * u - v / 2), v)
    return _inside(sides - _uniform(rng, n, 3.5, 6.5))


def _cross(n, rng):
    u, v = _frame(n, rng)
    u, v, arm = np.abs(u), np.abs(v), _uniform(rng, n, 6, 11)
    return _inside(np.minimum(np.maximum(u - arm, v - 0.3 * arm), np.maximum(u - 0.3 * arm, v - arm)))


def _ring(n, rng):
    radius = _uniform(rng, n, 5, 9)
    return _inside(np.abs(_length(*_frame(n, rng)) - radius) - 0.25 * radius)


def _horizontal_stripes(n, rng):
    return _stripes(_frame(n, rng, turn=0.08)[1], _uniform(rng, n, 5, 11))


def _vertical_stripes(n, rng):
    return _stripes(_frame(n, rng, turn=0.08)[0], _uniform(rng, n, 5, 11))


def _diagonal_stripes(n, rng):
    return _stripes(_frame(n, rng, turn=0.08, diagonal=True)[0], _uniform(rng, n, 5, 11))


def _checkerboard(n, rng):
    u, v = _frame(n, rng, turn=0.08)
    period = _uniform(rng, n, 7, 14)
    first, second = _stripes(u, period), _stripes(v, period)
    return first * (1 - second) + second * (1 - first)


def _blobs(n, rng):
    """Four soft spots that may melt together."""
    bumps = [1 / (1 + (_length(*_frame(n, rng, reach=12)) / _uniform(rng, n, 2, 4)) ** 2) ** 2 for _ in range(4)]
    return np.minimum(sum(bumps), 1)


SHAPES = {
    "disc": _disc,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "ring": _ring,
    "horizontal stripes": _horizontal_stripes,
    "vertical stripes": _vertical_stripes,
    "diagonal stripes": _diagonal_stripes,
    "checkerboard": _checkerboard,
    "blobs": _blobs,
}
