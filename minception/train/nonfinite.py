"""When the loss becomes NaN or infinite: where it began, and what to do about it."""

import math

import numpy as np

import minception as mc
from minception.kernels.transfer import on_device

from .device import device_of_model
from .errors import NonFiniteError


class Attempt:
    """One training step that may fail, with what is needed to repeat its forward pass exactly."""

    def __init__(self, state, images, labels, config, steps_per_epoch):
        self.state, self.images, self.labels, self.config = state, images, labels, config
        self.steps_per_epoch = steps_per_epoch
        self.generator_state = mc.default_generator().bit_generator.state  # dropout draws from it

    def check_loss(self, loss):
        """Raise NonFiniteError, after looking for the origin, unless `loss` is a finite number."""
        if not math.isfinite(loss):
            raise self._error(f"the loss became {loss}", self._origin_of_loss())

    def check_gradients(self):
        """Raise NonFiniteError if a gradient has NaN or infinite elements, before they reach the weights."""
        parameters = self.state.model.named_parameters()
        grads = {name: parameter.grad for name, parameter in parameters if parameter.grad is not None}
        arrays = [grad._array for grad in grads.values()]
        with on_device(device_of_model(self.state.model)):
            if math.isfinite(mc.kernels.sum_of_squares(arrays)):
                return
        name, array = first_nonfinite(grads.items())  # none: the squares of large float64 numbers overflowed
        if name is not None:
            origin = f"The first is the gradient of {name} ({_count(array)}); the loss was finite."
            raise self._error("gradients became NaN or infinite", origin)

    def _origin_of_loss(self):
        lines = []
        name, array = first_nonfinite(self.state.model.named_parameters())  # buffers changed in the forward pass
        if name is not None:
            lines.append(f"Before the step, parameter {name} was already not finite ({_count(array)}).")
        if not _finite(self.images):
            lines.append(f"The images of the batch are not finite ({_count(self.images)}).")
        mc.default_generator().bit_generator.state = self.generator_state
        lines.append(first_nonfinite_module(self.state.model, self.images))
        return "\n".join(lines)

    def _error(self, what, origin):
        epoch, batch = self.state.epoch, self.state.batch
        step = epoch * self.steps_per_epoch + batch + 1
        return NonFiniteError(
            f"{what} at step {step} (epoch {epoch + 1}, batch {batch + 1} of {self.steps_per_epoch}).\n"
            f"{origin}\n{_advice(self.config, self.state.optimizer)}"
        )


def check_before_saving(state, test_loss=0.0):
    """Raise NonFiniteError if the model must not replace the last good checkpoint."""
    name, array = first_nonfinite([*state.model.named_parameters(), *state.model.named_buffers()])
    if name is not None:
        raise NonFiniteError(
            f"after batch {state.batch} of epoch {state.epoch + 1}, {name} is not finite ({_count(array)}).\n"
            "A lower --lr or --clip-grad-norm may help, in a new run."
        )
    if not math.isfinite(test_loss):
        raise NonFiniteError(
            f"the test loss became {test_loss} in epoch {state.epoch + 1}, with finite weights.\n"
            "A lower --lr or a larger --weight-decay may help, in a new run."
        )


def first_nonfinite(named_tensors):
    """Return (name, array) of the first tensor with a NaN or infinity, or (None, None)."""
    for name, tensor in named_tensors:
        array = _on_host(tensor)
        if not _finite(array):
            return name, array
    return None, None


def first_nonfinite_module(model, images):
    """Run `images` through `model` again and describe the first module, in order of execution, that goes wrong.

    Modules inside a container finish before it, so the first to report is the innermost. Buffers keep their
    values.
    """
    found = []

    def watch(name):
        def hook(module, inputs, output):
            array = _first_bad(output)
            if array is not None and not found:
                blame = ", whose input was already so" if _first_bad(inputs) is not None else ""
                place = f"module {name}" if name else "the model itself"
                found.append(
                    f"The first output that is not finite is that of {place} ({type(module).__name__}){blame}: "
                    f"{_count(array)}."
                )

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    before = model.state_dict()
    try:
        with mc.no_grad():
            model(mc.from_numpy(images).to(device_of_model(model)))
    finally:
        for handle in handles:
            handle.remove()
        model.load_state_dict(before)
    return found[0] if found else "All modules give finite outputs: the logits are too large for the loss."


def _advice(config, optimizer):
    learning_rate = optimizer.param_groups[0]["lr"]
    options = [f"a lower --lr (the peak is {config.lr:g}, this step had {learning_rate:g})"]
    if config.clip_grad_norm is None:
        options.append("--clip-grad-norm 1")
    else:
        options.append(f"a lower --clip-grad-norm (now {config.clip_grad_norm:g})")
    options.append(f"more --warmup-epochs (now {config.warmup_epochs:g})")
    return f"What may help, in a new run: {', '.join(options)}."


def _first_bad(value):
    """The first array with a NaN or infinity in a tensor or a nesting of tuples, lists and dictionaries."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((bad for bad in map(_first_bad, value) if bad is not None), None)
    if isinstance(value, mc.Tensor) and not _finite(_on_host(value)):
        return _on_host(value)
    return None


def _on_host(tensor):
    return np.asarray(tensor.detach().cpu())


def _finite(array):
    """Whether all elements are finite. A finite sum proves it in one cheap pass; else look at each element."""
    if array.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.sum(array))) or bool(np.isfinite(array).all())


def _count(array):
    nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    return f"{nan} NaN and {infinite} infinite of {array.size} values"
