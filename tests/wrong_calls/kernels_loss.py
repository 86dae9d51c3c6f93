"""Wrong calls of the cross-entropy kernels."""

import numpy as np

from minception import kernels

from .table import not_floating_arrays, not_integers, not_reals, wrong, zeros

LOGITS, LABELS, WEIGHT = zeros(2, 3), np.array([0, 2]), zeros(3) + 1
GRAD = np.ones(())


def backward(log_probabilities=LOGITS, labels=LABELS, grad_output=GRAD, **options):
    return kernels.softmax_cross_entropy_backward(grad_output, log_probabilities, labels, **options)


def scores(argument, call):
    """What forward and backward must refuse alike; `argument` is the name of the (N, C) array."""
    return [
        *not_floating_arrays(argument, LOGITS, lambda bad: call(bad, LABELS, weight=WEIGHT)),
        wrong(f"{argument} of rank 1", lambda: call(LOGITS[0], LABELS), ValueError, f"{argument} must have 2", "(3,)"),
        wrong(f"{argument} of rank 4", lambda: call(zeros(2, 3, 1, 1), LABELS), ValueError, f"{argument} must have 2"),
        wrong("no classes", lambda: call(zeros(2, 0), LABELS), ValueError, f"{argument} must have at least one class"),
        wrong("labels a list", lambda: call(LOGITS, [0, 2]), TypeError, "labels must be an array of integers", "list"),
        wrong("labels None", lambda: call(LOGITS, None), TypeError, "labels must be an array of integers", "NoneType"),
        wrong(
            "labels float", lambda: call(LOGITS, zeros(2)), TypeError, "labels must be an array of integers", "float64"
        ),
        wrong(
            "labels bool", lambda: call(LOGITS, LABELS > 0), TypeError, "labels must be an array of integers", "bool"
        ),
        wrong("too few labels", lambda: call(LOGITS, LABELS[:1]), ValueError, "labels must have shape (2,)", "(1,)"),
        wrong("labels of rank 2", lambda: call(LOGITS, LABELS[None]), ValueError, "labels must have shape (2,)"),
        wrong("label too large", lambda: call(LOGITS, LABELS + 1), ValueError, "labels[1] is 3", "0 to 2"),
        wrong("label negative", lambda: call(LOGITS, LABELS - 1), ValueError, "labels[0] is -1", "0 to 2"),
        *not_floating_arrays("weight", WEIGHT, lambda bad: call(LOGITS, LABELS, weight=bad), optional=True),
        wrong(
            "weight too long", lambda: call(LOGITS, LABELS, weight=zeros(4)), ValueError, "weight must have shape (3,)"
        ),
        *not_reals("label_smoothing", lambda bad: call(LOGITS, LABELS, label_smoothing=bad), nan="between 0 and 1"),
        wrong(
            "label_smoothing -0.1", lambda: call(LOGITS, LABELS, label_smoothing=-0.1), ValueError, "0 and 1", "-0.1"
        ),
        wrong("label_smoothing 1.1", lambda: call(LOGITS, LABELS, label_smoothing=1.1), ValueError, "0 and 1", "1.1"),
        wrong(
            "reduction unknown", lambda: call(LOGITS, LABELS, reduction="max"), ValueError, "reduction must be", "'max'"
        ),
        wrong("reduction None", lambda: call(LOGITS, LABELS, reduction=None), ValueError, "reduction must be", "None"),
        *not_integers("ignore_index", lambda bad: call(LOGITS, LABELS, ignore_index=bad)),
    ]


TABLES = {
    "kernels.softmax_cross_entropy": scores("logits", kernels.softmax_cross_entropy),
    "kernels.softmax_cross_entropy_backward": [
        *scores("log_probabilities", backward),
        *not_floating_arrays("grad_output", GRAD, lambda bad: backward(grad_output=bad)),
        wrong(
            "grad_output per example",
            lambda: backward(grad_output=zeros(2)),
            ValueError,
            "grad_output must have",
            '"mean"',
        ),
        wrong(
            "grad_output summed",
            lambda: backward(reduction="none"),
            ValueError,
            "grad_output must have shape (2,)",
            '"none"',
        ),
    ],
}
