"""The state of a module as arrays by name: listing it, loading it, converting its dtype."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..autograd import no_grad
from ..device import parse_device
from ..kernels.arrays import array_module
from ..kernels.transfer import to_numpy
from ..ops.methods import names_device
from ..tensor import Tensor


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found to differ between the module and the mapping."""

    missing_keys: list
    unexpected_keys: list

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def named_state(module):
    """Triples (dotted name, tensor, whether loading may leave it out) of all parameters and persistent buffers."""
    for path, owner in module.named_modules(remove_duplicate=False):
        persistent = {k: v for k, v in owner._buffers.items() if k not in owner._non_persistent_buffers}
        for name, tensor in (owner._parameters | persistent).items():
            if tensor is not None:
                yield f"{path}.{name}" if path else name, tensor, name in owner._optional_state


def load_state_dict(module, state_dict, strict):
    """`Module.load_state_dict`: all values are checked and converted before the first one is written."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    own = {name: (tensor, optional) for name, tensor, optional in named_state(module)}
    missing = [name for name, (_, optional) in own.items() if name not in state_dict and not optional]
    unexpected = [name for name in state_dict if name not in own]
    errors = []
    if strict and missing:
        errors.append(f"Missing key(s) in state_dict: {_quoted(missing)}. ")
    if strict and unexpected:
        errors.append(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
    values = []
    for name, (tensor, _) in own.items():
        if name in state_dict:
            try:
                values.append((tensor, _converted(name, state_dict[name], tensor)))
            except ValueError as error:
                errors.append(str(error))
    if errors:
        lines = "\n\t".join(errors)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{lines}")
    with no_grad():
        for tensor, value in values:
            tensor.copy_(value)
    return IncompatibleKeys(missing, unexpected)


def _quoted(names):
    return ", ".join(f'"{name}"' for name in names)


def _converted(name, value, tensor):
    """`value` as a new array of the tensor's shape and dtype; ValueError if it does not fit."""
    try:
        value = value._array if isinstance(value, Tensor) else value
        array = np.asarray(value) if array_module(value) is np else to_numpy(value)
    except Exception as error:
        raise ValueError(f"{name}: {type(value).__name__} cannot be read as an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected an array of real numbers, got {type(value).__name__} of {array.dtype}")
    if array.shape != tensor.shape and not (array.shape == (1,) and tensor.shape == ()):
        raise ValueError(
            f"size mismatch for {name}: copying a param with shape {array.shape} from checkpoint, "
            f"the shape in current model is {tensor.shape}."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return array.reshape(tensor.shape).astype(tensor.dtype)


def convert(tensors, target):
    """Move tensors and their gradients to a device, or give the floating ones another floating dtype, in place."""
    moves = names_device(target)
    if moves:
        target = parse_device("Module.to", target)
    elif not Tensor(0.0).to(target).is_floating_point():
        raise TypeError(f"Module.to: parameters can only have a floating dtype, got {np.dtype(target)}")
    with no_grad():
        for tensor in tensors:
            if moves or tensor.is_floating_point():
                tensor._array = tensor.to(target)._array
                tensor._bump_version()
                tensor.grad = None if tensor.grad is None else tensor.grad.to(target)
