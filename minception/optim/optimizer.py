"""The optimizer base: parameters in groups with options, and state per parameter."""

import copy
import numbers
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from ..autograd import enable_grad
from ..kernels.arrays import array_module
from ..kernels.transfer import by_device, on_device, on_device_of, to_device, to_numpy
from ..tensor import Tensor


def plain_number(value):
    """A tensor or array without axes, which may stand for a number, as that number; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () else value


def partition(key, parameters, grads, states):
    """Divide parameters by `key(state)`: yield each key with (its parameters, their gradients, their states), lists."""
    rows = defaultdict(list)
    for row in zip(parameters, grads, states, strict=True):
        rows[key(row[-1])].append(row)
    for value, alike in rows.items():
        yield value, tuple(map(list, zip(*alike, strict=True)))


def _on_host(value):
    """A copy of a state's value; of an array on a GPU, the NumPy array that a checkpoint holds."""
    return copy.deepcopy(to_numpy(value) if hasattr(value, "strides") else value)


class Optimizer:
    """Base of all optimizers, with PyTorch's interface.

    params: tensors, or dicts of one group each, `{"params": [tensors], "lr": 0.01, ...}`, whose options take
    precedence over the constructor's. defaults: the constructor's options as a dict.

    Updates run where the parameters are, and state follows a parameter that is moved to another device.

    `param_groups` is the list of these dicts, complete with defaults, and may be edited at any time:
    schedulers write `group["lr"]`. `state[parameter]` is a dict of arrays and numbers, made at the first step
    of that parameter.

    A subclass writes `update`, which changes one parameter, or `update_all`, which changes many at once, and extends
    `check_options`.

    TypeError: params is one tensor, or a set, or contains something else than tensors. ValueError: no parameters, the
    same parameter twice, a tensor that was computed from others, an option out of range; TypeError also for an option
    that is not a number.
    """

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: params must be an iterable of tensors or dicts, got one tensor; "
                "put it in a list"
            )
        self.defaults = defaults
        self.param_groups = []
        self.state = defaultdict(dict)
        self.step_was_called = False  # schedulers warn where they are stepped before the optimizer

        groups = self._as_list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def update(self, parameter, grad, state, group):
        """Change the array `parameter` in place, given its gradient, its `state` dict and the options of its group."""
        if type(self).update_all is Optimizer.update_all:
            raise NotImplementedError(f"{type(self).__name__}: an optimizer needs an update method of its own")
        self.update_all([parameter], [grad], [state], group)

    def update_all(self, parameters, grads, states, group):
        """`update` of each parameter of a group that has a gradient: lists of their arrays, gradients and `state`s."""
        for parameter, grad, state in zip(parameters, grads, states, strict=True):
            self.update(parameter, grad, state, group)

    def check_options(self, options):
        """Raise ValueError for an option out of range, TypeError for one that is not a real number."""
        self.require("learning rate", options["lr"])
        self.require("weight_decay value", options["weight_decay"])

    def require(self, what, value, below=None):
        """Raise the error for an option unless it is a real number of at least 0 and, if given, less than `below`."""
        value = plain_number(value)
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{type(self).__name__}: Invalid {what}: {value!r} is not a real number")
        if not (value >= 0 and (below is None or value < below)):
            raise ValueError(f"{type(self).__name__}: Invalid {what}: {value}")

    def add_param_group(self, group):
        """Add a group `{"params": tensor or list of tensors, option: value, ...}`; missing options get the defaults.

        Raises as the constructor does; if it raises, nothing was added.
        """
        name = type(self).__name__
        if not isinstance(group, dict):
            raise TypeError(f"{name}: a parameter group must be a dict, got {type(group).__name__}")
        if "params" not in group:
            raise ValueError(f'{name}: a parameter group needs the key "params", got {sorted(group)}')
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else self._as_list(params)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: optimizer can only optimize tensors, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{name}: can't optimize a non-leaf tensor of shape {p.shape}, computed by another")
            if id(p) in known:
                raise ValueError(f"{name}: some parameters appear more than once, one of shape {p.shape}")
            known.add(id(p))
        group = {**self.defaults, **group, "params": params}
        self.check_options(group)
        self.param_groups.append(group)

    def _as_list(self, params):
        if isinstance(params, (set, frozenset)):
            raise TypeError(
                f"{type(self).__name__}: parameters must be ordered, and a set has a new order in every run; use a list"
            )
        if not isinstance(params, Iterable):
            raise TypeError(
                f"{type(self).__name__}: params must be an iterable of tensors or dicts, got {type(params).__name__}"
            )
        return list(params)

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        closure: called first, if given, with recording on; it should compute the loss and its gradients. Returns what
        the closure returned, else None. TypeError: closure cannot be called.
        """
        loss = None
        if closure is not None and not callable(closure):
            raise TypeError(f"{type(self).__name__}.step: closure must be callable, got {closure!r}")
        if closure is not None:
            with enable_grad():
                loss = closure()
        self.step_was_called = True
        for group in self.param_groups:
            options = {key: plain_number(value) for key, value in group.items()}
            chosen = [p for p in group["params"] if p.grad is not None]
            try:
                for device, parameters in by_device(chosen, lambda p: p._array).items():
                    states = [self._state_beside(p) for p in parameters]
                    with on_device(device):
                        self.update_all(
                            [p._array for p in parameters], [p.grad._array for p in parameters], states, options
                        )
            finally:  # an update that fails may have changed some
                for p in chosen:
                    p._bump_version()
        return loss

    def _state_beside(self, p):
        """The state of a parameter, whose arrays follow it where it was moved to another device."""
        state = self.state[p]
        for name, value in state.items():
            if hasattr(value, "strides"):
                state[name] = to_device(value, p.device)
        return state

    def zero_grad(self, set_to_none=True):
        """Forget the gradients; with `set_to_none=False`, fill them with zeros and keep their memory."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    with on_device_of(p.grad._array):
                        p.grad._array[...] = 0
                    p.grad._bump_version()

    @staticmethod
    def buffer(state, name, parameter):
        """The array `state[name]`, shaped and laid out as the parameter; zeros when first asked for."""
        if name not in state:
            state[name] = array_module(parameter).zeros_like(parameter)
        return state[name]

    def _buffers(self, states, name, parameters):
        """`buffer` for each parameter."""
        return [self.buffer(state, name, parameter) for state, parameter in zip(states, parameters, strict=True)]

    def state_dict(self):
        """Everything needed to continue with identical bits, as independent copies, on any device.

        Returns {"state": {index: {name: NumPy array or number}}, "param_groups": [options, with "params" a list of
        indices]}; indices count the parameters through all groups.
        """
        indices = {}
        for group in self.param_groups:
            for p in group["params"]:
                indices[p] = len(indices)
        groups = [
            copy.deepcopy({k: v for k, v in group.items() if k != "params"})
            | {"params": [indices[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            indices[p]: {name: _on_host(value) for name, value in values.items()}
            for p, values in self.state.items()
            if values
        }
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over options and state from `state_dict()` of an optimizer with as many parameters per group.

        Arrays are copied to where their parameter is, and cast to its dtype. Construct schedulers first: constructing
        one overwrites learning rates. ValueError: an entry is missing, different groups, or state of another shape;
        TypeError: not a dict. Then nothing was changed.
        """
        name = type(self).__name__
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{name}.load_state_dict: expected a dict, got {type(state_dict).__name__}")
        if not {"param_groups", "state"} <= state_dict.keys():
            raise ValueError(
                f'{name}.load_state_dict: expected the entries "param_groups" and "state", got {sorted(state_dict)}'
            )
        saved_groups, saved_state = state_dict["param_groups"], state_dict["state"]
        sizes, saved_sizes = ([len(g["params"]) for g in gs] for gs in (self.param_groups, saved_groups))
        if sizes != saved_sizes:
            raise ValueError(
                f"{name}.load_state_dict: the optimizer has groups of {sizes} parameters, the saved state {saved_sizes}"
            )
        parameters = {
            index: p
            for group, saved in zip(self.param_groups, saved_groups, strict=True)
            for index, p in zip(saved["params"], group["params"], strict=True)
        }
        state = defaultdict(dict)
        for index, values in saved_state.items():
            if int(index) not in parameters:
                raise ValueError(f"{name}.load_state_dict: state of parameter {index}, which no group has")
            p = parameters[int(index)]
            state[p] = {key: self._load_value(p, key, v) for key, v in values.items() if v is not None}
        groups = [
            group | copy.deepcopy({k: v for k, v in saved.items() if k != "params"})
            for group, saved in zip(self.param_groups, saved_groups, strict=True)
        ]
        for group in groups:
            self.check_options(group)
        self.param_groups, self.state = groups, state

    def _load_value(self, p, key, value):
        """A private copy of a state value: step counts become int, arrays match their parameter."""
        if key == "step":
            return int(value)
        value = value._array if isinstance(value, Tensor) else value
        value = value if hasattr(value, "strides") else np.asarray(value)
        if value.shape != p.shape:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: {key} has shape {value.shape}, its parameter {p.shape}"
            )
        value = to_device(value, p.device)
        with on_device_of(p._array):
            array = array_module(p._array).empty_like(p._array)
            array[...] = value
        return array

    def __repr__(self):
        groups = []
        for i, group in enumerate(self.param_groups):
            options = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            groups.append(f"\nParameter Group {i}\n" + "".join(options))
        return f"{type(self).__name__} (" + "".join(groups) + ")"
