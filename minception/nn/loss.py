"""Losses as modules."""

from .. import functional as F
from ..kernels.checks import integer, real
from ..tensor import as_tensor
from .module import Module


class CrossEntropyLoss(Module):
    """Cross entropy between the softmax of logits (N, C) and labels (N,), integers in [0, C).

    `weight` (C,), a buffer, weighs the classes; rows labelled `ignore_index` do not count; `reduction` is "mean"
    (weighted), "sum" or "none"; `label_smoothing` in [0, 1] mixes the target with the uniform distribution (Szegedy
    et al., "Rethinking the Inception Architecture for Computer Vision", 2016, section 7). Formulas are PyTorch's.
    Raises ValueError for another reduction, a smoothing out of range or a weight that is not floating of one axis,
    TypeError for an ignore_index or a smoothing that is no number.
    """

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(
                f"CrossEntropyLoss: reduction must be 'none', 'mean' or 'sum', got {reduction!r}"
            )
        if not 0 <= real("CrossEntropyLoss", "label_smoothing", label_smoothing) <= 1:
            raise ValueError(
                f"CrossEntropyLoss: label_smoothing must be between 0.0 and 1.0, got {label_smoothing}"
            )
        weight = None if weight is None else as_tensor(weight)
        if weight is not None and not (weight.ndim == 1 and weight.is_floating_point()):
            raise ValueError(
                f"CrossEntropyLoss: weight must be floating of shape (C,), got {weight.dtype} of shape {weight.shape}"
            )
        self.register_buffer("weight", weight)
        self.ignore_index = integer("CrossEntropyLoss", "ignore_index", ignore_index)
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input, target):
        return F.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )
