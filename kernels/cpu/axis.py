"""One axis of a correlation: which source pixels each output pixel reads along it."""

from dataclasses import dataclass

__all__ = ["Axis", "axes_of", "forward_axes", "forward_axis", "gradient_axes"]


@dataclass(frozen=True)
class Axis:
    """One axis of a correlation.

    Output position q of `count` lies at pixel first + q * step of the output; it reads, for each of `taps`, an index
    into the kernel, the source pixel q * stride + offset. Offsets ascend.
    """

    taps: tuple
    offsets: tuple
    count: int
    stride: int = 1
    first: int = 0
    step: int = 1

    @property
    def span(self):
        """How many source pixels lie from the first that a window reads to the last."""
        return self.offsets[-1] - self.offsets[0] + 1

    def inside(self, size):
        """Whether all windows lie inside a source of `size` pixels."""
        return self.offsets[0] >= 0 and (self.count - 1) * self.stride + self.offsets[-1] < size

    def adjacent(self):
        """Whether the source pixels of a window are neighbours."""
        return self.span == len(self.offsets)


def forward_axis(kernel, stride, dilation, before, count):
    """The axis of a convolution with `before` zeros before the image and `count` outputs."""
    return Axis(tuple(range(kernel)), tuple(i * dilation - before for i in range(kernel)), count, stride)


def axes_of(geometry):
    """(kernel, stride, dilation, zeros before) of the vertical and of the horizontal axis."""
    before = (first for first, _ in geometry.padding)
    return zip(geometry.kernel_size, geometry.stride, geometry.dilation, before, strict=True)


def forward_axes(geometry):
    """The vertical and the horizontal Axis of a convolution."""
    return [forward_axis(*axis, count) for axis, count in zip(axes_of(geometry), geometry.output_size, strict=True)]


def gradient_axes(kernel, stride, dilation, before, size):
    """The classes of `size` input pixels: for each, the Axis that gathers its gradient, or None if nothing reads it."""
    classes = []
    for first in range(min(stride, size)):
        reached = [i for i in reversed(range(kernel)) if (first + before - i * dilation) % stride == 0]
        offsets = tuple((first + before - i * dilation) // stride for i in reached)
        count = -(-(size - first) // stride)
        classes.append(Axis(tuple(reached), offsets, count, 1, first, stride) if reached else None)
    return classes
