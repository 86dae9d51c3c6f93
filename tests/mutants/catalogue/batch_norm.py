"""Mistakes in batch normalization."""

from ..mutation import mistakes

TRAIN, EVAL = ("batch_norm, training",), ("batch_norm, evaluating",)
REFERENCE, CPU = "kernels.reference.batch_norm", "kernels.cpu.batch_norm"

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
        f"{REFERENCE}:batch_norm_train",
        ("normalised by the unbiased variance", "total_square / max(rows, 1) -", "total_square / max(rows - 1, 1) -"),
        ("eps outside the root, forward", "1 / xp.sqrt(var + eps)", "1 / (xp.sqrt(var) + eps)"),
        ("variance as E[x^2] - mean^2", "center = (total / max(rows, 1))", "center = (0 * total)"),
        ("rounding of the mean ignored", "residual = total_deviation / max(rows, 1)", "residual = 0 * total_deviation"),
        ("bias ignored", "bias - residual * scale", "-residual * scale"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:_inverse_std",
        ("eps outside the root, evaluating", "xp.sqrt(var.astype(xp.float64) + eps)", "(xp.sqrt(var) + eps)"),
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
        f"{CPU}:batch_norm_train_backward",
        ("compiled: mean term missing in backward", "residual * slope - sum_g / count", "residual * slope"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{CPU}:_block_moments",
        ("compiled: blocks merged without their means", "shift * shift * start / stop * size", "0.0"),
        ("compiled: deviation from zero", "d = x[r, c] - center[c]", "d = x[r, c]"),
        rows=TRAIN,
    ),
    *mistakes(
        "nn.normalization:_BatchNorm.forward",
        ("batch statistics while evaluating", "training=self.training or self.running_mean is None", "training=True"),
        rows=EVAL,
    ),
]
