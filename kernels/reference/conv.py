"""2-D convolution as one matrix product.

A convolution layer slides O kernels over an image: output pixel (oh, ow) of channel o is the inner product of
kernel o with the window of the input that the kernel covers there (a cross-correlation: the kernel is not
flipped),

    output[n, o, oh, ow] = bias[o] + sum over c, i, j of
        weight[o, c, i, j] * padded[n, c, oh * SH + i * DH, ow * SW + j * DW]

with stride (SH, SW) and dilation (DH, DW). `im2col` writes every window out as one row of a matrix, so that all
the inner products together are one matrix product, and so are both gradients. With M = N * OH * OW output pixels
and K = KH * KW * C numbers in a window:

    columns = im2col(x)                              (M, K)
    forward            Y  = columns @ W.T + b        (M, K) @ (K, O) -> (M, O)
    weight gradient    dW = dY.T @ columns           (O, M) @ (M, K) -> (O, K)    sums over all M pixels
    input gradient     dx = col2im(dY @ W)           (M, O) @ (O, K) -> (M, K), then overlapping windows add
    bias gradient      db = sum over rows of dY      (M, O) -> (O,)

`col2im` is the transpose (adjoint) of the linear map `im2col`: <im2col(x), c> == <x, col2im(c)>.

In channels-last memory an output matrix (M, O) *is* the output image (N, OH, OW, O), and the columns of a 1x1
convolution with stride 1 *are* the input: no copy. With `groups` (G), input and output channels are cut into G
parts that do not see each other: G products, run as one batched product of shape (G, M, K) with K = KH * KW * C / G
and O / G columns; an ordinary convolution is the batch of one.

The columns repeat each input pixel up to KH * KW times. The batch is therefore processed in chunks of a few images
whose columns stay in the processor's cache; the equations above hold for each chunk, and dW adds up over chunks.

Sources: K. Chellapilla, S. Puri, P. Simard, "High Performance Convolutional Neural Networks for Document
Processing" (2006), who introduced the unrolled convolution, forward and backward; V. Dumoulin, F. Visin, "A guide
to convolution arithmetic for deep learning" (2016), for the sizes; groups as in A. Krizhevsky, I. Sutskever,
G. Hinton, "ImageNet Classification with Deep Convolutional Neural Networks" (2012), section 3.2.
"""

from .. import checks
from ..arrays import array_module
from ..conv_geometry import (
    check_add_to,
    check_grad_output,
    conv2d_geometry,
    conv_geometry,
    image_chunks,
    pad_images,
    quiet,
)
from ..layout import empty_images, to_nchw, to_nhwc

__all__ = [
    "col2im",
    "conv2d",
    "conv2d_backward_bias",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "im2col",
]

CHUNK_BYTES = 2 << 20  # of columns: a few images of a typical layer


def im2col(x, kernel_size, stride=1, padding=0, dilation=1):
    """Write out the window of every output pixel as one row of a matrix.

    Args:
        x: (N, C, H, W), float32 or float64, any strides.
        kernel_size, stride, dilation: positive int or pair (for height, for width).
        padding: non-negative int or pair, "valid", or "same" (stride 1 only).

    Returns:
        (N * OH * OW, KH * KW * C), new memory: rows are output pixels in the order (n, oh, ow), columns are the
        numbers of a window in the order (kh, kw, c). OH = floor((H + padding - DH * (KH - 1) - 1) / SH) + 1,
        where `padding` counts both sides.

    Raises:
        TypeError: `x` is not float32 or float64, or a number is not an integer.
        ValueError: a wrong rank or number, or a kernel that does not fit the padded input.

    Source: Chellapilla et al. (2006), unrolled convolution.
    """
    checks.floating("im2col", x=x)
    geometry = conv_geometry("im2col", x.shape, kernel_size, stride, padding, dilation)
    windows = _windows(x, geometry, groups=1)[0]  # (N, OH, OW, KH, KW, C), overlapping
    n, oh, ow, kh, kw, c = windows.shape
    return windows.copy().reshape(n * oh * ow, kh * kw * c)


@quiet
def col2im(columns, x_shape, kernel_size, stride=1, padding=0, dilation=1):
    """Add every window back to where `im2col` read it: the adjoint of `im2col`.

    Args:
        columns: (N * OH * OW, KH * KW * C), float32 or float64, in the order of `im2col`.
        x_shape: (N, C, H, W) of the images.
        kernel_size, stride, padding, dilation: as given to `im2col`.

    Returns:
        (N, C, H, W), channels-last: each pixel is the sum of all entries of `columns` that `im2col` would have
        copied from it; what fell on the padding is dropped, pixels that no window reads are zero.

    Raises:
        TypeError, ValueError: as `im2col`; also a `columns` whose shape does not belong to the other arguments.

    Source: Chellapilla et al. (2006), the backward pass of unrolled convolution.
    """
    checks.floating("col2im", columns=columns)
    geometry = conv_geometry("col2im", x_shape, kernel_size, stride, padding, dilation, "x_shape")
    (n, c, _, _), (kh, kw), (oh, ow) = geometry.x_shape, geometry.kernel_size, geometry.output_size
    checks.shape("col2im", "columns", columns, (n * oh * ow, kh * kw * c), "(N * OH * OW, KH * KW * C)")
    images = empty_images(array_module(columns), geometry.x_shape, columns.dtype)
    images[...] = _fold(columns[None], geometry, groups=1)
    return images


@quiet
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolve a batch of images with O kernels: Y = im2col(x) @ W.T + b.

    Args:
        x: (N, C, H, W), float32 or float64, any strides.
        weight: (O, C / groups, KH, KW), dtype of `x`.
        bias: (O,), dtype of `x`, or None.
        stride, dilation: positive int or pair (for height, for width).
        padding: non-negative int or pair of zeros on both sides, "valid" (none), or "same": OH = H and OW = W,
            for stride 1; an odd total puts the extra zero after the image.
        groups: number of parts of the channels; output part g reads input part g only.

    Returns:
        (N, O, OH, OW), channels-last; OH = floor((H + 2 * PH - DH * (KH - 1) - 1) / SH) + 1, and so OW.

    Raises:
        TypeError: arrays that are not of one float dtype, or a number that is not an integer.
        ValueError: shapes that do not fit each other, groups that do not divide the channels, or a kernel that
            does not fit the padded input.

    Source: Chellapilla et al. (2006); sizes: Dumoulin and Visin (2016), relationship 6, dilation section 5.1.
    """
    checks.floating("conv2d", {"bias": bias}, x=x, weight=weight)
    geometry, groups = conv2d_geometry("conv2d", x.shape, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        checks.shape("conv2d", "bias", bias, weight.shape[:1], "one per output channel")
    xp = array_module(x)
    output = empty_images(xp, (x.shape[0], weight.shape[0], *geometry.output_size), x.dtype)
    kernels = _weight_matrix(weight, groups).transpose(0, 2, 1)  # (G, K, O/G)
    for images in _chunks(geometry, x.dtype):
        columns = _unfold(x[images], geometry, groups)  # (G, m, K)
        pixels = _pixel_matrix(output[images], groups)  # (G, m, O/G), a view of the output
        xp.matmul(columns, kernels, out=pixels)
        if bias is not None:
            pixels += bias.reshape(groups, 1, -1)
    return output


@quiet
def conv2d_backward_input(grad_output, weight, x_shape, stride=1, padding=0, dilation=1, groups=1, add_to=None):
    """Gradient of the loss by the input of `conv2d`: dx = col2im(dY @ W).

    Args:
        grad_output: (N, O, OH, OW), the gradient of the loss by the output; any strides.
        weight: (O, C / groups, KH, KW), dtype of `grad_output`.
        x_shape: (N, C, H, W) of the input.
        stride, padding, dilation, groups: as given to `conv2d`.
        add_to: the sum so far, where the input has other consumers: an array of `x_shape`, dtype of `grad_output`. The
            gradient is added to it in place.

    Returns:
        (N, C, H, W), channels-last; zero where no window reads. `add_to` itself if it is given.

    Raises:
        TypeError, ValueError: as `conv2d`; also a `grad_output` that does not have the shape of the output.

    Source: Chellapilla et al. (2006); Dumoulin and Visin (2016), chapter 4 (transposed convolution).
    """
    name = "conv2d_backward_input"
    checks.floating(name, grad_output=grad_output, weight=weight)
    geometry, groups = conv2d_geometry(name, x_shape, weight.shape, stride, padding, dilation, groups, x="x_shape")
    check_grad_output(name, grad_output, geometry, weight.shape[0])
    check_add_to(name, add_to, grad_output, geometry.x_shape)
    grad_x = empty_images(array_module(grad_output), geometry.x_shape, grad_output.dtype)
    kernels = _weight_matrix(weight, groups)  # (G, O/G, K)
    for images in _chunks(geometry, grad_output.dtype):
        grad_columns = _pixel_matrix(grad_output[images], groups) @ kernels  # (G, m, K)
        grad_x[images] = _fold(grad_columns, geometry, groups)
    if add_to is None:
        return grad_x
    add_to += grad_x
    return add_to


@quiet
def conv2d_backward_weight(grad_output, x, weight_shape, stride=1, padding=0, dilation=1, groups=1):
    """Gradient of the loss by the weight of `conv2d`: dW = dY.T @ im2col(x), a sum over all N * OH * OW pixels.

    Args:
        grad_output: (N, O, OH, OW), the gradient of the loss by the output; any strides.
        x: (N, C, H, W), dtype of `grad_output`, any strides.
        weight_shape: (O, C / groups, KH, KW).
        stride, padding, dilation, groups: as given to `conv2d`.

    Returns:
        (O, C / groups, KH, KW), contiguous; zeros for an empty batch.

    Raises:
        TypeError, ValueError: as `conv2d`; also a `grad_output` that does not have the shape of the output.

    Source: Chellapilla et al. (2006).
    """
    name = "conv2d_backward_weight"
    checks.floating(name, grad_output=grad_output, x=x)
    geometry, groups = conv2d_geometry(
        name, x.shape, weight_shape, stride, padding, dilation, groups, weight="weight_shape"
    )
    o, c, kh, kw = weight_shape
    check_grad_output(name, grad_output, geometry, o)
    xp = array_module(x)
    grad_kernels = xp.zeros((groups, o // groups, kh * kw * c), x.dtype)  # (G, O/G, K)
    for images in _chunks(geometry, x.dtype):
        columns = _unfold(x[images], geometry, groups)  # (G, m, K)
        grad_kernels += _pixel_matrix(grad_output[images], groups).transpose(0, 2, 1) @ columns
    return xp.ascontiguousarray(grad_kernels.reshape(o, kh, kw, c).transpose(0, 3, 1, 2))


@quiet
def conv2d_backward_bias(grad_output):
    """Gradient of the loss by the bias of `conv2d`: (N, O, OH, OW) -> (O,), the sum over images and pixels.

    Raises:
        TypeError, ValueError: `grad_output` is not a float array of four dimensions.
    """
    checks.floating("conv2d_backward_bias", grad_output=grad_output)
    checks.rank("conv2d_backward_bias", "grad_output", grad_output, 4, "(N, O, OH, OW)")
    # Three short sums, not one long: the rounding error grows with OW + OH + N instead of their product.
    return grad_output.sum(axis=3).sum(axis=2).sum(axis=0)


def _chunks(geometry, dtype):
    (n, c, _, _), (kh, kw), (oh, ow) = geometry.x_shape, geometry.kernel_size, geometry.output_size
    return image_chunks(n, oh * ow * kh * kw * c * dtype.itemsize, CHUNK_BYTES)


def _windows(x, geometry, groups):
    """Every window of every group, (N, C, H, W) -> (G, N, OH, OW, KH, KW, C/G): a view of the padded images.

    A window moves by `stride` pixels from output to output, and its taps lie `dilation` pixels apart. Both are
    steps through the same memory, so the windows, though they overlap, are one strided array.
    """
    padded = pad_images(x, geometry)  # (N, HP, WP, C)
    step_n, step_h, step_w, step_c = padded.strides
    n, c = x.shape[:2]
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    return array_module(x).lib.stride_tricks.as_strided(
        padded,
        (groups, n, *geometry.output_size, *geometry.kernel_size, c // groups),
        (c // groups * step_c, step_n, sh * step_h, sw * step_w, dh * step_h, dw * step_w, step_c),
    )


def _unfold(x, geometry, groups):
    """im2col per group: (N, C, H, W) -> (G, N*OH*OW, KH*KW*C/G). One copy, or none where the windows tile `x`."""
    windows = array_module(x).ascontiguousarray(_windows(x, geometry, groups))
    _, n, oh, ow, kh, kw, c = windows.shape
    return windows.reshape(groups, n * oh * ow, kh * kw * c)


def _fold(columns, geometry, groups):
    """col2im per group: (G, N*OH*OW, KH*KW*C/G) -> (N, C, H, W), a view of the padded images."""
    _, c, h, w = geometry.x_shape
    (oh, ow), (kh, kw) = geometry.output_size, geometry.kernel_size
    n = columns.shape[1] // (oh * ow)
    windows = columns.reshape(groups, n, oh, ow, kh, kw, c // groups)
    if (kh, kw) == geometry.stride == (1, 1) and geometry.padded_size == (h, w):  # nothing overlaps
        return to_nchw(windows.transpose(1, 2, 3, 4, 5, 0, 6).reshape(n, h, w, c))
    windows = windows.transpose(4, 5, 1, 2, 3, 0, 6)  # (KH, KW, N, OH, OW, G, C/G)
    padded = array_module(columns).zeros((n, *geometry.padded_size, groups, c // groups), columns.dtype)
    for i, j, rows, cols in geometry.taps():
        padded[:, rows, cols] += windows[i, j]
    return to_nchw(padded.reshape(n, *geometry.padded_size, c)[:, *geometry.interior])


def _weight_matrix(weight, groups):
    """(O, C/G, KH, KW) -> (G, O/G, KH*KW*C/G), the columns in the order of `im2col`."""
    o, c, kh, kw = weight.shape
    return weight.transpose(0, 2, 3, 1).reshape(groups, o // groups, kh * kw * c)


def _pixel_matrix(images, groups):
    """(N, O, OH, OW) -> (G, N*OH*OW, O/G): one row per pixel; a view if `images` are channels-last."""
    n, o, oh, ow = images.shape
    return to_nhwc(images).reshape(n * oh * ow, groups, o // groups).transpose(1, 0, 2)
