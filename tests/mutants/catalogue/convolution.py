"""Mistakes in convolution."""

from ..mutation import mistakes

REFERENCE, CORRELATION = "kernels.reference.conv", "kernels.cpu.correlation"
DEPTHWISE, COMPILED = "kernels.reference.depthwise", "kernels.cpu.depthwise"
UNDILATED = 'type(geometry)(**{**vars(geometry), "dilation": (1, 1)})'

MUTANTS = [
    *mistakes(
        f"{REFERENCE}:conv2d_backward_input",
        (
            "kernel flipped in the input gradient",
            "_weight_matrix(weight, groups)",
            "_weight_matrix(weight[:, :, ::-1, ::-1], groups)",
        ),
        ("padding not cut off the input gradient", "grad_x[images] = _fold", "grad_x[images][:, :, 1:] = 0; _fold"),
        rows=["conv2d"],
    ),
    *mistakes(
        f"{REFERENCE}:conv2d_backward_weight",
        (
            "dilation ignored in the weight gradient",
            "(x[images], geometry, groups)",
            f"(x[images], {UNDILATED}, groups)",
        ),
        ("weight gradient of the last chunk only", "grad_kernels += ", "grad_kernels[...] = "),
        ("weight gradient in the order of the columns", "transpose(0, 3, 1, 2)", "transpose(0, 3, 1, 2)[:, ::-1]"),
        rows=["conv2d"],
    ),
    *mistakes(
        f"{REFERENCE}:conv2d",
        ("bias added twice", "pixels += bias.reshape(groups, 1, -1)", "pixels += 2 * bias.reshape(groups, 1, -1)"),
        rows=["conv2d"],
    ),
    *mistakes(
        f"{REFERENCE}:conv2d_backward_bias",
        ("bias gradient averaged over the batch", ".sum(axis=0)", ".mean(axis=0)"),
        rows=["conv2d"],
    ),
    *mistakes(
        f"{REFERENCE}:_pixel_matrix",
        (
            "groups mixed up",
            "reshape(n * oh * ow, groups, o // groups).transpose(1, 0, 2)",
            "reshape(n * oh * ow, o // groups, groups).transpose(2, 0, 1)",
        ),
        rows=["conv2d"],
    ),
    *mistakes(
        f"{REFERENCE}:_windows",
        ("dilation ignored by im2col", "dh * step_h, dw * step_w", "step_h, step_w"),
        ("dilation of the height used for the width", "dw * step_w", "min(dh, dw) * step_w"),
        rows=["im2col"],
    ),
    *mistakes(
        f"{REFERENCE}:_fold",
        ("overlapping windows overwrite each other", "padded[:, rows, cols] += ", "padded[:, rows, cols] = "),
        rows=["im2col"],
    ),
    *mistakes(
        "kernels.window:same_padding",
        ('extra zero of "same" before the image', "total // 2, total - total // 2", "total - total // 2, total // 2"),
        rows=["conv2d"],
    ),
    *mistakes(
        "kernels.conv_geometry:image_chunks",
        ("last chunk of images skipped", "range(0, count, step)", "range(0, max(count - step, 1), step)"),
        rows=["conv2d"],
    ),
    *mistakes(
        "kernels.cpu.axis:gradient_axes",
        ("fast: kernel not flipped in the input gradient", "tuple(reached)", "tuple(reached[::-1])"),
        ("fast: input gradient ignores the padding", "(first + before - i * dilation) //", "(first - i * dilation) //"),
        rows=["conv2d"],
    ),
    *mistakes(
        "kernels.cpu.axis:forward_axis",
        ("fast: dilation ignored", "i * dilation - before", "i - before"),
        rows=["conv2d"],
    ),
    *mistakes(
        f"{CORRELATION}:describe",
        ("fast: classes of a strided input gradient side by side", "target.step * columns.step", "target.step"),
        rows=["conv2d"],
    ),
    *mistakes(
        "kernels.cpu.weight_gradient:_weights",
        ("fast: weight gradient of one chunk only", "more = first > start", "more = False"),
        ("fast: weight gradient adds to what was in memory", "more = first > start", "more = True"),
        rows=["conv2d"],
    ),
    *mistakes(
        "kernels.cpu.conv:conv2d_backward_input",
        ("fully connected: the sum so far is overwritten", "add_to += found", "add_to[...] = found"),
        tests=["kernels.test_direct_paths:test_gradient_of_one_window_is_added"],
    ),
    *mistakes(
        "kernels.cpu.correlation:multiply",
        ("bias added with every piece of a sum", "nothing if begun else bias[block:]", "bias[block:]"),
        ("ReLU before the last piece of a sum", "floor if ended else no_floor", "floor"),
        ("ReLU of a prepared convolution forgotten", "floor if ended else no_floor", "no_floor"),
        ("bias of the first outputs for all", "nothing if begun else bias[block:]", "nothing if begun else bias"),
        rows=["conv2d_prepared"],
    ),
    *mistakes(
        "kernels.cpu.weight_gradient:_few_channels",
        ("last number of a window seen one too early", "offsets[min(k, numbers - 1)]", "offsets[min(k, numbers - 2)]"),
        ("gradient of few channels adds to what was in memory", "first > start", "True"),
        rows=["conv2d"],
    ),
    *mistakes(
        "kernels.cpu.weight_gradient:_few_channels",
        ("few channels: weight gradient of one chunk only", "first > start", "False"),
        ("few channels: all lines begin alike", "= starts[q * out_w], targets[q * out_w]", "= starts[0], targets[0]"),
        tests=["kernels.test_direct_paths:test_few_channels_of_many_lines"],
    ),
    *mistakes(
        "kernels.cpu.correlation:_correlate",
        ("a part computes the outputs of all", "(start * width, min(stop * width, outputs))", "(0, width)"),
        rows=["conv2d_prepared"],
    ),
    *mistakes(
        "kernels.cpu.separable:_separable",
        ("bias between the halves forgotten", "reads, zeros, taps, tap_bias", "reads, zeros, taps, zeros"),
        ("ReLU between the halves forgotten", "tap_bias, tap_floor, buffer", "tap_bias, -np.inf, buffer"),
        ("all images written over the first", "n * target_steps[0]", "0 * target_steps[0]"),
        ("all chunks written over the first", "y * target_steps[1]", "(y - first) * target_steps[1]"),
        rows=["conv2d_prepared, separable"],
    ),
    *mistakes(
        "kernels.cpu.packing:padded_bias",
        ("bias forgotten", "if bias is not None", "if False"),
        rows=["conv2d_prepared"],
    ),
    *mistakes(
        "nn.fuse:fold",
        ("batch norm folded without epsilon", "var + norm.eps", "var"),
        ("mean of a folded batch norm forgotten", "(0.0 if bias is None else bias) - mean", "0.0 * mean"),
        ("weights scaled along the inputs", "scale[:, None, None, None]", "scale[None, : weight.shape[1], None, None]"),
        tests=["nn.test_fuse:test_norm_without_scale_and_shift"],
    ),
    *mistakes(
        "kernels.cpu.winograd:_correlate",
        ("Winograd: last channels forgotten", "range(0, channels, vector)", "range(0, channels - vector, vector)"),
        ("Winograd: bias of the first block for all", "accumulate, bias, block + c", "accumulate, bias, c"),
        tests=["kernels.test_winograd:test_equals_direct_convolution", "kernels.test_winograd:test_bias_is_added_once"],
    ),
    *mistakes(
        "kernels.cpu.winograd:_weights",
        ("Winograd: weight gradient of one chunk only", "first > start", "False"),
        ("Winograd: gradients of all outputs from one panel", "(k * panels + o // PANEL)", "(k * panels)"),
        tests=["kernels.test_winograd:test_equals_direct_convolution"],
    ),
    *mistakes(
        f"{DEPTHWISE}:depthwise_conv2d_backward_input",
        (
            "depthwise: overlapping taps overwrite",
            "grad_padded[:, rows, columns] += ",
            "grad_padded[:, rows, columns] = ",
        ),
        (
            "depthwise: multiplied channels grouped wrongly",
            "interior[..., 0::multiplier]",
            "interior[..., : total.shape[-1]]",
        ),
        ("depthwise: gradient of the first multiple only", "range(1, multiplier)", "range(1, 1)"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        f"{DEPTHWISE}:_pad_and_repeat",
        (
            "depthwise: channels tiled, not repeated",
            "padded.repeat(multiplier, axis=3)",
            "array_module(x).concatenate([padded] * multiplier, axis=3)",
        ),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        f"{DEPTHWISE}:depthwise_conv2d_backward_weight",
        ("depthwise: weight gradient of the last images", "grad_taps[i, j] += row_sums", "grad_taps[i, j] = row_sums"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        f"{COMPILED}:run_correlation",
        ("compiled depthwise: kernel not flipped", "[:, rows.taps]", "[:, sorted(rows.taps)]"),
        ("compiled depthwise: taps of another channel", ".transpose(1, 2, 0)", ".transpose(1, 2, 0)[:, :, ::-1]"),
        ("compiled depthwise: classes of the stride overlap", "rows.first * target.lines", "0 * target.lines"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        f"{COMPILED}:_weights",
        ("compiled depthwise: all lines begin as the first", " = starts[q * out_w]", " = starts[0 * q]"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        f"{COMPILED}:_weights",
        ("compiled depthwise: only the last chunk counts", "total[t + i, c] +=", "total[t + i, c] ="),
        tests=["kernels.test_depthwise:test_weights_of_many_chunks"],
    ),
    *mistakes(
        "kernels.cpu.depthwise_square:_correlate",
        ("compiled 3x3 depthwise: every image is the first", "strip // strips, strip", "0 * strip, strip"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        "kernels.cpu.depthwise_square:_weights",
        ("compiled 3x3 depthwise: only the last strip counts", "total[k] +=", "total[k] ="),
        ("compiled 3x3 depthwise: strips are counted again", "own[:] = 0", "own[:] = own[:] * (strip > start)"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        "kernels.cpu.depthwise_square:describe_squares",
        ("compiled 3x3 depthwise: paddings exchanged", "rows.offsets[0], columns.offsets[0]",
         "columns.offsets[0], rows.offsets[0]"),
        tests=["kernels.test_depthwise:test_square_kernels_and_their_relatives"],
    ),
    *mistakes(
        "kernels.cpu.depthwise:is_square",
        ("compiled 3x3 depthwise: stride ignored", "a.stride == a.step == 1", "True"),
        ("compiled 3x3 depthwise: dilation ignored", "a.adjacent()", "True"),
        tests=["kernels.test_depthwise:test_square_kernels_and_their_relatives"],
    ),
    *mistakes(
        "kernels.cpu.axis:axes_of",
        ("compiled depthwise: padding of the height for both", "(first for first, _ in geometry.padding)",
         "[geometry.padding[0][0]] * 2"),
        rows=["depthwise_conv2d"],
    ),
    *mistakes(
        "kernels.reference.depthwise:separable_conv2d_backward",
        (
            "separable: bias gradient of the features",
            "conv2d_backward_bias(grad_output)",
            "0 * conv2d_backward_bias(grad_output)",
        ),
        rows=["separable_conv2d"],
    ),
    *mistakes(
        "nn.convolution:Conv2d.forward",
        ("layer forgets its dilation", "self.dilation, self.groups", "1, self.groups"),
        rows=["conv2d"],
    ),
]
