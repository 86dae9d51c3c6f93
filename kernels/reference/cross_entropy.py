"""Softmax and cross-entropy in one: label smoothing, class weights, ignored labels; forward and backward.

With log-probabilities l = log_softmax(logits), class weights w (all 1 if absent), smoothing e and C
classes, an example with label y costs

    loss = (1 - e) * w[y] * -l[y]  +  e / C * sum_c w[c] * -l[c],

and an ignored one (label == ignore_index) costs 0. `reduction="mean"` divides the sum by the sum of w[y]
over the examples that are not ignored; so a batch without any gives NaN, as in torch. Working on l rather
than on probabilities keeps logits of any size exact, and makes the gradient softmax(logits) minus the
target distribution.

Sources: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 6.2.2.3, for the fusion; Szegedy
et al., "Rethinking the Inception architecture for computer vision" (2016), section 7, for label smoothing;
weights, ignored labels and reductions as `torch.nn.functional.cross_entropy`.

Errors: `TypeError` for logits or weight that are not float32 or float64, mixed dtypes, and labels that are
not integers; `ValueError` for wrong ranks and shapes, a label outside 0 ... C - 1 that is not ignore_index
(the first such is named), an unknown reduction, and smoothing outside [0, 1].
"""

import numpy as np

from .. import checks
from ..arrays import array_module
from ..capture import current_capture
from .softmax import log_softmax, log_softmax_backward

__all__ = ["softmax_cross_entropy", "softmax_cross_entropy_backward"]


def check_arguments(name, argument, scores, labels, label_smoothing, reduction, weight, ignore_index):
    """Check what forward and backward share; return (smoothing, picked, counted).

    `scores` are the logits or log-probabilities (N, C), called `argument` in messages. `counted` (N,) is
    False where the label is ignored; `picked` (N,) are the labels as column indices, 0 where ignored.
    """
    checks.floating(name, {"weight": weight}, **{argument: scores})
    checks.rank(name, argument, scores, 2, "(N, C)")
    n, classes = scores.shape
    if classes == 0:
        raise ValueError(f"{name}: {argument} must have at least one class, got shape {scores.shape}")
    if getattr(getattr(labels, "dtype", None), "kind", "") not in ("i", "u"):
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"{name}: labels must be an array of integers, got {kind}")
    checks.shape(name, "labels", labels, (n,), f"one label for each row of {argument}")
    if weight is not None:
        checks.shape(name, "weight", weight, (classes,), f"one weight for each class of {argument}")
    smoothing = checks.real(name, "label_smoothing", label_smoothing)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing must be between 0 and 1, got {smoothing}")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f'{name}: reduction must be "none", "mean" or "sum", got {reduction!r}')
    ignore_index = checks.integer(name, "ignore_index", ignore_index)

    xp = array_module(scores)
    labels = xp.asarray(labels)
    counted = labels != ignore_index
    wrong = counted & ((labels < 0) | (labels >= classes))
    if current_capture() is None and wrong.any():  # in a capture there are no values yet
        position = int(wrong.argmax())
        raise ValueError(
            f"{name}: labels[{position}] is {int(labels[position])}, expected 0 to {classes - 1} "
            f"({classes} classes) or ignore_index {ignore_index}"
        )
    return smoothing, xp.where(counted, labels, 0).astype(np.int64), counted


def example_weights(xp, weight, picked, counted, dtype):
    """w[y] of each example (N,), 0 where ignored. Their sum is the divisor of reduction="mean"."""
    weights = xp.ones(picked.shape, dtype) if weight is None else weight[picked]
    return xp.where(counted, weights, 0)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def softmax_cross_entropy(
    logits, labels, label_smoothing=0.0, reduction="mean", weight=None, ignore_index=-100
):
    """Return (loss, log_probabilities) for logits (N, C) and labels (N,).

    The loss is (N,) for reduction "none" and () for "mean" and "sum"; log_probabilities (N, C) are what the
    backward pass needs. Both have the dtype of the logits. `weight` is (C,) or None.
    """
    name = "softmax_cross_entropy"
    smoothing, picked, counted = check_arguments(
        name, "logits", logits, labels, label_smoothing, reduction, weight, ignore_index
    )
    xp = array_module(logits)
    n, classes = logits.shape
    log_probabilities = log_softmax(logits, 1)  # (N, C)
    weights = example_weights(xp, weight, picked, counted, logits.dtype)

    def reduce(losses):
        losses = xp.where(counted, losses, 0)  # (N,); also where an ignored row is infinite or NaN
        if reduction == "none":
            return losses
        return losses.sum() / weights.sum() if reduction == "mean" else losses.sum()

    loss = reduce(-weights * log_probabilities[xp.arange(n), picked])
    if smoothing:
        weighted = log_probabilities if weight is None else log_probabilities * weight  # (N, C)
        loss = (1 - smoothing) * loss + smoothing / classes * reduce(-weighted.sum(axis=1))
    return xp.asarray(loss), log_probabilities


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def softmax_cross_entropy_backward(
    grad_output,
    log_probabilities,
    labels,
    label_smoothing=0.0,
    reduction="mean",
    weight=None,
    ignore_index=-100,
):
    """Gradient (N, C) with respect to the logits.

    grad_output has the shape of the loss, (N,) for reduction "none" and () otherwise; the other arguments
    are those of the forward call, with the log_probabilities (N, C) that it returned.
    """
    name = "softmax_cross_entropy_backward"
    smoothing, picked, counted = check_arguments(
        name, "log_probabilities", log_probabilities, labels, label_smoothing, reduction, weight, ignore_index
    )
    checks.floating(name, grad_output=grad_output, log_probabilities=log_probabilities)
    xp = array_module(log_probabilities)
    n, classes = log_probabilities.shape
    expected = (n,) if reduction == "none" else ()
    checks.shape(name, "grad_output", grad_output, expected, f'the loss with reduction "{reduction}"')

    dtype = log_probabilities.dtype
    weights = example_weights(xp, weight, picked, counted, dtype)
    grad_loss = xp.broadcast_to(grad_output / weights.sum() if reduction == "mean" else grad_output, (n,))

    grad = xp.zeros((n, classes), dtype)  # with respect to the log-probabilities
    if smoothing:
        grad -= smoothing / classes * grad_loss[:, None]
        if weight is not None:
            grad *= weight
    grad[xp.arange(n), picked] -= (1 - smoothing) * weights * grad_loss
    grad = xp.where(counted[:, None], grad, 0)
    return log_softmax_backward(grad, log_probabilities, 1)
