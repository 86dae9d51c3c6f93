"""Mistakes in batch normalization."""

from ..mutation import mistakes

TRAIN, EVAL = ("batch_norm, training",), ("batch_norm, evaluating",)
REFERENCE, PASSES = "kernels.reference.batch_norm", "kernels.cpu.batch_norm_passes"
CHANNELS = "kernels.cpu.batch_norm_channels"
SLICES = ("kernels.test_batch_norm_passes:test_slices_of_channels_give_what_copies_give",)

MUTANTS = [
    *mistakes(
        f"{REFERENCE}:batch_norm_update_running",
        ("biased running variance", "* (count / (count - 1))", "* 1.0"),
        (
            "running mean keeps momentum, not 1 - momentum",
            "(1 - momentum) * running_mean.astype(xp.float64) + momentum * mean",
            "momentum * running_mean.astype(xp.float64) + (1 - momentum) * mean",
        ),
        ("running variance not moved", "running_var[...] = (1 - momentum)", "running_var[...] = 0 * momentum + 1"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:_moments",
        ("normalised by the unbiased variance", "total_square / rows -", "total_square / max(rows - 1, 1) -"),
        ("variance as E[x^2] - mean^2", "center = (total / rows)", "center = (0 * total)"),
        ("rounding of the mean ignored", "residual = total_deviation / rows", "residual = 0 * total_deviation"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:training_coefficients",
        ("bias ignored", "(0 if bias is None else bias)", "0"),
        ("rounding of the mean ignored in the output", "excess * scale + ", "0 * scale + "),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:_inverse_std",
        ("eps outside the root", "xp.sqrt(var.astype(xp.float64) + eps)", "(xp.sqrt(var) + eps)"),
        rows=EVAL,
    ),
    *mistakes(
        f"{REFERENCE}:batch_norm_train_backward",
        ("mean term missing in backward", "residual * slope - sum_g / rows", "residual * slope"),
        ("variance term missing in backward", "inverse_std**2 * sum_gd / rows", "0 * sum_gd"),
        ("weight missing in the input gradient", "inverse_std * (1 if weight is None else weight)", "inverse_std"),
        ("weight gradient not normalised", "(inverse_std * sum_gd).astype", "sum_gd.astype"),
        ("inverse deviation not squared", "inverse_std**2 * sum_gd", "inverse_std * sum_gd"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:batch_norm_eval_backward",
        ("weight missing in the gradient of evaluation", "(1 if weight is None else weight)", "1"),
        ("running mean ignored in the weight gradient", "matrix, running_mean)", "matrix, 0 * running_mean)"),
        rows=EVAL,
    ),
    *mistakes(
        "kernels.reference.batch_norm_steps:batch_norm_backward_steps",
        (
            "gradient through the variance forgotten",
            "grad_centered_from_normalized + grad_centered_from_squared",
            "grad_centered_from_normalized",
        ),
        ("slope of the root without its 2", "grad_std / (2 * std)", "grad_std / std"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{CHANNELS}:gradient_coefficients",
        ("compiled: mean term missing in backward", " - sum_g / count", ""),
        ("compiled: rounding of the mean ignored in backward", "residual = sum_d / count", "residual = 0.0 * sum_d"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{CHANNELS}:training_coefficients",
        ("compiled: rounding of the mean ignored", "(center[c] - mean[c]) * factor", "0.0"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{CHANNELS}:move_running",
        ("compiled: running statistics change places", "momentum * mean[c]", "momentum * var[c]"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{PASSES}:moments",
        ("compiled: columns of a long row lost", "squares[piece], i * (last - first)", "squares[piece], 0"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{PASSES}:moments",
        ("compiled: rows read as if they followed each other", "moments(x, step,", "moments(x, channels,"),
        tests=SLICES,
    ),
    *mistakes(
        f"{PASSES}:_column_moments",
        ("compiled: deviation from zero", "row0[c] - center[c], row1[c] - center[c]", "row0[c], row1[c]"),
        ("compiled: last rows of a block left out", "range(size - size % 4, size)", "range(size, size)"),
        tests=("kernels.test_batch_norm_passes:test_moments",),
    ),
    *mistakes(
        f"{PASSES}:input_gradient",
        ("compiled: gradient read as if its rows followed each other", "_block(g, g_step,", "_block(g, channels,"),
        tests=SLICES,
    ),
    *mistakes(
        "nn.normalization:_BatchNorm.forward",
        ("batch statistics while evaluating", "training=self.training or self.running_mean is None", "training=True"),
        rows=EVAL,
    ),
]
