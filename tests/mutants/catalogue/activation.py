"""Mistakes in activations, softmax, losses and dropout."""

from ..mutation import mistakes

LOSS = "kernels.reference.cross_entropy"

MUTANTS = [
    *mistakes(
        "kernels.reference.activation:relu_backward",
        ("gradient passes a ReLU at zero", "output <= 0", "output < 0"),
        rows=["relu"],
    ),
    *mistakes(
        "kernels.cpu.activation:_mask",
        ("compiled: gradient passes a ReLU at zero", "output[i] <= zero", "output[i] < zero"),
        rows=["relu"],
    ),
    *mistakes(
        "kernels.reference.activation:elu_backward",
        ("alpha missing in ELU backward", "alpha * xp.exp", "xp.exp"),
        rows=["elu"],
    ),
    *mistakes(
        "kernels.reference.activation:elu",
        ("ELU as exp(x) - 1, which cancels", "xp.expm1(xp.minimum(x, 0))", "(xp.exp(xp.minimum(x, 0)) - 1)"),
        rows=["elu"],
    ),
    *mistakes(
        "kernels.reference.softmax:shifted",
        ("softmax overflows", "x - x.max(axis=axis, keepdims=True)", "x - 0"),
        rows=["softmax", "log_softmax"],
    ),
    *mistakes(
        "kernels.reference.softmax:softmax_backward",
        (
            "softmax gradient without its sum",
            "grad_output - (grad_output * output)",
            "grad_output - 0 * (grad_output * output)",
        ),
        rows=["softmax"],
    ),
    *mistakes(
        "kernels.reference.softmax:log_softmax_backward",
        ("sum of the gradient over the wrong axis", "grad_output.sum(axis=axis", "grad_output.sum(axis=axis - 1"),
        rows=["log_softmax"],
    ),
    *mistakes(
        f"{LOSS}:softmax_cross_entropy",
        ("smoothing over K - 1 classes", "smoothing / classes * reduce", "smoothing / max(classes - 1, 1) * reduce"),
        ("mean over ignored labels too", "losses.sum() / weights.sum()", "losses.sum() / n"),
        (
            "class weights missing in the smoothing",
            "log_probabilities if weight is None else",
            "log_probabilities if True else",
        ),
        rows=["cross_entropy"],
    ),
    *mistakes(
        f"{LOSS}:softmax_cross_entropy_backward",
        ("smoothing missing in backward", "grad -= smoothing / classes", "grad -= 0 * smoothing / classes"),
        ("ignored labels push the logits", "xp.where(counted[:, None], grad, 0)", "grad"),
        (
            "summed gradient for a mean loss",
            'if reduction == "mean" else grad_output, (n,)',
            "if False else grad_output, (n,)",
        ),
        rows=["cross_entropy"],
    ),
    *mistakes(
        "kernels.reference.dropout:dropout",
        ("dropout not scaled", "1 / (1 - p) if p < 1", "1.0 if p < 1"),
        ("dropout keeps what it should drop", "x.dtype) >= p", "x.dtype) < p"),
        rows=["dropout"],
    ),
    *mistakes(
        "kernels.reference.local_response_norm:local_response_norm_backward",
        ("window not mirrored in LRN backward", "(size - 1) // 2, size // 2", "size // 2, (size - 1) // 2"),
        ("beta missing in LRN backward", "power - 2 * alpha * beta / size", "power - 2 * alpha / size"),
        rows=["local_response_norm"],
    ),
    *mistakes(
        "kernels.reference.local_response_norm:local_response_norm",
        ("alpha not divided by the window", "alpha / size * squares", "alpha * squares"),
        rows=["local_response_norm"],
    ),
    *mistakes(
        "kernels.cpu.local_response_norm:local_response_norm_backward",
        ("compiled: window not mirrored in LRN backward", "scale), after, before", "scale), before, after"),
        ("compiled: beta missing in LRN backward", "2 * alpha * beta / size", "2 * alpha / size"),
        rows=["local_response_norm"],
    ),
    *mistakes(
        "kernels.cpu.local_response_norm:_normalize",
        ("compiled: window without its last channel", "before + 1 + after, scale_row", "before + after, scale_row"),
        ("compiled: margin not kept free of squares", "padded[before : before + channels]", "padded[:channels]"),
        rows=["local_response_norm"],
    ),
    *mistakes(
        "kernels.cpu.local_response_norm:_gradient",
        ("compiled: power of the scale too high by one", "* power[c] / scale_row[c]", "* power[c]"),
        rows=["local_response_norm"],
    ),
    *mistakes(
        "kernels.reference.linear:linear_backward_bias",
        ("bias gradient averaged over the rows", ".sum(axis=0, dtype=xp.float64)", ".mean(axis=0, dtype=xp.float64)"),
        rows=["linear"],
    ),
    *mistakes(
        "kernels.cpu.linear:_outputs",
        ("compiled: only the last part of a long sum", "first > 0", "False"),
        ("compiled: first rows of the batch for all", "output * rows + column", "output * rows"),
        rows=["linear"],
    ),
    *mistakes(
        "kernels.cpu.linear:_product",
        ("compiled: terms added to whatever was there", "first > 0", "True"),
        ("compiled: same terms again and again", "first * step, first * columns + column", "0, column"),
        rows=["linear"],
    ),
]
