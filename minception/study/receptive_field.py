"""Receptive fields: which pixels of the image can change one value of a layer.

Along each axis, the value at position i depends on the pixels from first + i * jump to last + i * jump. A window of
size k, with stride s, padding p and dilation d, over such values has

    first' = first - p * jump        last' = last + ((k - 1) * d - p) * jump        jump' = s * jump

and where branches meet, the union reaches from the smallest first to the largest last. Padding moves the field but
does not change its size, last - first + 1, unless branches are shifted against each other. Pixels beyond the image's
border count: it is the size in an image large enough.

Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks" (2019).
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from .operations import IMAGE

WHOLE_IMAGE = "whole image"  # after global pooling, or a linear layer over all positions


@dataclass(frozen=True)
class Extent:
    """The pixels that position 0 depends on along one axis, and how far apart the fields of neighbours are."""

    first: int | Fraction
    last: int | Fraction
    jump: int | Fraction

    @property
    def size(self):
        return math.ceil(self.last - self.first) + 1

    def windowed(self, kernel_size, stride, padding, dilation):
        """The extent after a sliding window over values that have this one."""
        return Extent(
            self.first - padding * self.jump,
            self.last + ((kernel_size - 1) * dilation - padding) * self.jump,
            self.jump * stride,
        )

    def joined(self, other):
        """The extent of a value made from one with this extent and one with the other."""
        return Extent(min(self.first, other.first), max(self.last, other.last), max(self.jump, other.jump))


PIXEL = (Extent(0, 0, 1), Extent(0, 0, 1))  # of the image itself: along height and width


def receptive_fields(trace):
    """Dict from the number of each operation of a `Trace` to (Extent, Extent) for height and width, or WHOLE_IMAGE."""
    fields = {IMAGE: PIXEL}
    for number, operation in enumerate(trace.operations):
        inputs = [_carried(fields[i], trace.shape(i), operation) for i in operation.inputs]
        fields[number] = _joined(inputs)
    return fields


def field_size(field):
    """(height, width) in pixels of a value of `receptive_fields`, or WHOLE_IMAGE."""
    return field if field == WHOLE_IMAGE else tuple(extent.size for extent in field)


def _joined(fields):
    if WHOLE_IMAGE in fields:
        return WHOLE_IMAGE
    first, *others = fields
    for other in others:
        first = tuple(a.joined(b) for a, b in zip(first, other, strict=True))
    return first


def _carried(field, shape, operation):
    """The field of an operation's output as far as it comes through an input of this field and shape."""
    if field == WHOLE_IMAGE or operation.kind == "GlobalAvgPool2d":
        return WHOLE_IMAGE
    if operation.window is not None:
        window = operation.window
        axes = zip(field, window.kernel_size, window.stride, window.padding, window.dilation, strict=True)
        return tuple(extent.windowed(*axis) for extent, *axis in axes)
    if operation.kind == "AdaptiveAvgPool2d":
        return _adaptive(field, shape[2:], operation.shape[2:])
    pixels = shape[2:]
    unmoved = len(shape) > 2 and operation.shape[-2:] == shape[-2:] and operation.kind != "Permute"
    if math.prod(pixels) == 1 or unmoved:
        return field
    return WHOLE_IMAGE


def _adaptive(field, sizes, grid):
    """After the means over a grid of nearly equal windows; its cell (i, j) starts at pixel floor(i * size / cells)."""
    if tuple(grid) == (1, 1):
        return WHOLE_IMAGE
    extents = []
    for extent, size, cells in zip(field, sizes, grid, strict=True):
        widest = max(-(-(i + 1) * size // cells) - i * size // cells for i in range(cells))
        stride = size // cells if size % cells == 0 else Fraction(size, cells)
        extents.append(extent.windowed(widest, stride, 0, 1))
    return tuple(extents)
