"""Compiling the kernels of a run before its first epoch, whose bar would stand still meanwhile."""

import math

import numpy as np

import minception as mc
import minception.functional as F
from minception import nn
from minception.models.auxiliary import classification_loss

from .build import build_optimizer
from .compilation_line import CompilationLine
from .evaluation import fused

FEW = 2  # images that batch normalisation can still normalise
WIDE = 512  # features of a layer whose update is worth several threads


def compile_ahead(state, config, shape, num_classes, show=True):
    """Run what a TrainingState's first steps and its test will run, so that their kernels are compiled or loaded.

    shape: (C, H, W) of an image. First with few images, which takes a moment; then with a whole batch, for which other
    kernels may be chosen. The state and the default generator are left as they were, to the bit.
    """
    if config.kernels != "cpu":  # the others have nothing to compile, or are compiled by CuPy, which keeps them
        return
    with CompilationLine(show).watching(config.kernels):
        for count in dict.fromkeys((FEW, config.batch_size)):
            _rehearse(state.model, config, (count, *shape), num_classes)


def _rehearse(model, config, shape, num_classes):
    """A training step but for its update, a small update, and a test batch."""
    generator = mc.default_generator()  # dropout draws from it
    generator_state, was_training = generator.bit_generator.state, model.training
    buffers = [(buffer, np.array(buffer)) for buffer in model.buffers()]
    n, c, h, w = shape
    pixels = np.random.default_rng(0).standard_normal((n, h, w, c), np.float32)  # the memory order of a DataLoader's
    images, labels = mc.from_numpy(pixels.transpose(0, 3, 1, 2)), np.arange(n) % num_classes
    try:
        model.train()
        classification_loss(model(images), labels, config.label_smoothing).backward()
        _update(config)
        running = fused(model, images[:1])
        with mc.no_grad():
            F.cross_entropy(running(images), labels, reduction="sum")
    finally:
        generator.bit_generator.state = generator_state
        model.train(was_training)
        for buffer, before in buffers:
            buffer.data = before
        for parameter in model.parameters():
            parameter.grad = None


def _update(config):
    """The update of a run, of one layer."""
    layer = nn.Linear(WIDE, WIDE)
    layer(mc.Tensor(np.ones((FEW, WIDE), np.float32))).sum().backward()
    mc.optim.clip_grad_norm_(layer.parameters(), math.inf if config.clip_grad_norm is None else 0.0)
    build_optimizer(config, layer).step()
