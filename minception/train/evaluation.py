"""A model's loss and predictions on a labelled set of images."""

from dataclasses import dataclass

import numpy as np

import minception as mc
import minception.functional as F


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


def evaluate(model, loader, each_batch=lambda images: None):
    """Run `model` in eval mode, fused, without recording, over one epoch of `loader`; return an Evaluation.

    The model stays as it is. `each_batch` is called after each batch with its size; what it raises ends the evaluation.
    """
    fused = None
    loss, labels, predictions = 0.0, [], []
    with mc.no_grad():
        for images, batch_labels in loader.epoch(0):
            images = mc.from_numpy(images)
            if fused is None:
                fused = model.fuse(images[:1])
            logits = fused(images)
            loss += float(F.cross_entropy(logits, batch_labels, reduction="sum"))
            labels.append(batch_labels)
            predictions.append(np.asarray(logits).argmax(axis=1))
            each_batch(len(batch_labels))
    labels, predictions = np.concatenate(labels), np.concatenate(predictions)
    return Evaluation(loss / len(labels), labels, predictions)
