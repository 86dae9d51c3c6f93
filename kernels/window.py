"""Sliding windows: where a convolution or pooling window lands. Arithmetic of integers only.

One axis of length `size`, padded by `before` and `after`, is read by windows of `kernel` taps that lie `dilation`
apart; neighbouring windows start `stride` apart. The formulas are those of Dumoulin and Visin, "A guide to
convolution arithmetic for deep learning" (2016), relationships 5 and 6, with dilation as in section 5.1.
"""


def effective_size(kernel, dilation):
    """Length of axis that one window spans."""
    return dilation * (kernel - 1) + 1


def output_size(size, kernel, stride, before, after, dilation, ceil_mode=False):
    """Number of windows along one axis; zero or less if the kernel does not fit.

    With `ceil_mode`, a last window may hang over the end, but must start inside the input or the padding before
    it (PyTorch's rule: a window that would start in the padding after the input is dropped).
    """
    span = size + before + after - effective_size(kernel, dilation)
    if not ceil_mode:
        return span // stride + 1
    count = -(-span // stride) + 1
    if (count - 1) * stride >= size + before:
        count -= 1
    return count


def same_padding(kernel, dilation):
    """(before, after) that keeps the size at stride 1; an odd total puts the extra zero after, as PyTorch does."""
    total = dilation * (kernel - 1)
    return total // 2, total - total // 2


def tap_slice(tap, stride, dilation, count):
    """Slice of the padded axis that window tap `tap` reads, one element for each of `count` windows."""
    start = tap * dilation
    return slice(start, start + stride * (count - 1) + 1, stride)
