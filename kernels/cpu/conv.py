"""Convolution with the images of the batch divided among the threads. Contracts: `reference/conv.py`.

Each thread runs im2col + GEMM over its own images, a chunk at a time, so that the columns stay in its cache. The
input gradient of a convolution with stride 1 is itself such a convolution, of the output's gradient with the
flipped kernels (Dumoulin and Visin 2016, relationship 8): reading windows is cheaper than adding them up.
"""

from dataclasses import replace

import numpy as np

from .. import checks
from ..conv_geometry import check_grad_output, conv2d_geometry, image_chunks, quiet
from ..layout import empty_images
from ..reference import conv as reference
from ..threads import run_parts
from .rows import as_pixels

__all__ = ["conv2d", "conv2d_backward_input", "conv2d_backward_weight"]

CHUNK_BYTES = 1 << 20  # of columns: half of a second-level cache


class _Windows:
    """The columns of consecutive images, in buffers that are used again for every chunk.

    pixels: (N, H, W, C), contiguous. before: zeros (above, left of) an image; negative where the windows begin
    inside it. Kernel size, stride, dilation and output size are those of `geometry`.
    """

    def __init__(self, pixels, before, geometry):
        self.pixels, self.before, self.geometry = pixels, before, geometry
        self.row_length = geometry.kernel_size[0] * geometry.kernel_size[1] * pixels.shape[3]
        self.rows_per_image = geometry.output_size[0] * geometry.output_size[1]
        self.is_pixels = (
            geometry.kernel_size == geometry.stride == (1, 1)
            and geometry.output_size == pixels.shape[1:3]
            and before == (0, 0)
        )

    def chunks(self, start, stop):
        """Yield (rows, columns) over images [start, stop): a slice of output pixels, and their columns."""
        if self.is_pixels:
            rows = slice(start * self.rows_per_image, stop * self.rows_per_image)
            yield rows, self.pixels.reshape(-1, self.row_length)[rows]
            return
        columns = padded = None
        bytes_per_image = self.rows_per_image * self.row_length * self.pixels.itemsize
        for images in image_chunks(stop - start, bytes_per_image, CHUNK_BYTES):
            first, last = start + images.start, start + images.stop
            if columns is None:  # the first chunk is the largest
                (oh, ow), (kh, kw) = self.geometry.output_size, self.geometry.kernel_size
                columns = np.empty((last - first, oh, ow, kh, kw, self.pixels.shape[3]), self.pixels.dtype)
                padded = np.zeros((last - first, *self._extent(), self.pixels.shape[3]), self.pixels.dtype)
            count = last - first
            self._unfold(self.pixels[first:last], padded[:count], columns[:count])
            rows = slice(first * self.rows_per_image, last * self.rows_per_image)
            yield rows, columns[:count].reshape(-1, self.row_length)

    def _extent(self):
        """Height and width of what all windows of an image together read."""
        geometry = self.geometry
        axes = zip(geometry.output_size, geometry.stride, geometry.dilation, geometry.kernel_size, strict=True)
        return tuple((count - 1) * stride + dilation * (kernel - 1) + 1 for count, stride, dilation, kernel in axes)

    def _unfold(self, pixels, padded, columns):
        """im2col: columns (n, OH, OW, KH, KW, C) from pixels (n, H, W, C), through `padded`, whose border is 0."""
        axes = zip(self.before, pixels.shape[1:3], padded.shape[1:3], strict=True)
        source, target = zip(*(_overlap(*axis) for axis in axes), strict=True)
        np.copyto(padded[:, *target], pixels[:, *source])
        step_n, step_h, step_w, step_c = padded.strides
        (sh, sw), (dh, dw) = self.geometry.stride, self.geometry.dilation
        steps = (step_n, sh * step_h, sw * step_w, dh * step_h, dw * step_w, step_c)
        np.copyto(columns, np.lib.stride_tricks.as_strided(padded, columns.shape, steps))


def _overlap(before, size, extent):
    """Slices (of the image, of the padded image) where the two coincide along one axis."""
    first, last = max(0, -before), min(size, extent - before)
    return slice(first, max(first, last)), slice(first + before, max(first, last) + before)


def _convolve(windows, kernels, bias, output):
    """output (M, O) = columns (M, K) @ kernels (K, O) + bias, in parts over the images."""

    def part(start, stop):
        for rows, columns in windows.chunks(start, stop):
            np.matmul(columns, kernels, out=output[rows])
            if bias is not None:
                output[rows] += bias

    run_parts(part, len(windows.pixels))


def _before(geometry):
    """Zeros (above, left of) an image."""
    return tuple(before for before, _ in geometry.padding)


def _matrix(images):
    """The pixels of channels-last (N, O, OH, OW) as a view (N * OH * OW, O)."""
    n, o, oh, ow = images.shape
    return images.transpose(0, 2, 3, 1).reshape(n * oh * ow, o)


@quiet
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d`."""
    checks.floating("conv2d", {"bias": bias}, x=x, weight=weight)
    geometry, groups = conv2d_geometry("conv2d", x.shape, weight.shape, stride, padding, dilation, groups)
    if groups > 1 or x.size == 0:
        return reference.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if bias is not None:
        checks.shape("conv2d", "bias", bias, weight.shape[:1], "one per output channel")
    output = empty_images(np, (x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    kernels = np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(-1, weight.shape[0])  # (K, O)
    _convolve(_Windows(as_pixels(x), _before(geometry), geometry), kernels, bias, _matrix(output))
    return output


@quiet
def conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d_backward_input`."""
    name = "conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, groups = conv2d_geometry(name, x_shape, weight.shape, stride, padding, dilation, groups, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    grad_x = empty_images(np, geometry.x_shape, grad_output.dtype)
    if groups > 1 or geometry.stride != (1, 1) or grad_x.size == 0:

        def part(start, stop):
            shape = (stop - start, *geometry.x_shape[1:])
            grad_x[start:stop] = reference.conv2d_backward_input(
                grad_output[start:stop], weight, shape, stride, padding, dilation, groups
            )

        run_parts(part, len(grad_x))
        return grad_x
    # The flipped kernels (K, C) read windows of grad_output that begin d * (k - 1) - before pixels ahead.
    kernels = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)).reshape(-1, weight.shape[1])
    before = tuple(
        d * (k - 1) - b for d, k, b in zip(geometry.dilation, geometry.kernel_size, _before(geometry), strict=True)
    )
    flipped = replace(geometry, x_shape=grad_output.shape, output_size=geometry.x_shape[2:])
    _convolve(_Windows(as_pixels(grad_output), before, flipped), kernels, None, _matrix(grad_x))
    return grad_x


@quiet
def conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1, groups=1):
    """See `reference.conv2d_backward_weight`."""
    name = "conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, groups = conv2d_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, groups, weight="weight_shape"
    )
    check_grad_output(name, grad_output, geometry, weight_shape[0])
    if groups > 1 or x.size == 0:
        return reference.conv2d_backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups)
    windows = _Windows(as_pixels(x), _before(geometry), geometry)
    pixels = as_pixels(grad_output).reshape(-1, weight_shape[0])

    def part(start, stop):
        total = 0
        for rows, columns in windows.chunks(start, stop):
            total += columns.T @ pixels[rows]  # (K, m) @ (m, O)
        return total

    o, c, kh, kw = weight_shape
    kernels = sum(run_parts(part, len(x)))  # (K, O)
    return np.ascontiguousarray(kernels.reshape(kh, kw, c, o).transpose(3, 2, 0, 1))
