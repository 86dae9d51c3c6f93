"""From a picture in a file to the array that a network expects, as its `Preprocessing` says.

Resizing and cropping are torchvision's and timm's on PIL images, to the pixel: published weights were measured so.
"""

import os
import stat
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

# What is decoded within the process; Pillow gives some other formats to external programs.
FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
FORMATS_OF_16_BITS = ("PNG", "PPM")  # some versions of Pillow give 16-bit grey of these as 32-bit integers
LARGEST = 2**26  # pixels after resizing, which a long and narrow picture may exceed


class PictureError(Exception):
    """A picture that cannot be used; the message names it and says why."""


def shown(text):
    """`text`, such as the name of a file, fit to be printed: what a terminal would obey or cannot show is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def open_picture(image):
    """Return a picture as a PIL image of mode RGB, upright.

    image: the path of a file (str or Path; AVIF, BMP, GIF, ICO, JPEG, JPEG 2000, PNG, PPM, TIFF, WebP), a PIL image,
    or an array uint8 (H, W), (H, W, 3) or (H, W, 4). It is turned as its EXIF orientation says; what is transparent
    shows white behind it; of 16 bits the upper ones are kept (rounded); grey becomes three equal channels; of several
    frames the first is taken; colour profiles are ignored.

    Raises PictureError for a file that is missing, damaged, larger than Pillow's limit (`PIL.Image.MAX_IMAGE_PIXELS`,
    twice) or no picture, and for 32-bit pixels, of which nobody knows what is white; TypeError or ValueError for an
    image of another kind.
    """
    name, source = _checked(image)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about oddities that it puts up with
            return _as_rgb(source.copy(), source.format) if name is None else _read(source)
    except Exception as error:  # decoders let out whatever damage makes them run into
        raise PictureError(f"{shown(name or 'the image')}: {_reason(error)}") from error


def prepare(picture, preprocessing):
    """The array float32 (C, H, W) that a network expects of a PIL image of mode RGB: resized, its centre cropped,
    standardised. Raises PictureError for a picture too long and narrow to resize.
    """
    resized = resize(picture, preprocessing.resize, preprocessing.interpolation)
    return to_array(center_crop(resized, preprocessing.crop), preprocessing).transpose(2, 0, 1)


def resize(picture, size, interpolation):
    """The PIL image with its shorter side resized to `size` pixels, the longer one to int(size * longer / shorter)."""
    width, height = picture.size
    if width <= height:
        target = size, int(size * height / width)
    else:
        target = int(size * width / height), size
    if target[0] * target[1] > LARGEST:
        raise PictureError(f"{width} x {height} pixels are too long and narrow to be resized")
    return scale_to(picture, target, interpolation)


def scale_to(picture, target, interpolation):
    """The PIL image resized to `target`, (width, height)."""
    from PIL.Image import Resampling

    filters = {"bilinear": Resampling.BILINEAR, "bicubic": Resampling.BICUBIC}
    return picture if picture.size == tuple(target) else picture.resize(target, filters[interpolation])


def center_crop(picture, size):
    """The square of `size` pixels in the middle of a PIL image."""
    width, height = picture.size
    return crop(picture, centered(width, size), centered(height, size), size)


def crop(picture, left, top, size):
    """The square of `size` pixels of a PIL image whose corner is at (left, top)."""
    return picture.crop((left, top, left + size, top + size))


def centered(length, size):
    """Where `size` pixels in the middle of `length` begin."""
    return int(round((length - size) / 2.0))  # noqa: RUF046 - rounds half to even, as torchvision does


def mirrored(picture):
    """The PIL image with left and right exchanged."""
    from PIL.Image import Transpose

    return picture.transpose(Transpose.FLIP_LEFT_RIGHT)


def to_array(picture, preprocessing):
    """A PIL image of mode RGB as float32 (H, W, C), its channels in the order and units of `preprocessing`."""
    if preprocessing.channels == "L":
        pixels = np.asarray(picture.convert("L"))[:, :, None]
    else:
        pixels = np.asarray(picture)
        if preprocessing.channels == "BGR":
            pixels = pixels[:, :, ::-1]
    table = _standardized(preprocessing)
    return np.stack([values[pixels[:, :, channel]] for channel, values in enumerate(table)], axis=-1)


@lru_cache
def _standardized(preprocessing):
    """What each byte becomes in each channel: float32 (C, 256), rounded once."""
    byte = np.arange(256.0)
    mean, std = (np.array(values, np.float64)[:, None] for values in (preprocessing.mean, preprocessing.std))
    return ((byte * preprocessing.scale - mean) / std).astype(np.float32)


# ------------------------------------------------------------------------------------------------ reading


def _checked(image):
    """(the path, the path), or (None, a PIL image)."""
    from PIL import Image

    if isinstance(image, (str, os.PathLike)):
        return image, Path(image)
    if isinstance(image, Image.Image):
        return None, image
    if not isinstance(image, np.ndarray):
        raise TypeError(f"open_picture: image must be a path, a PIL image or an array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise TypeError(f"open_picture: an array must be uint8, got {image.dtype}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)) or image.size == 0:
        raise ValueError(f"open_picture: an array must be (H, W), (H, W, 3) or (H, W, 4), got shape {image.shape}")
    return None, Image.fromarray(np.ascontiguousarray(image))


def _read(path):
    from PIL import Image

    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise PictureError("a folder; name the pictures in it")
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its other end
        raise PictureError("not a regular file")
    Image.init()
    with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as picture:
        return _as_rgb(picture, picture.format)


def _as_rgb(picture, kind):
    """An upright PIL image of mode RGB. `picture` is changed; a copy would take as much memory again."""
    from PIL import Image, ImageOps

    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    mode = picture.mode
    if mode.startswith("I;16") or (mode == "I" and kind in FORMATS_OF_16_BITS):
        values = np.clip(np.asarray(picture).astype(np.int64), 0, 65535)
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if mode in ("I", "F"):
        raise PictureError("has 32-bit pixels, of which it is not known what is black and what white")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _reason(error):
    """What is wrong, in words, in one line."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, PictureError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, Image.DecompressionBombError):
        return f"has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels, Pillow's limit"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"damaged: {shown(error) or type(error).__name__}"
