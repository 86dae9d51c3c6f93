"""Training a part of a network while the rest stays as it is."""

from ..nn import Module
from ..nn.normalization import _BatchNorm
from .head import head_names


def freeze(model, trainable=None):
    """Freeze `model` but for the modules named in `trainable` (strings); None means its head, as `head_names` says.

    Frozen parameters do not require gradients, and nothing is recorded for them, so that steps are faster too. Frozen
    batch norms use their running statistics and leave them unchanged, also after `model.train()`: each returns to
    evaluation whenever it runs. Dropout goes on as the model's mode says. An earlier `freeze` is forgotten;
    `unfreeze` undoes it.

    Returns the list of the parameters that remain trainable, for the optimizer. Raises TypeError for a model that is
    no Module or names that are no strings, ValueError for a name that the model does not have.

    To fit a published network to classes of your own, first its head, then all of it:

        model = models.googlenet(num_classes=5, aux_logits=False)
        mc.load_weights(model, "googlenet.pth", head="new")
        optimizer = optim.SGD(weights.freeze(model), lr=0.01, momentum=0.9)
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()

        weights.unfreeze(model)
        optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
        ...
    """
    _check("freeze", model)
    if isinstance(trainable, str) or (trainable is not None and not all(isinstance(name, str) for name in trainable)):
        raise TypeError(f"freeze: trainable must be None or a sequence of strings, got {trainable!r}")
    modules = dict(model.named_modules())
    names = head_names(model) if trainable is None else list(trainable)
    for name in names:
        if name not in modules:
            raise ValueError(f"freeze: {type(model).__name__} has no module {name!r}")
    unfreeze(model)
    free = {id(module) for name in names for module in modules[name].modules()}
    kept = {id(parameter) for name in names for parameter in modules[name].parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in kept)
    for module in modules.values():
        if isinstance(module, _BatchNorm) and id(module) not in free:
            module.register_forward_pre_hook(_evaluate)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def unfreeze(model):
    """Undo `freeze`: all parameters require gradients, and batch norms follow `model.train()` and `model.eval()`.

    Call `model.train()` before training goes on. Raises TypeError for a model that is no Module.
    """
    _check("unfreeze", model)
    model.requires_grad_()
    for module in model.modules():
        hooks = module._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if hook is _evaluate]:
            del hooks[key]


def _evaluate(module, _):
    """A hook that is called before a frozen batch norm runs."""
    module.eval()


def _check(name, model):
    if not isinstance(model, Module):
        raise TypeError(f"{name}: model must be a Module, got {type(model).__name__}")
