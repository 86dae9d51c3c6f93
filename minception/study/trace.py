"""One recorded forward pass in training mode: which operations ran, in which module, and what they keep for backward.

Hooks around every module's forward tell which module is running; the graph that autograd records tells what was
computed, functional operations included. Whatever is new in the graph when a module begins or ends was made by the
innermost module that was running till then.
"""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..autograd import Function, enable_grad, no_grad
from ..kernels.checks import integer, pair
from ..nn import Module
from ..random import default_generator
from ..tensor import Tensor
from .activation_memory import saved_by
from .operations import BATCH, IMAGE, Call, describe


def checked_size(caller, model, input_size, **numbers):
    """The input size as a pair (height, width). Raises TypeError unless `model` is a module and the sizes and `numbers`
    are integers, ValueError if one is below 1."""
    if not isinstance(model, Module):
        raise TypeError(f"{caller}: model must be a Module, got {model!r}")
    for argument, value in numbers.items():
        if integer(caller, argument, value) < 1:
            raise ValueError(f"{caller}: {argument} must be at least 1, got {value}")
    return pair(caller, "input_size", input_size, minimum=1)


@dataclass(frozen=True)
class Trace:
    """What `trace` returns. Operations come after those that they read; calls in the order in which they began.

    outputs: the numbers of the operations that made the network's outputs, the one that classifies first.
    """

    image_shape: tuple
    operations: list
    calls: list
    saved: list
    outputs: list

    def shape(self, number):
        """Shape of an operation's output, or of the images."""
        return self.image_shape if number == IMAGE else self.operations[number].shape

    def ancestors(self, number):
        """The numbers, sorted, of an operation and of all that it depends on."""
        found, waiting = set(), [number]
        while waiting:
            number = waiting.pop()
            if number not in found and number != IMAGE:
                found.add(number)
                waiting += self.operations[number].inputs
        return sorted(found)


def trace(model, input_size, in_channels=3):
    """Run `model` once on BATCH images of zeros, in training mode, and return the `Trace`.

    Modes, batch statistics and the state of the random generator are afterwards as they were. Raises whatever the
    model says of images that it cannot take.
    """
    # The images are made to need a gradient only so that what is done to them before the first layer is recorded too.
    images = blank_images(model, BATCH, in_channels, input_size).requires_grad_()
    watch = _Watch(model)
    try:
        with undisturbed(model), enable_grad():
            outputs = model.train()(images)
    finally:
        watch.remove()
    return watch.result(images, outputs)


def evaluation_calls(model, input_size, in_channels=3):
    """The `Call` of every module that runs on one image in evaluation, without `output`. Otherwise as `trace`."""
    images = blank_images(model, 1, in_channels, input_size)
    watch = _Watch(model)
    try:
        with undisturbed(model), no_grad():
            model.eval()(images)
    finally:
        watch.remove()
    return watch.calls


def blank_images(model, count, in_channels, input_size):
    """Zeros (count, in_channels, height, width) of the dtype and on the device of the model's parameters."""
    like = next(model.parameters(), Tensor(np.float32(0)))
    size = pair("trace", "input_size", input_size, minimum=1)
    return Tensor(np.zeros((count, in_channels, *size), like.dtype)).to(like.device)


@contextmanager
def undisturbed(model):
    """Restore afterwards the modes of all modules, the values of all buffers, and the default random generator."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    generator = default_generator().bit_generator
    state = generator.state
    try:
        yield
    finally:
        generator.state = state
        for module, training in modes:
            module.training = training
        for buffer, values in buffers:
            buffer.data = values


class _Watch:
    """Hooks on all modules, and the nodes that they have found, in the order in which they were made."""

    def __init__(self, model):
        self.model = model
        self.paths = {module: path for path, module in model.named_modules()}
        self.repetitions = Counter()
        self.calls, self.running = [], []
        self.owners = {}  # node: the call in which it was made
        self.shapes = {}  # node: shape of its output
        self.last = {}  # call: the node that made its output, None for the image
        self.handles = [
            handle
            for module in model.modules()
            for handle in (module.register_forward_pre_hook(self.enter), module.register_forward_hook(self.leave))
        ]

    def remove(self):
        for handle in self.handles:
            handle.remove()

    def enter(self, module, args):
        self.claim(args)
        parent = self.running[-1] if self.running else None
        call = Call(self.paths[module], module, parent, self.repetitions[module])
        call.start = len(self.owners)
        self.repetitions[module] += 1
        self.calls.append(call)
        self.running.append(call)

    def leave(self, module, args, output):
        self.claim(output)
        call = self.running.pop()
        first = next(tensors_in(output), None)
        if first is not None:
            call.shape = first.shape
            self.last[call] = first.grad_fn

    def claim(self, value):
        """Ascribe the nodes behind `value` that are not yet known to the module that is running."""
        for tensor in tensors_in(value):
            if tensor.grad_fn is not None:
                self.shapes[tensor.grad_fn] = tensor.shape
                self._claim_node(tensor.grad_fn)

    def _claim_node(self, node):
        stack = [(node, False)]
        while stack:
            node, inputs_done = stack.pop()
            if node in self.owners:
                continue
            if inputs_done:
                self.owners[node] = self.running[-1]
                continue
            stack.append((node, True))
            for edge in reversed(node.edges):
                if edge is not None and isinstance(edge.origin, Function):
                    self.shapes[edge.origin] = edge.shape
                    stack.append((edge.origin, False))

    def result(self, images, outputs):
        """The `Trace`, once the network returned `outputs`."""
        ends = [tensor.grad_fn for tensor in tensors_in(outputs) if tensor.grad_fn is not None]
        used = _behind(ends)
        nodes = [node for node in self.owners if node in used]
        numbers = {None: IMAGE, images: IMAGE}
        operations = []
        for node in nodes:
            inputs = tuple(numbers[edge.origin] for edge in node.edges if edge is not None and edge.origin in numbers)
            if inputs:
                numbers[node] = len(operations)
                operations.append(describe(node, self.owners[node], inputs, self.shapes[node]))
        before = [0]  # how many operations there are among the nodes before each
        for node in self.owners:
            before.append(before[-1] + (node in numbers))
        for call in self.calls:
            call.start = before[call.start]
            call.output = numbers.get(self.last.get(call, call))  # None if it returned no tensor
        ends = [numbers[node] for node in ends if node in numbers]
        saved = saved_by(nodes, self.owners, numbers, self.model, images)
        return Trace(images.shape, operations, self.calls, saved, ends)


def _behind(nodes):
    """These nodes of the graph and all that they depend on."""
    found, waiting = set(nodes), list(nodes)
    while waiting:
        for edge in waiting.pop().edges:
            if edge is not None and isinstance(edge.origin, Function) and edge.origin not in found:
                found.add(edge.origin)
                waiting.append(edge.origin)
    return found


def tensors_in(value):
    """The tensors in a tensor, or in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(item)
