"""What the tests of GoogLeNet's versions and Inception v2 share."""

import numpy as np

from minception import Tensor, no_grad
from minception.models.auxiliary import GoogLeNetOutputs

# Native size and channels, parameters, multiply-accumulates.
COSTS = {
    "googlenet": (224, 3, 13_004_888, 1_498_376_192),
    "googlenet_paper": (224, 3, 13_378_280, 1_582_671_872),
    "googlenet_teaching": (96, 1, 5_977_530, 276_066_304),
    "inception_v2": (224, 3, 11_295_240, 2_032_600_064),
}
NAMES = list(COSTS)
WITH_HEADS = ["googlenet", "googlenet_paper"]
NARROW = {"num_classes": 5, "width": 0.125, "in_channels": 3}


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def images(*size, channels=3):
    return Tensor(normal(3, channels, *size, dtype=np.float32))


def evaluate(model, x):
    with no_grad():
        return model.eval()(x)


def logits_of(outputs):
    return outputs.logits if isinstance(outputs, GoogLeNetOutputs) else outputs


def shapes(model):
    return {key: value.shape for key, value in model.state_dict().items()}
