"""What all libraries do: their data, the same for each. Tasks that a library does not have are left out."""

from itertools import pairwise

import numpy as np

from ...ours import draw

SHAPES = {  # of the inputs that get a gradient; images are (N, C, H, W), weights (O, I, KH, KW)
    "convolution": ((32, 64, 32, 32), (64, 64, 3, 3)),
    "batch norm": ((32, 64, 32, 32), (64,), (64,)),
    "max pool": ((32, 64, 32, 32),),
    "cross-entropy": ((512, 1000),),
}
BATCH, SIZE, CHANNELS, CLASSES = 64, 32, (3, 16, 32), 10
RATE = 0.01
STEP = "small network, training step"
TASKS = [f"{name}, {what}" for name in SHAPES for what in ("forward", "forward and backward")] + [STEP]


def inputs_of(name):
    """The arrays of an operation: pixels or logits first, then weights."""
    return [draw(shape, seed) for seed, shape in enumerate(SHAPES[name])]


def gradient_of_output(name):
    """What the output's gradient is, drawn at random: (N, O, OH, OW), or 1 for the loss."""
    n, c, *size = SHAPES[name][0]
    if name == "cross-entropy":
        return np.ones((), np.float32)
    return draw((n, c, *(s // 2 for s in size)) if name == "max pool" else (n, c, *size), 9)


def labels_of(name):
    """Classes of the rows of the logits."""
    count, classes = SHAPES[name][0]
    return np.arange(count) % classes


def network():
    """Parameters of conv 3x3, ReLU, max pool, twice, and a linear layer (weight (CLASSES, features) and bias)."""
    weights = [draw((o, i, 3, 3), i) / np.float32(3 * i**0.5) for i, o in pairwise(CHANNELS)]
    features = CHANNELS[-1] * (SIZE // 4) ** 2
    return [*weights, draw((CLASSES, features)) / np.float32(features**0.5), np.zeros(CLASSES, np.float32)]


def examples():
    """Images (BATCH, 3, SIZE, SIZE) and labels (BATCH,) of the network."""
    return draw((BATCH, CHANNELS[0], SIZE, SIZE)), np.arange(BATCH) % CLASSES
