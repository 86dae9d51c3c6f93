"""A model's loss and predictions on a labelled set of images."""

from dataclasses import dataclass

import numpy as np

import minception as mc
import minception.functional as F

from .device import device_of_model


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy `loss` (without label smoothing), and for each image its label and the predicted class."""

    loss: float
    labels: np.ndarray
    predictions: np.ndarray

    @property
    def accuracy(self):
        """Share of correct predictions, in [0, 1]."""
        return float(np.mean(self.labels == self.predictions))

    def confusion_matrix(self, num_classes):
        """Integer (num_classes, num_classes): entry (i, j) counts the images of class i taken for class j."""
        cells = self.labels * num_classes + self.predictions
        return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def fused(model, example=None):
    """`model.fuse(example)`, which computes the same in less time; the model itself, in eval mode, if it has hooks,
    which may count how often they run, or if it cannot be fused."""
    if not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        try:
            return model.fuse(example)
        except Exception:  # a layer cannot be copied, or refuses these images: then it will say so again
            pass
    return model.eval()


def _log_mean_probability(first, second):
    """Logits of the mean of two arrays of probabilities, which are given by logits (N, classes)."""
    return ((F.softmax(first, 1) + F.softmax(second, 1)) / 2).log()


def evaluate(model, loader, each_batch=lambda images: None, *, mirrored=False):
    """Run `model` in eval mode, fused, without recording, over one epoch of `loader`; return an Evaluation.

    Batches go to the device of the model, whose predictions come back.

    What runs is a `fused` copy where possible. `each_batch` is called after each batch with its size; what it raises
    ends the evaluation. mirrored: the probabilities of classes are averaged over each image and its mirror image, left
    to right.
    """
    was_training, device = model.training, device_of_model(model)
    running, loss, labels, predictions = None, 0.0, [], []
    try:
        with mc.no_grad():
            for images, batch_labels in loader.epoch(0):
                if running is None:
                    running = fused(model, mc.from_numpy(images[:1]).to(device))
                logits = running(mc.from_numpy(images).to(device))
                if mirrored:
                    turned = running(mc.from_numpy(images[..., ::-1]).to(device))
                    logits = _log_mean_probability(logits, turned)
                loss += float(F.cross_entropy(logits, batch_labels, reduction="sum"))
                labels.append(batch_labels)
                predictions.append(np.asarray(logits.cpu()).argmax(axis=1))
                each_batch(len(batch_labels))
    finally:
        model.train(was_training)
    labels, predictions = np.concatenate(labels), np.concatenate(predictions)
    return Evaluation(loss / len(labels), labels, predictions)
