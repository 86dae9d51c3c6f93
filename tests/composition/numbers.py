"""The numbers of a network: inputs, weights, statistics and cotangent, all from its one seed.

Each array has a generator of its own, made from the seed and the array's name: removing a layer leaves the numbers
of the others as they are, so that a failing network keeps failing while it shrinks. All numbers are representable
in float32, so that a float32 and a float64 network are the same network.
"""

import math

import numpy as np

from tests.composition.program import BatchNorm
from tests.composition.shapes import shapes_of


def draw(network, name, shape):
    """Standard normal numbers that depend on the seed, the name and the shape alone."""
    rng = np.random.default_rng([network.seed, *name.encode()])
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


def draw_input(network, name, shape):
    array = draw(network, name, shape)
    return np.round(2 * array) if network.integers else array


def draw_parameter(network, name, shape):
    """Weights of a variance that keeps activations near 1; those of batch norm of either sign, and never all 1."""
    scale = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 1.0
    return (scale * draw(network, name, shape)).astype(np.float32).astype(np.float64)


def draw_buffer(network, name, shape):
    array = draw(network, name, shape)
    if name.endswith("running_var"):
        return (0.5 + np.abs(array)).astype(np.float32).astype(np.float64)
    return np.array(3 + network.seed % 5) if name.endswith("num_batches_tracked") else array


def leaf_arrays(network):
    """Inputs and parameters by name."""
    inputs = {name: draw_input(network, name, shape) for name, shape in network.inputs}
    leaves = network.leaves().items()
    return inputs | {name: draw_parameter(network, name, shape) for name, shape in leaves if name not in inputs}


def buffer_arrays(network):
    """Running statistics and counts by name."""
    return {
        f"layers.{number}.{name}": draw_buffer(network, f"layers.{number}.{name}", shape)
        for number, layer in enumerate(network.layers)
        if isinstance(layer, BatchNorm)
        for name, shape in layer.buffers().items()
    }


def cotangent_array(network, name="cotangent"):
    """What the gradient of the output is weighted with: never ones, under which batch norm would have no gradient."""
    return draw(network, name, shapes_of(network)[network.output])


def class_weights(network, classes):
    """Positive weights of the classes of a cross-entropy."""
    weights = 0.5 + np.abs(draw(network, "class weights", classes))
    return weights.astype(np.float32).astype(np.float64)
