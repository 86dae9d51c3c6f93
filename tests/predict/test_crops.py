"""The views of a picture: how many, and which part of it each shows, on pictures whose pixels say where they are."""

import numpy as np
import pytest
from PIL import Image

from minception.models import Preprocessing
from minception.predict import PictureError, crops_of, prepare
from minception.predict.images import to_array

from .small import noise

GOOGLENET, INCEPTION_V3 = Preprocessing(256, 224), Preprocessing(342, 299)
SIDES = {224: (256, 288, 320, 352), 299: (342, 384, 427, 470)}  # 341.7, 384.4, 427.1 and 469.9, rounded
SHAPES = {"landscape": (800, 600), "portrait": (600, 900), "square": (640, 640), "barely landscape": (601, 600)}


def positions(width, height):
    """Two PIL images of floating-point pixels: the x of each pixel's centre, and the y."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return Image.fromarray(x.astype(np.float32)), Image.fromarray(y.astype(np.float32))


def half_even(number):
    whole = int(number)
    return whole + (whole % 2 if number - whole == 0.5 else round(number - whole))


def windows_144(width, height, size):
    """For each view (x0, y0, step, mirror): its pixel (i, j) is centred at (x0 + (i + 0.5) * step, y0 + ...) of the
    picture resized to shorter side `side`, together with the picture's pixels per pixel of it in x and in y.
    """
    for side in SIDES[size]:
        landscape = width >= height
        longer = int(side * max(width, height) / min(width, height))
        per_pixel = (width / longer, height / side) if landscape else (width / side, height / longer)
        for start in (0, half_even((longer - side) / 2), longer - side):
            left, top = (start, 0) if landscape else (0, start)
            rest = side - size
            middle = half_even(rest / 2)
            for dx, dy in ((0, 0), (rest, 0), (0, rest), (rest, rest), (middle, middle)):
                for mirror in (False, True):
                    yield left + dx, top + dy, 1.0, mirror, per_pixel
            for mirror in (False, True):
                yield left, top, side / size, mirror, per_pixel


def windows_10(width, height, resized, size):
    """The same for the 10 views."""
    longer = int(resized * max(width, height) / min(width, height))
    landscape = width >= height
    start = half_even((longer - resized) / 2)
    left, top = (start, 0) if landscape else (0, start)
    per_pixel = (width / longer, height / resized) if landscape else (width / resized, height / longer)
    rest = resized - size
    middle = half_even(rest / 2)
    for dx, dy in ((0, 0), (rest, 0), (0, rest), (rest, rest), (middle, middle)):
        for mirror in (False, True):
            yield left + dx, top + dy, 1.0, mirror, per_pixel


def check(shape, preprocessing, count, windows):
    """Every view shows what its window says: to a quarter of a pixel inside, since resizing weighs what is left and
    right not quite evenly (one pixel of a view is more than one of the picture); to two at its corners, where there may
    be nothing on one side.
    """
    size = preprocessing.crop
    across, down = positions(*shape)
    views = list(zip(crops_of(across, preprocessing, count), crops_of(down, preprocessing, count), strict=True))
    windows = list(windows)
    assert len(views) == len(windows) == count
    for number, ((x_view, y_view), (left, top, step, mirror, per_pixel)) in enumerate(zip(views, windows, strict=True)):
        assert x_view.size == y_view.size == (size, size)
        columns, rows = (
            (start + (np.arange(size) + 0.5) * step) * ratio
            for start, ratio in zip((left, top), per_pixel, strict=True)
        )
        columns = columns[::-1] if mirror else columns
        x, y = np.asarray(x_view), np.asarray(y_view)
        inside = slice(size // 10, -(size // 10))
        np.testing.assert_allclose(x[:, inside], np.tile(columns[inside], (size, 1)), atol=0.25, err_msg=f"{number}")
        np.testing.assert_allclose(y[inside].T, np.tile(rows[inside], (size, 1)), atol=0.25, err_msg=f"{number}")
        for i in (0, -1):
            for j in (0, -1):
                np.testing.assert_allclose((x[i, j], y[i, j]), (columns[j], rows[i]), atol=2, err_msg=f"{number}")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("preprocessing", [GOOGLENET, INCEPTION_V3], ids=["224", "299"])
def test_144_crops(shape, preprocessing):
    check(SHAPES[shape], preprocessing, 144, windows_144(*SHAPES[shape], preprocessing.crop))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("preprocessing", [GOOGLENET, INCEPTION_V3], ids=["224", "299"])
def test_10_crops(shape, preprocessing):
    windows = windows_10(*SHAPES[shape], preprocessing.resize, preprocessing.crop)
    check(SHAPES[shape], preprocessing, 10, windows)


def test_some_of_the_windows_by_hand():
    """800x600 at scale 256 is 341x256; the squares begin at 0, 42 (42.5) and 85."""
    windows = [window[:4] for window in windows_144(800, 600, 224)]
    assert len(windows) == 144
    assert windows[:4] == [(0, 0, 1, False), (0, 0, 1, True), (32, 0, 1, False), (32, 0, 1, True)]
    assert windows[8:14] == [
        *((16, 16, 1, False), (16, 16, 1, True)),
        *((0, 0, 256 / 224, False), (0, 0, 256 / 224, True)),
        *((42, 0, 1, False), (42, 0, 1, True)),
    ]
    assert windows[24] == (85, 0, 1, False)
    assert windows[-1] == (469 - 352, 0, 352 / 224, True)


@pytest.mark.parametrize("count", [10, 144])
def test_mirrored_pairs(count):
    views = [np.asarray(view) for view in crops_of(noise(600, 400), GOOGLENET, count)]
    for view, mirror in zip(views[::2], views[1::2], strict=True):
        np.testing.assert_array_equal(mirror, view[:, ::-1])
        assert (mirror != view).any()
    different = {view.tobytes() for view in views}
    assert len(different) == count


def test_the_squares_of_a_square_picture_are_the_same():
    views = [np.asarray(view) for view in crops_of(noise(400, 400), GOOGLENET, 144)]
    for start in range(0, 144, 36):
        for i in range(start, start + 12):
            np.testing.assert_array_equal(views[i], views[i + 12])
            np.testing.assert_array_equal(views[i], views[i + 24])


@pytest.mark.parametrize("size", [(340, 260), (260, 343), (500, 500)])
def test_one_crop_is_the_centre(size):
    picture = noise(*size)
    (view,) = crops_of(picture, GOOGLENET)
    np.testing.assert_array_equal(to_array(view, GOOGLENET).transpose(2, 0, 1), prepare(picture, GOOGLENET))
    ten = [np.asarray(crop) for crop in crops_of(picture, GOOGLENET, 10)]
    np.testing.assert_array_equal(ten[8], np.asarray(view))


def test_pictures_of_the_size_of_the_crop():
    """Of 32x32 pixels that a network sees whole, all corners are the same; in 144 there are larger ones."""
    picture, preprocessing = noise(32, 32), Preprocessing(32, 32)
    assert all(np.array_equal(view, picture) for view in list(crops_of(picture, preprocessing, 10))[::2])
    assert {view.size for view in crops_of(picture, preprocessing, 144)} == {(32, 32)}


def test_wrong_calls():
    with pytest.raises(ValueError, match="crops_of: count must be one of 1, 10, 144, got 12"):
        crops_of(noise(9, 9), GOOGLENET, 12)
    with pytest.raises(PictureError, match="too long and narrow"):
        list(crops_of(Image.new("RGB", (3000, 1)), GOOGLENET, 144))
