"""The views of a picture that a network sees: its centre, or 10, or 144 of them, whose results are averaged."""

from .images import center_crop, centered, crop, mirrored, resize, scale_to

CROPS = (1, 10, 144)
SCALES, SCALES_CROP = (256, 288, 320, 352), 224  # shorter sides, for crops of this size


def crops_of(picture, preprocessing, count=1):
    """Yield `count` square views of a PIL image of mode RGB, PIL images of `preprocessing.crop` pixels a side.

    1: the centre of the resized picture.

    10: the four corners and the centre of the resized picture's central square, each followed by its mirror image:
    Krizhevsky et al., "ImageNet classification with deep convolutional neural networks" (2012), section 4.1.

    144: Szegedy et al., "Going deeper with convolutions" (2015), section 7. The shorter side becomes 256, 288, 320 and
    352 pixels; of each the left, central and right square is taken, of portraits the top, central and bottom one; of
    each square the four corners and the centre of 224x224 pixels and the square itself resized to that; each is
    followed by its mirror image. A network with other crops has the sides multiplied by crop / 224, and rounded. (The
    three squares of a square picture are the same.)

    One view at a time is in memory. Raises ValueError for another count, PictureError for a picture too long and
    narrow to resize.
    """
    if count not in CROPS:
        raise ValueError(f"crops_of: count must be one of {', '.join(map(str, CROPS))}, got {count!r}")
    return {1: _center, 10: _ten, 144: _many}[count](picture, preprocessing)


def _center(picture, preprocessing):
    yield center_crop(resize(picture, preprocessing.resize, preprocessing.interpolation), preprocessing.crop)


def _ten(picture, preprocessing):
    side = preprocessing.resize
    square = center_crop(resize(picture, side, preprocessing.interpolation), side)
    for view in _corners_and_center(square, preprocessing.crop):
        yield view
        yield mirrored(view)


def _many(picture, preprocessing):
    size, interpolation = preprocessing.crop, preprocessing.interpolation
    for scale in SCALES:
        side = round(scale * size / SCALES_CROP)
        for square in _squares(resize(picture, side, interpolation), side):
            for view in (*_corners_and_center(square, size), scale_to(square, (size, size), interpolation)):
                yield view
                yield mirrored(view)


def _squares(picture, side):
    """The left, central and right square of a picture whose shorter side is `side`; of portraits top to bottom."""
    width, height = picture.size
    longer = max(width, height)
    for start in (0, centered(longer, side), longer - side):
        yield crop(picture, start, 0, side) if width >= height else crop(picture, 0, start, side)


def _corners_and_center(square, size):
    """Top left, top right, bottom left, bottom right, centre: squares of `size` pixels."""
    end = square.width - size
    for left, top in ((0, 0), (end, 0), (0, end), (end, end)):
        yield crop(square, left, top, size)
    yield center_crop(square, size)
