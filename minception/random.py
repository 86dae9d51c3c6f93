"""The default random number generator, from which initialisation and dropout draw."""

import numpy as np

from .kernels.checks import integer

_generator = np.random.Generator(np.random.PCG64(0))


def manual_seed(seed):
    """Seed the default generator with a non-negative integer and return it; TypeError or ValueError otherwise."""
    seed = integer("manual_seed", "seed", seed)
    if seed < 0:
        raise ValueError(f"manual_seed: seed must not be negative, got {seed}")
    _generator.bit_generator.state = np.random.PCG64(seed).state
    return _generator


def default_generator():
    """The default `numpy.random.Generator`; its whole state is `default_generator().bit_generator.state`."""
    return _generator
