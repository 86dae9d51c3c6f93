"""Mistakes in batch normalization with ReLU."""

from ..mutation import mistakes

TRAIN, EVAL = ("batch_norm_relu, training",), ("batch_norm_relu, evaluating",)
REFERENCE, PASSES = "kernels.reference.batch_norm_relu", "kernels.cpu.batch_norm_passes"
SAME_BITS = ("kernels.test_batch_norm_passes:test_backward_blocks_where_forward_cut_off",)

MUTANTS = [
    *mistakes(
        f"{REFERENCE}:batch_norm_relu_train",
        ("ReLU forgotten", "relu(normalize(x, mean, scale, shift))", "normalize(x, mean, scale, shift)"),
        ("ReLU before batch norm", "relu(normalize(x, mean, scale, shift))", "normalize(relu(x), mean, scale, shift)"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:batch_norm_relu_train_backward",
        ("gradient not blocked", "relu_backward(grad_output, normalize(x, mean, scale, shift))", "grad_output"),
        ("gradient blocked where x is negative", "normalize(x, mean, scale, shift))", "x)"),
        ("gradient blocked without the bias", "mean, scale, shift))", "mean, scale, 0 * shift))"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{REFERENCE}:batch_norm_relu_eval_backward",
        ("gradient not blocked, evaluating", "relu_backward(grad_output, output)", "grad_output"),
        ("running mean for the batch's", "running_mean, running_var, eps)", "0 * running_mean, running_var, eps)"),
        rows=EVAL,
    ),
    *mistakes(
        f"{PASSES}:normalize",
        ("compiled: ReLU forgotten", "floor if y <= floor else y", "y"),
        ("compiled: NaN becomes 0", "floor if y <= floor else y", "y if y > floor else floor"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{PASSES}:input_gradient",
        ("compiled: blocked gradient counts", "(g0 - d * slope[c]", "(grad[c] - d * slope[c]"),
        ("compiled: the mean's part blocked too", "(g0 - d * slope[c] + offset[c]) * factor[c]", "g0 * factor[c]"),
        rows=TRAIN,
    ),
    *mistakes(
        f"{PASSES}:gradient_sums",
        ("compiled: ReLU ignored by the sums", "x.dtype.type(0) if relu else ", ""),
        rows=TRAIN,
        tests=SAME_BITS,
    ),
    *mistakes(
        f"{PASSES}:scaled_gradient",
        ("compiled: gradient not blocked, evaluating", "target[c] = g0 * scale[c]", "target[c] = grad[c] * scale[c]"),
        rows=EVAL,
    ),
    *mistakes(
        "ops.normalization:BatchNormReLUTrain.forward",
        ("scale and shift change places", "y, mean, var, scale, shift = ", "y, mean, var, shift, scale = "),
        rows=TRAIN,
    ),
]
