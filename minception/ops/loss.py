"""Losses of classification."""

import numpy as np

from .. import kernels
from ..autograd import Function
from ..kernels.transfer import to_numpy
from .arguments import raw_array, require_tensors


class CrossEntropy(Function):
    """Softmax and cross-entropy in one;  d logits = softmax - target distribution, weighted"""

    def forward(self, logits, labels, **options):
        loss, log_probabilities = kernels.softmax_cross_entropy(logits, labels, **options)
        self.save(log_probabilities=log_probabilities, labels=labels.copy())
        if options["weight"] is not None:
            options["weight"] = options["weight"].copy()
        self.options = options
        return loss

    def backward(self, grad_output):
        return kernels.softmax_cross_entropy_backward(
            grad_output, self.saved.log_probabilities, self.saved.labels, **self.options
        )


def cross_entropy(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """Cross-entropy of softmax(input) with class labels.

    `input`: logits (N, C). `target`: integer labels (N,), an array, which goes where `input` is, or a tensor; rows
    labelled `ignore_index` do not count. `weight`: (C,) weights of the classes. `reduction`: "mean" (weighted,
    PyTorch's default), "sum" or "none". Errors: see `minception.kernels.reference.softmax_cross_entropy`.
    """
    device = getattr(input, "device", "cpu")  # of what is no tensor, `apply` says so
    return CrossEntropy.apply(
        input,
        labels=raw_array(target, device),
        label_smoothing=label_smoothing,
        reduction=reduction,
        weight=None if weight is None else raw_array(weight, device),
        ignore_index=ignore_index,
    )


def nll_loss(input, target, reduction="mean"):
    """Negative log-likelihood: minus the entry of `input`, log-probabilities (N, C), at each label.

    Raises ValueError for wrong shapes, labels out of range or an unknown reduction, TypeError for labels that are not
    integers.
    """
    require_tensors("nll_loss", input=input)
    labels = to_numpy(raw_array(target, "cpu"))  # an index
    if input.ndim != 2 or labels.shape != input.shape[:1]:
        raise ValueError(f"nll_loss: expected input (N, C) and target (N,), got {input.shape}, {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"nll_loss: target must hold integers, got {labels.dtype}")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"nll_loss: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    if labels.size and not (0 <= labels.min() and labels.max() < input.shape[1]):
        raise ValueError(f"nll_loss: target must lie in [0, {input.shape[1]}), got {labels.min()}..{labels.max()}")
    losses = -input[np.arange(len(labels)), labels]
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()
