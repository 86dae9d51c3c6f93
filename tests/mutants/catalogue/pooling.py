"""Mistakes in pooling."""

from ..mutation import mistakes

REFERENCE, CPU = "kernels.reference.pool", "kernels.cpu.pool"

# What the operation saves, replaced by a backward pass that sends the gradient to every pixel that ties.
EVERY_TIE = """self.save(taps=taps)
        from minception.kernels.reference.pool import pool_axes, window_taps
        defaults = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
        rows, columns = pool_axes("", x.shape, **{**defaults, **geometry})
        images, best = x.transpose(0, 2, 3, 1), y.transpose(0, 2, 3, 1)
        def backward(grad_output):
            grad = 0 * images
            for _, windows, pixels in window_taps(rows, columns):
                grad[pixels] += (images[pixels] == best[windows]) * grad_output.transpose(0, 2, 3, 1)[windows]
            return grad.transpose(0, 3, 1, 2)
        self.backward = backward"""

MUTANTS = [
    *mistakes(
        "ops.pooling:MaxPool2d.forward",
        ("all-ties max pool gradient", "self.save(taps=taps)", EVERY_TIE.replace("\n    ", "\n")),
        rows=["max_pool2d"],
    ),
    *mistakes(
        f"{REFERENCE}:max_pool2d",
        ("zero-padded max pool", "xp.full(shape, -np.inf, x.dtype)", "xp.zeros(shape, x.dtype)"),
        ("last of equal maxima", "candidate > best[windows]", "candidate >= best[windows]"),
        ("NaN is not a maximum", " | xp.isnan(candidate)", ""),
        rows=["max_pool2d"],
    ),
    *mistakes(
        f"{REFERENCE}:max_pool2d_backward",
        ("gradient to all taps up to the maximum", "taps[windows] == tap", "taps[windows] >= tap"),
        ("overlapping maxima overwrite each other", "grad_images[pixels] += ", "grad_images[pixels] = "),
        rows=["max_pool2d"],
    ),
    *mistakes(
        f"{REFERENCE}:average_divisors",
        (
            "overhang counted in ceil_mode",
            "xp.minimum(start + axis.kernel, axis.size + axis.padding)",
            "start + axis.kernel",
        ),
        ("count_include_pad ignored", "if not count_include_pad", "if False"),
        rows=["avg_pool2d"],
    ),
    *mistakes(
        f"{REFERENCE}:avg_pool2d_backward",
        (
            "wrong divisor in ceil_mode average pool backward",
            "shares = to_nhwc(grad_output) / divisors",
            "shares = to_nhwc(grad_output) / (divisor_override or divisors[0, 0, 0])",
        ),
        ("overlapping averages overwrite each other", "grad_images[pixels] += ", "grad_images[pixels] = "),
        rows=["avg_pool2d"],
    ),
    *mistakes(
        f"{REFERENCE}:pool_axes",
        ("stride of the height used for the width", "kernels[i], strides[i]", "kernels[i], strides[0]"),
        ("stride left out means 1", "kernels if stride is None else", "(1, 1) if stride is None else"),
        rows=["max_pool2d"],
    ),
    *mistakes(
        "kernels.window:output_size",
        ("window that starts in the padding is kept", "(count - 1) * stride >= size + before", "False"),
        rows=["avg_pool2d", "max_pool2d"],
    ),
    *mistakes(
        "kernels.reference.adaptive_pool:window_bounds",
        (
            "adaptive windows end too early",
            "-(-(window + 1) * size // count)",
            "xp.maximum((window + 1) * size // count, window * size // count + 1)",
        ),
        rows=["adaptive_avg_pool2d"],
    ),
    *mistakes(
        "kernels.reference.adaptive_pool:global_avg_pool2d_backward",
        ("global pool divides by the height alone", "/ (height * width)", "/ height"),
        rows=["global_avg_pool2d"],
    ),
    *mistakes(
        f"{CPU}:_max_pool",
        ("compiled: taps numbered along the columns", "rows[2, y] * kernel_width", "rows[2, y]"),
        ("compiled: windows of the first image only", "line // oh, line % oh", "0, line % oh"),
        rows=["max_pool2d"],
    ),
    *mistakes(
        f"{CPU}:_max_pool_backward",
        ("compiled: taps of the columns ignored", "rows[2, y] + columns[2, x]", "rows[2, y]"),
        rows=["max_pool2d"],
    ),
    *mistakes(
        "kernels.cpu.pool:pixels_of_windows",
        ("compiled: dilation of the window ignored", "axis.dilation, 1)", "1, 1)"),
        ("compiled: first tap counted from the border", "_table(first, count, tap)", "_table(first, count, 0 * tap)"),
        rows=["max_pool2d"],
    ),
    *mistakes(
        "kernels.cpu.pool:windows_of_pixels",
        ("compiled: last tap for the first", "reversed(range(axis.kernel))", "range(axis.kernel)"),
        rows=["max_pool2d", "avg_pool2d"],
    ),
    *mistakes(
        f"{CPU}:_divisors",
        ("compiled: padding counted never", "count_include_pad, divisor_override, np", "False, divisor_override, np"),
        rows=["avg_pool2d"],
    ),
    *mistakes(
        f"{CPU}:_mean_backward",
        ("compiled: share of the first window for all", "rows[0, y] * ow + columns[0, x]", "0 * y"),
        rows=["avg_pool2d"],
    ),
    *mistakes(
        "kernels.cpu.adaptive_pool:_spread",
        ("compiled: adaptive windows not exchanged", "adaptive_walks, count, size", "adaptive_walks, size, size"),
        rows=["adaptive_avg_pool2d"],
    ),
    *mistakes(
        "kernels.cpu.adaptive_pool:_average",
        ("compiled: average over the smallest window", "_areas(size, count, x.dtype)",
         "_areas(size, count, x.dtype).min(keepdims=True)"),
        rows=["adaptive_avg_pool2d"],
    ),
]
