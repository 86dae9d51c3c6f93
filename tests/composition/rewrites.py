"""Networks turned into other networks whose gradients are related to theirs."""

from dataclasses import replace

from tests.composition.numbers import buffer_arrays, leaf_arrays
from tests.composition.program import Apply, Detach, Step


def separated(network):
    """Every use of an input, a layer or a tied weight gets a copy of its own.

    Returns the network, the arrays for it, and the name of the original for each of its leaves.
    """
    arrays = leaf_arrays(network) | buffer_arrays(network)
    inputs, layers, steps, copies, origin = list(network.inputs), [], [], {}, {}
    shapes = dict(network.inputs)
    for name in shapes:
        copies[name], origin[name] = arrays[name], name
    for step in network.steps:
        sources = []
        for position, source in enumerate(step.sources):
            if source in shapes:
                copy = f"{source} of {step.name}, {position}"
                inputs.append((copy, shapes[source]))
                copies[copy], origin[copy] = arrays[source], source
                source = copy
            sources.append(source)
        operation = step.operation
        if isinstance(operation, Apply):
            layer = network.layers[operation.layer]
            own, shared = f"layers.{len(layers)}.", f"layers.{operation.layer}."
            for name in layer.parameters():
                origin[own + name] = network.owner(shared + name)
                copies[own + name] = arrays[origin[own + name]]
            for name in arrays:
                if name.startswith(shared) and name.removeprefix(shared) not in layer.parameters():
                    copies[own + name.removeprefix(shared)] = arrays[name]
            operation = Apply(len(layers))
            layers.append(layer)
        steps.append(Step(step.name, operation, tuple(sources)))
    frozen = tuple(name for name in origin if origin[name] in network.frozen)
    parts = {"inputs": tuple(inputs), "layers": tuple(layers), "steps": tuple(steps), "ties": (), "frozen": frozen}
    return replace(network, **parts), copies, origin


def cut(network, number, position):
    """Operand `position` of step `number` is detached."""
    step = network.steps[number]
    sources = list(step.sources)
    sources[position], source = "cut", sources[position]
    steps = list(network.steps)
    steps[number : number + 1] = [Step("cut", Detach(), (source,)), replace(step, sources=tuple(sources))]
    return replace(network, steps=tuple(steps))


def with_constant(network, number, position, shape):
    """Operand `position` of step `number` is a new input, "cut", that requires no gradient."""
    steps = list(network.steps)
    sources = list(steps[number].sources)
    sources[position] = "cut"
    steps[number] = replace(steps[number], sources=tuple(sources))
    inputs = (*network.inputs, ("cut", shape))
    return replace(network, inputs=inputs, steps=tuple(steps), frozen=(*network.frozen, "cut"))
