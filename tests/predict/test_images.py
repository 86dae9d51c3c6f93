"""Opening pictures of every kind, and what becomes of their pixels; against hand-computed values, PIL and torch."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from minception.models import Preprocessing
from minception.predict import PictureError, open_picture, prepare
from minception.predict.images import center_crop, resize, shown, to_array

from .small import noise

UNITS = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "scale": 1.0}  # bytes stay what they are


def pixels(image):
    """What `open_picture` makes of it, as an array."""
    picture = open_picture(image)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def colours(*rows):
    """A PIL image of RGB values."""
    return Image.fromarray(np.array(rows, np.uint8))


# ------------------------------------------------------------------------------------------------ resizing


@pytest.mark.parametrize(
    ("before", "size", "after"),
    [
        ((500, 375), 256, (341, 256)),  # int(341.33)
        ((375, 500), 256, (256, 341)),
        ((427, 640), 342, (342, 512)),
        ((640, 427), 342, (512, 342)),  # int(512.6)
        ((100, 100), 32, (32, 32)),
        ((1, 1), 40, (40, 40)),
        ((1, 3), 256, (256, 768)),
        ((299, 300), 299, (299, 300)),
    ],
)
def test_the_shorter_side_is_resized(before, size, after):
    assert resize(noise(*before), size, "bilinear").size == after


def test_bilinear_resizing_by_hand():
    """At half the size a pixel is reached by a triangle two pixels to each side: 3/7, 3/7, 1/7 at the left end."""
    row = Image.fromarray(np.tile(np.array([0, 70, 140, 210], np.uint8), (4, 1)))
    np.testing.assert_array_equal(np.asarray(resize(row, 2, "bilinear")), [[50, 160]] * 2)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("width", "height", "size"), [(90, 61, 32), (33, 70, 50), (200, 200, 31)])
def test_resizing_is_torchs(interpolation, width, height, size):
    """torch computes in floating point, PIL rounds and clips to bytes after each of two passes."""
    picture = noise(width, height)
    ours = resize(picture, size, interpolation)
    images = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].double()
    target = ours.size[::-1]
    theirs = torch.nn.functional.interpolate(images, target, mode=interpolation, antialias=True)[0].permute(1, 2, 0)
    np.testing.assert_allclose(np.asarray(ours), theirs.clip(0, 255), atol=2.5)


@pytest.mark.parametrize(
    ("length", "size", "start"),
    [(8, 4, 2), (7, 4, 2), (5, 4, 0), (9, 4, 2), (4, 4, 0), (341, 224, 58), (511, 299, 106)],
)
def test_the_middle_is_rounded_half_to_even(length, size, start):
    """1.5 becomes 2, but 0.5 becomes 0 and 2.5 becomes 2, as in torchvision."""
    positions = np.tile(np.arange(length) % 256, (length, 1)).astype(np.uint8)
    for values in (positions, positions.T):
        picture = center_crop(Image.fromarray(values), size)
        assert picture.size == (size, size)
        np.testing.assert_array_equal(np.asarray(picture), values[start : start + size, start : start + size])


def test_pictures_too_long_and_narrow():
    with pytest.raises(PictureError, match=r"^1 x 2000 pixels are too long and narrow to be resized$"):
        prepare(Image.new("RGB", (1, 2000)), Preprocessing(256, 224))
    assert prepare(Image.new("RGB", (1, 500)), Preprocessing(256, 224)).shape == (3, 224, 224)


# ------------------------------------------------------------------------------------------------ channels


def test_channels_by_hand():
    picture = colours([(0, 51, 255), (255, 0, 102)], [(1, 2, 3), (4, 5, 6)])
    array = prepare(picture, Preprocessing(2, 2, (0.5, 0.25, 0.0), (0.5, 0.25, 2.0)))
    assert array.dtype == np.float32 and array.shape == (3, 2, 2)
    np.testing.assert_allclose(array[:, 0, 0], [-1.0, -0.2, 0.5], rtol=1e-6)
    np.testing.assert_allclose(array[:, 0, 1], [1.0, -1.0, 0.2], rtol=1e-6)
    np.testing.assert_allclose(array[0, 1], [2 / 255 - 1, 8 / 255 - 1], rtol=1e-6)


def test_other_orders_and_units():
    picture = colours([(10, 20, 30)])
    caffe = Preprocessing(1, 1, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0), scale=1.0, channels="BGR")
    np.testing.assert_array_equal(prepare(picture, caffe)[:, 0, 0], [30 - 104, 20 - 117, 10 - 123])
    facenet = Preprocessing(1, 1, (127.5,) * 3, (128.0,) * 3, scale=1.0)
    np.testing.assert_array_equal(prepare(picture, facenet)[:, 0, 0], np.array([-117.5, -107.5, -97.5]) / 128)
    grey = Preprocessing(1, 1, (0.0,), (1.0,), scale=1.0, channels="L")
    assert prepare(picture, grey).tolist() == [[[18]]]  # 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15


def test_units_are_torchs():
    picture = noise(64, 64)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    theirs = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    theirs = (theirs - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    ours = prepare(picture, Preprocessing(64, 64, mean, std))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_array_equal(to_array(picture, Preprocessing(64, 64, mean, std)).transpose(2, 0, 1), ours)


# ---------------------------------------------------------------------------------------------- orientation

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_orientation(orientation, tmp_path):
    picture = noise(5, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / "turned.png"), TURNS[orientation](np.asarray(picture)))


def test_a_turned_photograph(tmp_path):
    """The camera was held upright: its JPEG is landscape, red on the left, which is the top of what it shows."""
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.zeros((32, 64, 3), np.uint8)
    values[:, :32] = 255, 0, 0
    values[:, 32:] = 0, 0, 255
    Image.fromarray(values).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    array = pixels(tmp_path / "photo.jpg").astype(int)
    assert array.shape == (64, 32, 3)
    assert (abs(array[:24] - [255, 0, 0]) < 8).all() and (abs(array[40:] - [0, 0, 255]) < 8).all()


def test_damaged_exif_is_ignored(tmp_path):
    picture = noise(8, 8)
    picture.save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xffgarbage")
    picture.save(tmp_path / "b.jpg")
    np.testing.assert_array_equal(pixels(tmp_path / "a.jpg"), pixels(tmp_path / "b.jpg"))


# ---------------------------------------------------------------------------------------- kinds of pictures


def test_transparency_shows_white(tmp_path):
    values = np.array([[(200, 100, 0, 255), (200, 100, 0, 0), (200, 100, 0, 51)]], np.uint8)
    Image.fromarray(values).save(tmp_path / "rgba.png")
    expected = [[[200, 100, 0], [255, 255, 255], [244, 224, 204]]]  # a fifth of the colour, four fifths of white
    np.testing.assert_array_equal(pixels(tmp_path / "rgba.png"), expected)
    np.testing.assert_array_equal(pixels(values), expected)
    Image.fromarray(np.array([[[40, 255], [40, 0]]], np.uint8)).save(tmp_path / "la.png")
    np.testing.assert_array_equal(pixels(tmp_path / "la.png"), [[[40] * 3, [255] * 3]])
    colours([(9, 9, 9), (1, 2, 3)]).save(tmp_path / "key.png", transparency=(1, 2, 3))
    np.testing.assert_array_equal(pixels(tmp_path / "key.png"), [[[9] * 3, [255] * 3]])


def palette_picture():
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 200, 0, 0, 0, 0, 250])
    picture.putdata([2, 0, 1])
    return picture


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_palettes(name, tmp_path):
    palette_picture().save(tmp_path / name)
    np.testing.assert_array_equal(pixels(tmp_path / name), [[[0, 0, 250], [10, 20, 30], [200, 0, 0]]])
    palette_picture().save(tmp_path / name, transparency=0)
    np.testing.assert_array_equal(pixels(tmp_path / name), [[[0, 0, 250], [255, 255, 255], [200, 0, 0]]])


def test_the_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(pixels(tmp_path / "a.gif"), np.full((4, 4, 3), (255, 0, 0)))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_grey_of_16_bits(name, tmp_path):
    values = np.array([[0, 128, 129, 257, 1000, 32768, 65535]], np.uint16)
    if name == "a.pgm":  # which not all versions of Pillow write
        (tmp_path / name).write_bytes(b"P5 7 1 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    expected = np.repeat(np.array([[0, 0, 1, 1, 4, 128, 255]])[..., None], 3, axis=2)
    np.testing.assert_array_equal(pixels(tmp_path / name), expected)


def test_grey_of_16_bits_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.array([[0, 257 * 9]], np.uint16)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png")[..., 0], [[0], [9]])


def test_colours_of_16_bits(tmp_path):
    """A PNG made by hand, for Pillow writes none."""
    samples = struct.pack(">6H", 0x0000, 0x80FF, 0xFFFF, 0x1234, 0xFE01, 0x0100)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + samples)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    np.testing.assert_allclose(pixels(tmp_path / "a.png"), [[[0, 129, 255], [18, 254, 1]]], atol=1)


def test_grey_black_and_white_and_cmyk(tmp_path):
    Image.fromarray(np.array([[7, 200]], np.uint8)).save(tmp_path / "l.png")
    np.testing.assert_array_equal(pixels(tmp_path / "l.png"), [[[7] * 3, [200] * 3]])
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "1.png")
    np.testing.assert_array_equal(pixels(tmp_path / "1.png"), [[[255] * 3, [0] * 3]])
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    assert (abs(pixels(tmp_path / "cmyk.jpg").astype(int) - [255, 0, 0]) < 5).all()
    Image.new("CMYK", (2, 2), (0, 0, 0, 255)).save(tmp_path / "cmyk.tif")
    np.testing.assert_array_equal(pixels(tmp_path / "cmyk.tif"), np.zeros((2, 2, 3)))


@pytest.mark.parametrize("name", ["a.bmp", "a.ppm", "a.tif", "a.webp", "a.ico", "a.jpg", "a.PNG", "a.without-a-name"])
def test_formats(name, tmp_path):
    picture = noise(32, 32)
    kind = {"a.without-a-name": "PNG"}.get(name)
    picture.save(tmp_path / name, kind, **({"lossless": True} if "webp" in name else {}))
    error = np.abs(pixels(tmp_path / name).astype(int) - np.asarray(picture))
    assert error.max() == 0 or (name == "a.jpg" and error.mean() < 10)


def test_pictures_in_memory(tmp_path):
    picture = noise(6, 4)
    values = np.asarray(picture)
    for image in (picture, values, values[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(pixels(image), values)
    np.testing.assert_array_equal(pixels(values[..., 0]), np.repeat(values[..., :1], 3, axis=2))
    np.testing.assert_array_equal(pixels(palette_picture())[0, 0], [0, 0, 250])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(str(tmp_path / "a.png")), values)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        np.testing.assert_array_equal(pixels(opened), np.rot90(values, -1))
        np.testing.assert_array_equal(np.asarray(opened), values)
        assert opened.getexif()[0x0112] == 6


# --------------------------------------------------------------------------------------------------- errors


def jpeg(**options):
    file = io.BytesIO()
    noise(64, 64).save(file, "JPEG", **options)
    return file.getvalue()


def png():
    file = io.BytesIO()
    noise(64, 64).save(file, "PNG")
    return file.getvalue()


FILES = {
    "half.jpg": (jpeg()[:800], "damaged: image file is truncated .*"),
    "start.jpg": (jpeg()[:30], "not a picture in a known format|damaged: .*"),
    "empty.jpg": (b"", "not a picture in a known format"),
    "text.jpg": (b"Dear diary,\n" * 100, "not a picture in a known format"),
    "page.png": (b"<!doctype html><html>404", "not a picture in a known format"),
    "half.png": (png()[:2000], "damaged: .*"),
    "spoilt.png": (png()[:300] + b"\xff" * 50 + png()[350:], "damaged: .*"),
    "figure.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not a picture in a .*"),
}


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(name, tmp_path):
    content, message = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=f"^{tmp_path / name}: ({message})$") as caught:
        open_picture(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("absent.jpg", "no such file"),
        (".", "a folder; name the pictures in it"),
        ("pipe", "not a regular file"),
        ("nul\0byte", "damaged: .*null.*"),
        ("x" * 300, "cannot be read: File name too long"),
    ):
        with pytest.raises(PictureError, match=f": {message}$"):
            open_picture(tmp_path / name)


def test_decompression_bombs(tmp_path, monkeypatch):
    """Up to twice the limit Pillow only warns, for there are cameras with so many pixels."""
    noise(20, 20).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    assert open_picture(tmp_path / "a.png").size == (20, 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 199)
    with pytest.raises(PictureError, match=r"a\.png: has more than 398 pixels, Pillow's limit"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_32_bits(mode, tmp_path):
    Image.new(mode, (2, 2)).save(tmp_path / "a.tif")
    with pytest.raises(PictureError, match="has 32-bit pixels, of which it is not known what is black and what white"):
        open_picture(tmp_path / "a.tif")
    with pytest.raises(PictureError, match=r"^the image: has 32-bit pixels"):
        open_picture(Image.new(mode, (2, 2)))


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (3, TypeError, "must be a path, a PIL image or an array, got int"),
        (np.zeros((2, 2, 3)), TypeError, "must be uint8, got float64"),
        (np.zeros((3, 4, 4), np.uint8)[None], ValueError, r"got shape \(1, 3, 4, 4\)"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"got shape \(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), ValueError, r"got shape \(0, 4\)"),
    ],
)
def test_what_is_no_image(image, error, message):
    with pytest.raises(error, match=message):
        open_picture(image)


def test_names_are_fit_for_a_terminal():
    assert shown("a b-ü.jpg") == "a b-ü.jpg"
    assert shown("a\n\x1b[31m\udcff") == r"a\n\x1b[31m\udcff"
