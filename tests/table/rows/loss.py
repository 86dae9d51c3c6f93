"""Cross-entropy and the negative log-likelihood."""

import numpy as np
import torch.nn.functional as F
from hypothesis import strategies as st

import minception.functional as ours
from minception import nn

from ..case import Case
from ..faces import by_autograd, by_layer
from ..numbers import Integers, Numbers, cotangents, maybe, numbers, seeds
from ..operation import Operation, kernel_face
from .softmax import log_terms, relative

reductions = st.sampled_from(["mean", "sum", "none"])


@st.composite
def cross_entropy_cases(draw):
    n, classes = draw(st.integers(0, 6)), draw(st.integers(1, 7))
    ignore_index = draw(st.sampled_from([-100, -1, 0, classes - 1, classes + 3]))
    other = ignore_index if draw(st.booleans()) else None
    unsigned = ["uint8", "uint64"] if other is None or other >= 0 else []
    dtype = draw(st.sampled_from(["int64", "int32", "int16", "int8", *unsigned]))
    labels = Integers((n,), 0, classes, draw(seeds), other, dtype)
    cotangent = draw(cotangents)
    # Not far apart under an infinite gradient: a probability that float32 rounds to 0 gives NaN, a tiny one infinity.
    apart = ("large",) if cotangent == "normal" else ()
    return Case(
        {"logits": draw(numbers((n, classes), "normal", "ties", *apart, "offset", "nonfinite"))},
        {
            "label_smoothing": draw(st.sampled_from([0.0, 0.1, 0.37, 1.0])),
            "reduction": draw(reductions),
            "ignore_index": ignore_index,
        },
        {"labels": labels, "weight": draw(maybe(numbers((classes,), "positive", "weights", "one")))},
        cotangent=cotangent,
        seed=draw(seeds),
    )


def torch_cross_entropy(logits, labels, weight, **options):
    return F.cross_entropy(logits, labels.long(), weight, **options)


@kernel_face
def cross_entropy_kernels(k, call):
    logits, labels = call.inputs["logits"], call.constants["labels"]
    options = call.options | {"weight": call.constants["weight"]}
    loss, log_probabilities = k.softmax_cross_entropy(logits, labels, **options)
    g = call.cotangent(loss.shape)
    return {
        "output": loss,
        "grad logits": k.softmax_cross_entropy_backward(g, log_probabilities, labels, **options),
    }


def cross_entropy_layer(call):
    options = call.options | {"weight": call.constants["weight"]}
    loss = nn.CrossEntropyLoss(**options)
    loss.register_buffer("labels", None)
    return _WithLabels(loss, call.constants["labels"])


class _WithLabels(nn.Module):
    """A loss layer as a layer of one input."""

    def __init__(self, loss, labels):
        super().__init__()
        self.loss, self.labels = loss, labels

    def forward(self, logits):
        return self.loss(logits, self.labels)


def cross_entropy_magnitudes(call, results):
    """The sums of the definition with absolute terms: (1 - e) w[y] |l[y]| + e / C sum(w |l|), l = log p.

    The gradient of an example is its cotangent times (1 - e) w[y] (p - [y]) + e / C (sum(w) p - w).
    """
    logits, labels, weight = call.inputs["logits"], call.constants["labels"], call.constants["weight"]
    smoothing, reduction, ignored = call.options.values()
    n, classes = logits.shape
    p, terms = log_terms(logits, 1)
    weight = np.ones(classes) if weight is None else np.abs(weight)
    counted = labels != ignored
    picked = np.where(counted, labels, 0).astype(int)
    w = np.where(counted, weight[picked], 0)
    label_terms, label = terms[np.arange(n), picked], np.eye(classes)[picked]
    losses = (1 - smoothing) * w * label_terms + smoothing / classes * (counted[:, None] * terms * weight).sum(1)
    divisor = (w.sum() or np.inf) if reduction == "mean" else 1.0  # nothing counted: the loss is NaN, its gradient 0
    g = np.where(counted, np.abs(call.cotangent(results["output"].shape)) / divisor, 0)
    slopes = (1 - smoothing) * w[:, None] * (relative(p, terms) + label)
    slopes += smoothing / classes * counted[:, None] * (weight.sum() * relative(p, terms) + weight)
    return {"output": losses if reduction == "none" else losses.sum() / divisor, "grad logits": g[:, None] * slopes}


def entries(call, results):
    """Sums over the classes and over the batch, a few operations each."""
    return 4 * sum(call.inputs["logits"].shape) + 16


@st.composite
def nll_cases(draw):
    n, classes = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    labels = Integers((n,), 0, classes, draw(seeds))
    inputs = {"logits": draw(numbers((n, classes)))}
    return Case(inputs, {"reduction": draw(reductions)}, {"labels": labels}, seed=draw(seeds))


def case(logits, labels, weight=None, label_smoothing=0.0, reduction="mean", ignore_index=-100):
    options = {"label_smoothing": label_smoothing, "reduction": reduction, "ignore_index": ignore_index}
    return Case({"logits": logits}, options, {"labels": labels, "weight": weight}, seed=9)


LOGITS, LABELS = Numbers((5, 4), seed=1), Integers((5,), 0, 4, seed=2)

ROWS = [
    Operation(
        name="cross_entropy",
        torch=torch_cross_entropy,
        cases=cross_entropy_cases(),
        faces={
            "kernel": cross_entropy_kernels,
            "function": by_autograd(
                lambda logits, labels, **arguments: ours.cross_entropy(logits, labels, **arguments)
            ),
            "layer": by_layer(cross_entropy_layer, argument="logits"),
        },
        proves=(
            "kernels.softmax_cross_entropy",
            "kernels.softmax_cross_entropy_backward",
            "functional.cross_entropy",
            "nn.CrossEntropyLoss",
            "CrossEntropy",
        ),
        roundings=entries,
        magnitudes=cross_entropy_magnitudes,
        examples={
            "smoothing 0": case(LOGITS, LABELS),
            "smoothing 1": case(LOGITS, LABELS, label_smoothing=1.0),
            "smoothing and weights": case(LOGITS, LABELS, Numbers((4,), "positive", 3), 0.2),
            "smoothing, weights and ignored labels": case(
                LOGITS, Integers((5,), 0, 4, 2, other=-100), Numbers((4,), "positive", 3), 0.2
            ),
            "all ignored": case(LOGITS, Integers((5,), 1, 2), ignore_index=1),
            "all ignored, summed": case(LOGITS, Integers((5,), 1, 2), reduction="sum", ignore_index=1),
            "all ignored, not reduced": case(LOGITS, Integers((5,), 1, 2), reduction="none", ignore_index=1),
            "logits of +-1e4": case(Numbers((6, 5), "large", 1), Integers((6,), 0, 5), label_smoothing=0.1),
            "a thousand classes": case(Numbers((9, 1000), seed=1), Integers((9,), 0, 1000), label_smoothing=0.1),
            "one class": case(Numbers((3, 1)), Integers((3,), 0, 1), label_smoothing=0.1),
            "empty batch": case(Numbers((0, 3)), Integers((0,), 0, 3)),
            "empty batch, summed": case(Numbers((0, 3)), Integers((0,), 0, 3), reduction="sum"),
            "empty batch, not reduced": case(Numbers((0, 3)), Integers((0,), 0, 3), reduction="none"),
            "infinities and NaN": case(
                Numbers((9, 3), "nonfinite", 1), Integers((9,), 0, 3, 2, -100), Numbers((3,), "weights", 3), 0.1, "none"
            ),
        },
    ),
    Operation(
        name="nll_loss",
        torch=lambda logits, labels, reduction: F.nll_loss(logits, labels, reduction=reduction),
        cases=nll_cases(),
        faces={"function": by_autograd(lambda logits, labels, **options: ours.nll_loss(logits, labels, **options))},
        proves=("functional.nll_loss",),
        roundings=lambda call, results: len(call.inputs["logits"]) + 2,
    ),
]
