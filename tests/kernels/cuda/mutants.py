"""Wrong CUDA kernels that the tests must catch: plausible mistakes, each a small change to the text of a `.cu` file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceMutant:
    """A mistake: in which file, what text becomes what, and the rows of the table whose tests should notice.

    Where the text is there several times, `at` says which one is changed, counted from 0.
    """

    name: str
    file: str
    old: str
    new: str
    rows: tuple
    at: int = 0
    times: int = 1


def mistakes(file, *changes, rows):
    """Several mutants of one file: each change is (name, old, new), or with (at, times) of a text that recurs."""
    return [SourceMutant(name, file, old, new, tuple(rows), *where) for name, old, new, *where in changes]


POOLS = ["max_pool2d", "avg_pool2d"]

MUTANTS = [
    *mistakes(
        "common.cuh",
        ("every thread makes the first elements", "(integer)blockIdx.x * blockDim.x + threadIdx.x", "threadIdx.x"),
        ("the last element is left out", "i < (count)", "i < (count) - 1"),
        ("quotients rounded down", "(a + b - 1) / b", "a / b"),
        rows=["max_pool2d"],
    ),
    *mistakes(
        "window.cuh",
        ("padding added where it is to be subtracted", "window * stride - padding", "window * stride + padding"),
        ("dilation ignored", "+ tap * dilation;", "+ tap;"),
        ("pixel before the first", "pixel >= 0", "pixel >= -1"),
        ("pixel after the last", "pixel < size", "pixel <= size"),
        ("last window left out", "(pixel + padding) / stride + 1", "(pixel + padding) / stride"),
        ("windows beyond the last", "smaller((pixel + padding) / stride + 1, count)", "(pixel + padding) / stride + 1"),
        ("first window left out", "start <= 0 ? 0 : divide_up(start, stride)", "start < 0 ? 0 : start / stride + 1"),
        ("between two taps", "distance % dilation == 0 ? distance / dilation : -1", "distance / dilation"),
        rows=POOLS,
    ),
    *mistakes(
        "pool.cu",
        ("last of equal maxima", "value > best", "value >= best"),
        ("NaN is not a maximum", " || isnan(value)", ""),
        ("zero-padded maximum", "-INFINITE;", "0;"),
        ("taps numbered along the columns", "tap = a * columns.kernel + b", "tap = b * rows.kernel + a"),
        ("images mixed up", "n = window / columns.count / rows.count", "n = 0", 0, 2),
        ("gradient to every window", "if (taps[window] == a * columns.kernel + b) sum", "sum"),
        ("tap of the rows for that of the columns", "columns.tap(ow, w)", "columns.tap(oh, h)"),
        ("windows of maxima overwrite each other", "b) sum += grad_output", "b) sum = grad_output"),
        ("first tap counted from the border", "tap = first_row * columns.kernel + first_column", "tap = 0"),
        rows=["max_pool2d"],
    ),
    *mistakes(
        "pool.cu",
        ("divisor missing", "sum / divisor_of(rows, columns, oh, ow, count_padding, divisor_override)", "sum"),
        (
            "divisor of the first window for all, backward",
            "gradient / divisor_of(rows, columns, oh, ow,",
            "gradient / divisor_of(rows, columns, 0, 0,",
        ),
        ("padding always counted", "count_padding ? axis.padding : 0", "axis.padding"),
        ("overhang counted", "smaller(start + axis.kernel, axis.size + border)", "start + axis.kernel"),
        ("divisor_override ignored", "override != 0", "false"),
        ("rows of a window for its columns", "counted_pixels(columns, ow,", "counted_pixels(rows, oh,"),
        rows=["avg_pool2d"],
    ),
    *mistakes(
        "adaptive_pool.cu",
        ("adaptive windows end too early", "divide_up((window + 1) * size, count)", "(window + 1) * size / count"),
        ("adaptive windows of other sizes than their areas", "(number)(row_pixels * column_pixels)", "(number)4"),
        ("adaptive windows of columns among rows",
         "window_end(w, out_width, width)", "window_end(w, out_height, width)"),
        rows=["adaptive_avg_pool2d"],
    ),
    *mistakes(
        "adaptive_pool.cu",
        ("global average without its last pixels", "pixel < pixels", "pixel < pixels - 1"),
        ("global average not divided", "(sum / pixels)", "sum"),
        ("gradient of the first channel for all", "grad_output[i / channels / pixels * channels + i % channels]",
         "grad_output[i / channels / pixels * channels]"),
        rows=["global_avg_pool2d"],
    ),
    *mistakes(
        "depthwise.cu",
        ("bias left out", "bias == 0 ? 0 : bias[o]", "0"),
        ("weights of the first output of a channel for all", "columns.kernel + b) * outputs + o]",
         "columns.kernel + b) * outputs + c * multiplier]"),
        ("kernel not mirrored in the gradient", "const number* weights = taps + (a * columns.kernel + b)",
         "const number* weights = taps + (rows.kernel * columns.kernel - 1 - (a * columns.kernel + b))"),
        ("gradient from the first output of a channel alone", "o < (c + 1) * multiplier", "o <= c * multiplier"),
        ("last window of a piece left out", "if (window >= end)", "if (window >= end - 1)"),
        ("first window of a piece left out", "batch = first + threadIdx.y;", "batch = first + 1 + threadIdx.y;"),
        ("only the first piece", "piece < pieces", "piece < smaller(pieces, 1)"),
        ("taps of the rows and of the columns exchanged", "a = tap / columns.kernel, b = tap % columns.kernel",
         "a = tap % rows.kernel, b = tap / rows.kernel"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        "gemm.cuh",
        ("no barrier between storing a slice and multiplying it", "        __syncthreads();\n", ""),
        ("one copy of the slices for both", "slice % 2;", "0;"),
        ("last slice left out", "slice < slices;", "slice < slices - 1;"),
        ("the first slice is multiplied again and again", "if (slice + 1 < slices) {", "if (false) {"),
        ("sums of the first row for all", "own_left[i] * own_right[j]", "own_left[0] * own_right[j]"),
        ("fours of neighbours on top of each other", "i / 4 * (EXTENT * 4 / OWN)", "i / 4 * 4"),
        ("threads have the same columns", "thread * 4 + i % 4", "i % 4"),
        ("last row of the matrix left out", "row < rows_left", "row < rows_left - 1"),
        ("all slices from the first rows", "next += SLICE * step;", ""),
        ("lines of a slice of the right matrix in one", "threadIdx.x / WIDTH + i * (THREADS / WIDTH)",
         "threadIdx.x / WIDTH"),
        rows=["conv2d"],
    ),
    *mistakes(
        "conv.cuh",
        ("digits carry too late", "third >= thirds;", "third > thirds;"),
        ("second digit never full", "if (++second < seconds) continue;", "if (++second <= seconds) continue;"),
        ("rows of the padding read", "rows.has(h) && columns.has(w) ? x", "columns.has(w) ? x"),
        ("columns of the padding read", "rows.has(h) && columns.has(w) ? x", "rows.has(h) ? x"),
        ("taps without dilation", "down = tap.first * images.rows.dilation, right", "down = tap.first, right"),
        ("numbers beyond the window", "if (tap.first >= images.rows.kernel) return 0;", ""),
        ("stride of the rows for the columns", "images.columns.pixel(window.third, 0)",
         "images.rows.pixel(window.third, 0)"),
        ("padding left out of the weights' gradient", "tap.first * images.rows.dilation - images.rows.padding",
         "tap.first * images.rows.dilation"),
        ("every window again and again", "window.advance(STEP, images.rows.count, images.columns.count);", ""),
        ("windows counted on twice", "left_over -= STEP;", "left_over -= 2 * STEP;"),
        ("channels of the first group for all", "Images source = {x + g * group_channels, rows",
         "Images source = {x, rows", 0, 2),
        ("channels of the first group for all, weights' gradient", "Images source = {x + g * group_channels, rows",
         "Images source = {x, rows", 1, 2),
        ("weights of the first group for all", "weights += g * numbers * group_outputs;", ""),
        ("outputs of all groups on top of each other", "o += g * group_outputs;", ""),
        ("bias left out of a convolution", "(bias == 0 ? 0 : bias[o])", "0"),
        ("first tile of the outputs for all", "block / groups % tiles * WIDTH", "0", 0, 2),
        ("only the first windows", "first = block / groups / tiles * HEIGHT", "first = 0", 0, 2),
        ("only the first numbers of a window", "first = block / groups / tiles * HEIGHT", "first = 0", 1, 2),
        ("last window not written", "if (first + tile.row(i) >= windows) continue;",
         "if (first + tile.row(i) >= windows - 1) continue;"),
        ("classes of pixels on top of each other", "first + window * step", "window * step"),
        ("steps of classes ignored", "first + window * step", "first + window"),
        ("pieces on top of each other", "((integer)blockIdx.y * groups + g)", "g"),
        ("first piece of the windows for all", "begin = (integer)blockIdx.y * piece", "begin = 0"),
        ("gradients of the first group for all", "grad_output + g * group_outputs", "grad_output"),
        ("only the first piece of a dense gradient", "piece < pieces; piece++", "piece < smaller(pieces, 1); piece++"),
        ("taps and channels exchanged", "((g * outputs + o) * channels + channel) * taps + tap",
         "((g * outputs + o) * taps + tap) * channels + channel"),
        rows=["conv2d"],
    ),
    *mistakes(
        "conv.cuh",
        ("ReLU left out of a convolution", "relu && sum <= 0 ? 0 : sum", "sum"),
        ("ReLU where there is none", "relu && sum <= 0 ? 0 : sum", "sum <= 0 ? 0 : sum"),
        rows=["conv2d_prepared"],
    ),
    *mistakes(
        "block.cuh",
        ("no barrier before the other half's sums are read", "        __syncthreads();\n", ""),
        ("no barrier before the next sum", "__syncthreads();  // before", "// before"),
        ("tree begins at a quarter", "half = blockDim.y / 2", "half = blockDim.y / 4"),
        ("tree adds neighbours in a row", "half * blockDim.x]", "half]"),
        rows=["global_avg_pool2d", "depthwise_conv2d", "batch_norm, training"],
    ),
    *mistakes(
        "batch_norm.cu",
        ("no barrier before the other half's moments are read", "__syncthreads();", ""),
        ("between means of two sets nothing", " + delta * delta * a.count * share", ""),
        ("mean of two means", "a.mean + delta * share", "(a.mean + b.mean) / 2"),
        ("rounding of a batch's mean ignored", "center + (double)residual / count", "center"),
        ("infinite means lost", "isfinite(delta) ? a.mean + delta * share :", "true ? a.mean + delta * share :"),
        ("last rows left out", "if (row + k * step < end) {", "if (row + k * step < end - 1) {"),
        ("all pieces are as large as the first", "count = smaller(piece, rows - p * piece)", "count = piece"),
        ("rounding of the mean not made up for", " + (rounded - all.mean) * factor", ""),
        ("eps outside of the root", "/ sqrt(variance + eps)", "/ (sqrt(variance) + eps)"),
        ("first moments for all pieces", "means[p * channels + c]", "means[c]"),
        ("last piece of the statistics left out", "p < pieces && c", "p < pieces - 1 && c", 0, 2),
        ("last piece of the gradients left out", "p < pieces && c", "p < pieces - 1 && c", 1, 2),
        ("only the first rows", "row < rows; row += gridDim.x", "row < smaller(rows, 8); row += gridDim.x", 0, 2),
        ("mean of the gradient not subtracted", "residual * steepness - sum_g / rows", "residual * steepness"),
        ("part along the normalised values not subtracted", "g - (value - line.mean) * slope_c + offset_c",
         "g + offset_c"),
        ("gradient of the weight not normalised", "(number)(inverse_std * sum_gd)", "(number)sum_gd"),
        ("running variance biased", "(var[c] * correction)", "var[c]"),
        ("momentum exchanged", "(1 - momentum) * running_mean[c]", "momentum * running_mean[c]"),
        rows=["batch_norm, training"],
    ),
    *mistakes(
        "batch_norm.cu",
        ("bias left out when evaluating", "shift[c] = bias == 0 ? 0 : bias[c];", "shift[c] = 0;"),
        ("evaluating as training", "if (training) {", "if (true) {"),
        ("weight left out of the input's gradient", "inverse_std * (weight == 0 ? 1 : weight[c])", "inverse_std"),
        rows=["batch_norm, evaluating"],
    ),
    *mistakes(
        "batch_norm.cu",
        ("ReLU makes a zero of NaN", "line.relu && y <= 0 ? 0 : y", "line.relu && !(y > 0) ? 0 : y"),
        ("ReLU left out", "line.relu && y <= 0 ? 0 : y", "y"),
        ("gradient passes where y is negative", "line.of(x) <= 0 ? 0 : gradient", "line.of(x) == 0 ? 0 : gradient"),
        rows=["batch_norm_relu, training", "batch_norm_relu, evaluating"],
    ),
    *mistakes(
        "warp.cuh",
        ("lanes 16 places apart never meet", "distance = 16; distance > 0; distance /= 2) value +=",
         "distance = 8; distance > 0; distance /= 2) value +="),
        ("maximum of half a warp", "distance = 16; distance > 0; distance /= 2)\n",
         "distance = 8; distance > 0; distance /= 2)\n"),
        rows=["cross_entropy"],
    ),
    *mistakes(
        "cross_entropy.cu",
        ("largest score not subtracted", "exp(scores[c] - largest)", "exp(scores[c])"),
        ("class weights ignored", "weight == 0 ? 1 : weight[c]", "1"),
        ("smoothing spread over the other classes", "(number)(smoothing / classes) * of_all",
         "(number)(smoothing / (classes - 1)) * of_all"),
        ("ignored examples cost", "losses[n] = label < 0 ? 0 : loss", "losses[n] = loss"),
        ("ignored examples count", "if (labels[n] >= 0) sum", "sum"),
        ("mean over all examples", "sum / *divisor", "sum / examples"),
        ("rows of the first block alone", "(integer)blockIdx.x * blockDim.y + threadIdx.y", "threadIdx.y", 0, 2),
        ("gradient not divided", "if (divisor != 0) grad_loss /= (number)*divisor;", ""),
        ("gradient of the first example for all", "grad_output[each ? n : 0]", "grad_output[0]"),
        ("gradient without the sum", "exp(l[c]) * sum", "exp(l[c])"),
        ("gradient of ignored examples", "label < 0 ? 0 : -(number)(smoothing", "-(number)(smoothing"),
        ("classes beyond the warp left out", "c < classes; c += 32) sum += exp",
         "c < smaller(classes, 32); c += 32) sum += exp"),
        rows=["cross_entropy"],
    ),
    *mistakes(
        "activation.cu",
        ("ReLU loses NaN", "x[i] <= 0 ? 0 : x[i]", "x[i] > 0 ? x[i] : 0"),
        ("gradient of ReLU passes at zero", "output[i] <= 0 ? 0", "output[i] < 0 ? 0"),
        rows=["relu"],
    ),
]
