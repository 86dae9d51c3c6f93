"""Kernel, stride, padding and dilation that fit an image."""

from hypothesis import strategies as st

LONGEST_SIDE = 9


@st.composite
def conv_windows(draw, sides, keep_size=None):
    """Window of a convolution over (height, width), each axis its own; with `keep_size` the output is as large."""
    if keep_size is None:
        keep_size = draw(st.booleans())
    axes = [draw(kept_axis() if keep_size else conv_axis(side)) for side in sides]
    kernel, stride, padding, dilation = zip(*axes, strict=True)
    if keep_size and draw(st.booleans()):
        padding = "same"
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}


@st.composite
def kept_axis(draw):
    """(kernel, stride, padding, dilation) that keep a length."""
    kernel, dilation = draw(st.sampled_from([1, 3])), draw(st.integers(1, 2))
    return kernel, 1, dilation * (kernel - 1) // 2, dilation


@st.composite
def conv_axis(draw, length):
    kernel, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    reach = dilation * (kernel - 1) + 1
    least = max(0, -(-(reach - length) // 2))
    most = max(least, reach // 2 if length >= LONGEST_SIDE else 2)
    return kernel, stride, draw(st.integers(least, most)), dilation


@st.composite
def pool_windows(draw, sides):
    """Window of a pooling over (height, width); the padding is at most half the kernel."""
    axes = [draw(pool_axis(side)) for side in sides]
    kernel, stride, padding = zip(*axes, strict=True)
    return {"kernel": kernel, "stride": stride, "padding": padding, "ceil": draw(st.booleans())}


@st.composite
def pool_axis(draw, length):
    kernel = draw(st.integers(1, min(3, length + 1)))
    padding = draw(st.integers(max(0, kernel - length), kernel // 2))
    return kernel, draw(st.integers(1, 3)), padding
