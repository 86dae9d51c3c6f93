"""Auxiliary heads: classifiers on inner layers, which exist in training only, and the loss that includes them.

Szegedy et al., "Going deeper with convolutions" (2015), section 5: their loss is added with a weight of 0.3.
Szegedy et al., "Rethinking the Inception architecture" (2016), section 4, has one head, whose published weight is 0.4.
"""

from typing import NamedTuple

from .. import functional as F
from ..tensor import Tensor


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet returns in training, in torchvision's order: all three (N, num_classes).

    `aux_logits2` is the later head's, after inception4d; `aux_logits1` that after inception4a.
    """

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor

    @property
    def aux_weight(self):
        """By how much the loss of each head counts."""
        return 0.3


class InceptionOutputs(NamedTuple):
    """What Inception v3 returns in training: both (N, num_classes)."""

    logits: Tensor
    aux_logits: Tensor

    @property
    def aux_weight(self):
        """By how much the loss of the head counts."""
        return 0.4


def main_logits(outputs):
    """The logits that classify: `outputs` itself, or its first field where a network has auxiliary heads."""
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def classification_loss(outputs, labels, label_smoothing=0.0):
    """Mean cross-entropy of what a network returned, a 0-d tensor; heads are added with their `aux_weight`.

    outputs: logits (N, num_classes), or a named tuple of such. labels: integers (N,). Raises TypeError for other
    outputs; other errors as `functional.cross_entropy`.
    """
    if not isinstance(outputs, (Tensor, GoogLeNetOutputs, InceptionOutputs)):
        raise TypeError(f"classification_loss: outputs must be a Tensor or a network's named tuple, got {outputs!r}")
    if isinstance(outputs, Tensor):
        return F.cross_entropy(outputs, labels, label_smoothing=label_smoothing)
    main, *heads = (F.cross_entropy(logits, labels, label_smoothing=label_smoothing) for logits in outputs)
    return main + outputs.aux_weight * sum(heads[1:], start=heads[0])
