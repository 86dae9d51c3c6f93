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
        "conv.cu",
        ("no barrier before the places of windows are read", "    __syncthreads();\n\n    // What", "\n    // What"),
        ("no barrier before the first tiles are read", "    __syncthreads();\n    for", "    for", 0, 2),
        ("no barrier between tiles", "        __syncthreads();\n    }\n", "    }\n", 0, 2),
        ("no barrier before the places of pixels are read", "    __syncthreads();\n    fetch(first", "    fetch(first"),
        ("no barrier before the first tiles of a piece are read", "    __syncthreads();\n    for", "    for", 1, 2),
        ("no barrier between tiles of a piece", "        __syncthreads();\n    }\n", "    }\n", 1, 2),
        ("the next tile into the buffer that is being read", "store(1 - buffer)", "store(buffer)", 0, 2),
        ("places of the next tile's pixels overwritten", "find_places(start + 2 * DEEP, buffer)",
         "find_places(start + 2 * DEEP, 1 - buffer)"),
        ("sums that nobody adds to the total", "    add_to_total(sums, total);\n\n    integer y = thread",
         "    integer y = thread"),
        ("partial sums counted twice", "            sums[i][j] = 0;\n", ""),
        ("windows of the next image's rows", "window / rows.count * rows.size", "window / rows.count * rows.count"),
        ("no stride down", "window % rows.count * rows.stride", "window % rows.count"),
        ("row above the image", "h < 0 || h", "h < -1 || h"),
        ("column beyond the image", "w >= columns.size", "w > columns.size"),
        ("channels of the first group for all", "channel = group * channels + k % channels;\n        bool",
         "channel = k % channels;\n        bool"),
        ("weights of the first group for all", "weights[(group * depth + row)", "weights[row"),
        ("bias of the first group for all", "bias[group * outputs + o + j]", "bias[o + j]"),
        ("outputs of the first group for all", "(groups * outputs) + group * outputs;", "(groups * outputs);"),
        ("taps down and across exchanged", "rows.offsets[tap / columns.taps]", "rows.offsets[tap % rows.taps]", 0, 2),
        ("the class of a pixel ignored", "columns.first + q * columns.step", "q"),
        ("a floor where there is none", "value < (number)floor", "value < 0"),
        ("last pixel of a piece left out", "pixel < end && o", "pixel < end - 1 && o"),
        ("gradient of the first group for all", "(pixel * groups + group) * outputs", "pixel * groups * outputs"),
        ("all pieces in the first's place", "(blockIdx.y / tiles * groups + group)", "group"),
        ("only the first piece of the weights", "piece < pieces", "piece < smaller(pieces, 1)"),
        ("weights turned around", "* channels + c) * taps + tap]", "* channels + c) * taps + taps - 1 - tap]"),
        rows=["conv2d"],
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
