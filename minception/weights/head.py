"""Which layers of a network give the logits of the classes."""

from ..nn import Conv2d, Linear, Module


def is_auxiliary(name):
    """Whether a module or parameter belongs to an auxiliary head: aux1, aux2 (GoogLeNet), AuxLogits (Inception v3)."""
    return name.lower().startswith("aux")


def head_names(model):
    """Names of the layers whose outputs are the class logits, a list: the classifier's, then the auxiliary heads'.

    A model may say so itself, by an attribute `head_names` (strings). Otherwise it is the linear layer or 1x1
    convolution that was added last, and likewise within each child whose name begins with "aux": `fc` in most
    networks, `classif`, `last_linear`, `logits`, `head.fc`, `classifier.6`, with `aux1.fc2` and `AuxLogits.fc`.

    Raises TypeError if the model is no Module, ValueError if it has no such layer.
    """
    if not isinstance(model, Module):
        raise TypeError(f"head_names: model must be a Module, got {type(model).__name__}")
    modules = dict(model.named_modules())
    named = getattr(model, "head_names", None)
    if named is not None:
        absent = [name for name in named if name not in modules]
        if absent:
            raise ValueError(f"head_names: {type(model).__name__} names {absent[0]!r}, but has no such module")
        return list(named)
    last = {}  # auxiliary child, or None for the network itself -> name
    for name, module in modules.items():
        if isinstance(module, Linear) or (isinstance(module, Conv2d) and tuple(module.kernel_size) == (1, 1)):
            child = name.partition(".")[0]
            last[child if is_auxiliary(child) else None] = name
    if None not in last:
        raise ValueError(f"head_names: {type(model).__name__} has no linear layer and no 1x1 convolution")
    return [last.pop(None), *last.values()]
