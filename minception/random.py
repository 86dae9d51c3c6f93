"""The default random number generator, from which initialisation and dropout draw."""

import numpy as np

_generator = np.random.Generator(np.random.PCG64(0))


def manual_seed(seed):
    """Seed the default generator with a non-negative integer and return it."""
    _generator.bit_generator.state = np.random.PCG64(seed).state
    return _generator


def default_generator():
    """The default `numpy.random.Generator`; its whole state is `default_generator().bit_generator.state`."""
    return _generator
