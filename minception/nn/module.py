"""The base class of every layer and network: it knows names and state, nothing of arithmetic."""

import numpy as np

from ..kernels.checks import integer
from ..kernels.transfer import to_numpy
from ..tensor import HookHandle
from . import state
from .tree import NamedTree


def _indent(text):
    """`text` with every line but the first moved two spaces to the right."""
    return text.replace("\n", "\n  ")


def _check_hook(name, hook):
    if not callable(hook):
        raise TypeError(f"{name}: hook must be callable, got {hook!r}")


class Module(NamedTree):
    """A network or a part of one, with the names and semantics of PyTorch's `torch.nn.Module`.

    A subclass calls `super().__init__()` first, assigns parameters and child modules to attributes (which registers
    them, in order), and writes `forward`. Buffers, which are state that is not learned, are registered with
    `register_buffer`. `module(x)` runs the hooks and `forward`.

        class Block(nn.Module):
            def __init__(self, channels):
                super().__init__()
                self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
                self.bn = nn.BatchNorm2d(channels)

            def forward(self, x):
                return x + self.bn(self.conv(x)).relu()
    """

    # Names of own state that `load_state_dict` does not insist on.
    _optional_state = frozenset()
    _only_evaluates = False  # what `fuse` makes does

    def __init__(self):
        super().__init__()
        self.__dict__.update(training=True, _forward_pre_hooks={}, _forward_hooks={})

    # Running

    def forward(self, *args, **kwargs):
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        if self._forward_pre_hooks:
            for hook in tuple(self._forward_pre_hooks.values()):
                replacement = hook(self, args)
                if replacement is not None:
                    args = replacement if isinstance(replacement, tuple) else (replacement,)
        output = self.forward(*args, **kwargs)
        if self._forward_hooks:
            for hook in tuple(self._forward_hooks.values()):
                replacement = hook(self, args, output)
                if replacement is not None:
                    output = replacement
        return output

    def register_forward_pre_hook(self, hook):
        """Call `hook(module, args)` before every forward; what it returns, if not None, replaces the positional
        arguments (a tuple, or the one argument). Returns a handle with `remove()`."""
        _check_hook("register_forward_pre_hook", hook)
        return HookHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook):
        """Call `hook(module, args, output)` after every forward; what it returns, if not None, replaces the output.
        Returns a handle with `remove()`."""
        _check_hook("register_forward_hook", hook)
        return HookHandle(self._forward_hooks, hook)

    # State

    def state_dict(self):
        """Dict from dotted name to a NumPy array of its own, for every parameter and persistent buffer, on any device.

        The order is PyTorch's: a module's parameters, its buffers, then its children. A shared parameter appears
        under each of its names.
        """
        return {name: to_numpy(tensor._array).copy() for name, tensor, _ in state.named_state(self)}

    def load_state_dict(self, state_dict, strict=True):
        """Copy values into the parameters and persistent buffers of the same names.

        The values are arrays or tensors and are cast to the dtype of what they replace. Returns the named tuple
        `(missing_keys, unexpected_keys)`. A missing `num_batches_tracked` of a batch norm is not an error: it keeps
        its value.

        Raises one RuntimeError that lists every value of the wrong shape or kind and, if `strict`, every missing and
        unexpected key; nothing is changed then. Raises TypeError if `state_dict` is not a mapping.
        """
        return state.load_state_dict(self, state_dict, strict)

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    # Changing the whole tree

    def apply(self, function):
        """Call `function(module)` on every module, children before parents. Returns the module. Raises TypeError
        for what is not callable."""
        if not callable(function):
            raise TypeError(f"apply: function must be callable, got {function!r}")
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def train(self, mode=True):
        """Set `training` here and in all modules below. Returns the module. Raises ValueError for a non-bool,
        RuntimeError for training mode after `fuse`."""
        if not isinstance(mode, bool):
            raise ValueError(f"training mode is expected to be boolean, got {mode!r}")
        if mode and any(module._only_evaluates for module in self.modules()):
            raise RuntimeError("train: a fused model only evaluates; train the model that it was made from")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self):
        """Set evaluation mode: batch norm uses its running statistics, dropout does nothing. Returns the module."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Set whether gradients of all parameters are recorded. Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, target):
        """Convert floating parameters, gradients and buffers, in place, to a floating dtype, or move all to a device.

        target: a dtype, or "cpu", "cuda" or "cuda:N". Integer buffers keep their dtype, parameters their identity, so
        that an optimizer made before still knows them. Returns the module. Raises TypeError for a dtype that is unknown
        or not floating, RuntimeError for a device that is unknown or not there.
        """
        state.convert([*self.parameters(), *self.buffers()], target)
        return self

    def cuda(self, index=None):
        """`to("cuda")`, or with an index `to("cuda:INDEX")`. Returns the module."""
        return self.to("cuda" if index is None else f"cuda:{integer('cuda', 'index', index)}")

    def cpu(self):
        """`to("cpu")`. Returns the module."""
        return self.to("cpu")

    def float(self):
        """Convert floating parameters and buffers to float32. Returns the module."""
        return self.to(np.float32)

    def double(self):
        """Convert floating parameters and buffers to float64. Returns the module."""
        return self.to(np.float64)

    def fuse(self, example=None):
        """A copy of this module for evaluation, in less time: batch norm and ReLU become parts of the convolutions.

        Every convolution layer that runs is replaced by one whose weights are made ready once; the batch norm and the
        ReLU layer after it are folded into it, where nobody else reads what lies between. This module stays as it is,
        and the copy does not follow its later changes. Results are the same up to rounding.

        The copy stays in evaluation mode (`train()` raises RuntimeError) and has no gradients: its parameters require
        none, and an input that requires one raises RuntimeError outside `no_grad`. The folded weights are not in its
        `state_dict`, and are not converted by `to`: save, load and convert the original. Layers with hooks are not
        folded, and `forward` must not call other layers for other images.

        example: a tensor on which to run the module once, to see which layers follow each other; None tries zeros of
        the smallest size that it takes. Raises TypeError if it is no tensor, and whatever `forward` raises.
        """
        from .fuse import fuse

        return fuse(self, example)

    # Text

    def extra_repr(self):
        """The text between the parentheses of `repr`, before the children; one line or several."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        children = [f"({name}): {_indent(repr(child))}" for name, child in self._modules.items()]
        lines = (extra.split("\n") if extra else []) + children
        if not children and len(lines) <= 1:
            return f"{type(self).__name__}({extra})"
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"
