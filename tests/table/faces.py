"""Four ways to the same results: torch, our kernels, our autograd function and our layer.

Every face is a function from a `Call` to a dict of results: "output", "grad NAME" for every input that was given, and
whatever else the operation leaves behind (running statistics, say). A gradient that no path leads to is None in
PyTorch and here; it counts as zeros, so that a missing one cannot hide.
"""

import warnings

import numpy as np
import torch

import minception as mc


def by_torch(function):
    """Results of a torch function called with the arguments by name; it may return (output, {name: tensor})."""

    def results(call):
        # Row-major copies: torch 2.13 gives wrong float64 weight gradients for some small channels-last images.
        inputs = {
            name: None if a is None else torch.tensor(np.array(a, order="C"), requires_grad=True)
            for name, a in call.inputs.items()
        }
        constants = {name: None if a is None else torch.tensor(np.array(a)) for name, a in call.constants.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")
            warnings.filterwarnings("ignore", r"var\(\): degrees of freedom is <= 0")
            output = function(**inputs, **constants, **call.options)
        output, extra = output if isinstance(output, tuple) else (output, {})
        found = {"output": output.detach().numpy()}
        if output.requires_grad:
            cotangent = torch.tensor(np.array(call.cotangent(output.shape), order="C"))
            given = {name: t for name, t in inputs.items() if t is not None}
            grads = torch.autograd.grad(output, list(given.values()), cotangent, allow_unused=True)
            for (name, t), grad in zip(given.items(), grads, strict=True):
                found[f"grad {name}"] = np.zeros(t.shape, call.dtype) if grad is None else grad.numpy()
        return found | {name: t.detach().numpy() for name, t in extra.items()}

    return results


def by_autograd(function):
    """Results of a function on tensors that share the memory of the call's arrays."""

    def results(call):
        inputs = {name: None if a is None else mc.from_numpy(a).requires_grad_() for name, a in call.inputs.items()}
        output = function(**inputs, **call.constants, **call.options)
        output, extra = output if type(output) is tuple else (output, {})
        found = {"output": np.asarray(output)} | {name: np.asarray(t) for name, t in extra.items()}
        if output.requires_grad:
            output.backward(call.cotangent(output.shape))
            found |= {
                f"grad {name}": np.zeros(t.shape, t.dtype) if t.grad is None else np.asarray(t.grad)
                for name, t in inputs.items()
                if t is not None
            }
        return found

    return results


def by_layer(make, argument="x", **parameters):
    """Results of a layer. `make(call)` builds it; `parameters` says where inputs go: `weight="depthwise.weight"`.

    Inputs other than `argument` are loaded as parameters of their own name unless `parameters` renames them, and
    constants as buffers where the layer has such.
    """

    def results(call):
        layer = make(call).to(call.dtype)
        loaded = {parameters.get(name, name): a for name, a in call.inputs.items() if name != argument}
        state = layer.state_dict()
        loaded |= {name: a for name, a in call.constants.items() if name in state}
        layer.load_state_dict(state | {name: a for name, a in loaded.items() if a is not None})
        x = mc.from_numpy(call.inputs[argument]).requires_grad_()
        output = layer(x)
        found = {"output": np.asarray(output)}
        output.backward(call.cotangent(output.shape))
        found[f"grad {argument}"] = np.zeros(x.shape, x.dtype) if x.grad is None else np.asarray(x.grad)
        named = dict(layer.named_parameters())
        for name, a in call.inputs.items():
            if name != argument and a is not None:
                p = named[parameters.get(name, name)]
                found[f"grad {name}"] = np.zeros(p.shape, p.dtype) if p.grad is None else np.asarray(p.grad)
        return found | {name: np.array(buffer) for name, buffer in layer.named_buffers()}

    return results
