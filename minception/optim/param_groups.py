"""Which parameters are decayed."""

from ..nn import Module


def split_weight_decay(model, weight_decay):
    """Split the trainable parameters of a module into those that are decayed and those that are not.

    Batch-norm parameters and biases, that is everything with at most one axis, are not decayed: the penalty
    is there to keep weights from overfitting, and these scale and shift (He et al., "Bag of tricks for image
    classification with convolutional neural networks", arXiv:1812.01187, section 3.1, "No bias decay").

    Returns two parameter groups for an optimizer: the first with `weight_decay`, the second with weight decay 0.
    TypeError: model is not a module.
    """
    if not isinstance(model, Module):
        raise TypeError(f"split_weight_decay: model must be a Module, got {type(model).__name__}")
    decayed, others = [], []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim > 1 else others).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
