"""Softmax and cross-entropy in one, see `cross_entropy.cu`. Contracts: `reference/cross_entropy.py`."""

from .. import checks
from ..arrays import array_module
from ..reference import cross_entropy as reference
from .launch import THREADS, launch

__all__ = ["softmax_cross_entropy", "softmax_cross_entropy_backward"]

SOURCE = "cross_entropy.cu"
WARPS = 8  # rows of a block
ONE_COLUMN = (1,), (1, THREADS)


def _per_row(examples):
    """(grid, block) for a warp for each row."""
    return (-(-examples // WARPS),), (32, WARPS)


def _arguments(xp, scores, picked, counted, weight):
    """The arrays of both kernels, contiguous: scores, labels (negative where ignored), class weights or None."""
    weight = None if weight is None else xp.ascontiguousarray(weight)
    return xp.ascontiguousarray(scores), xp.where(counted, picked, -1), weight


def _total_weight(labels, weight, dtype):
    """The divisor of reduction="mean", (1,), float64."""
    total = array_module(labels).empty(1, "float64")
    launch(SOURCE, "cross_entropy_weights", dtype, *ONE_COLUMN, labels, weight, total, len(labels))
    return total


def softmax_cross_entropy(logits, labels, label_smoothing=0.0, reduction="mean", weight=None, ignore_index=-100):
    """See `reference.softmax_cross_entropy`."""
    name, dtype = "softmax_cross_entropy", getattr(logits, "dtype", None)
    smoothing, *examples = reference.check_arguments(
        name, "logits", logits, labels, label_smoothing, reduction, weight, ignore_index
    )
    xp, (n, classes) = array_module(logits), logits.shape
    logits, labels, weight = _arguments(xp, logits, *examples, weight)
    log_probabilities, losses = xp.empty((n, classes), dtype), xp.empty(n, dtype)
    launch(
        SOURCE, name, dtype, *_per_row(n), logits, labels, weight, log_probabilities, losses, n, classes, smoothing
    )
    if reduction == "none":
        return losses, log_probabilities
    loss = xp.empty((), dtype)
    divisor = _total_weight(labels, weight, dtype) if reduction == "mean" else None
    launch(SOURCE, "cross_entropy_sum", dtype, *ONE_COLUMN, losses, divisor, loss, n)
    return loss, log_probabilities


def softmax_cross_entropy_backward(
    grad_output,
    log_probabilities,
    labels,
    label_smoothing=0.0,
    reduction="mean",
    weight=None,
    ignore_index=-100,
):
    """See `reference.softmax_cross_entropy_backward`."""
    name, dtype = "softmax_cross_entropy_backward", getattr(log_probabilities, "dtype", None)
    smoothing, *examples = reference.check_arguments(
        name, "log_probabilities", log_probabilities, labels, label_smoothing, reduction, weight, ignore_index
    )
    checks.floating(name, grad_output=grad_output, log_probabilities=log_probabilities)
    xp, (n, classes), each = array_module(log_probabilities), log_probabilities.shape, reduction == "none"
    checks.shape(name, "grad_output", grad_output, (n,) if each else (), f'the loss with reduction "{reduction}"')
    log_probabilities, labels, weight = _arguments(xp, log_probabilities, *examples, weight)
    grad_logits = xp.empty((n, classes), dtype)
    divisor = _total_weight(labels, weight, dtype) if reduction == "mean" else None
    launch(
        SOURCE, name, dtype, *_per_row(n), xp.ascontiguousarray(grad_output), log_probabilities, labels, weight,
        divisor, grad_logits, n, classes, int(each), smoothing,
    )  # fmt: skip
    return grad_logits
