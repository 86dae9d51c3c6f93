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
        "kernels.cpu.local_response_norm:_negative_power",
        ("compiled: inverse root for the power of -3/4", "root * np.sqrt(root)", "root"),
        ("compiled: power taken of all but the usual beta with its sign", "** -beta", "** beta"),
        rows=["local_response_norm"],
    ),
    *mistakes(
        "kernels.reference.linear:linear_backward_bias",
        ("bias gradient averaged over the rows", ".sum(axis=0, dtype=xp.float64)", ".mean(axis=0, dtype=xp.float64)"),
        rows=["linear"],
    ),
]
