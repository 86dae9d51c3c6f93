"""Every network against its PyTorch twin: logits, auxiliary logits, loss, every gradient, buffers after the step.

The images are as small as each network takes; `-m slow` has each at its native size.
"""

import numpy as np
import pytest
import torch

from minception import models
from tests.models.equality import Case, assert_same, assert_same_step, logits, our_step, torch_step

AUX_WEIGHT = {"googlenet": 0.3, "googlenet_paper": 0.3, "inception_v3": 0.4}
# Rectangles where the network takes them, sizes that no stride divides.
CASES = [
    Case("alexnet", (("width", 0.25),), size=(67, 71)),
    Case("googlenet", size=(33, 47)),
    Case("googlenet", (("aux_logits", False), ("transform_input", True)), size=(40, 33)),
    Case("googlenet", (("stem", "cifar"), ("width", 0.25), ("aux_logits", False))),
    Case("googlenet_paper", size=(224, 239)),
    Case("googlenet_paper", (("aux_logits", False),), size=(48, 64)),
    Case("googlenet_teaching", size=(41, 48), in_channels=1),
    Case("inception_resnet_v1", size=(83, 91)),
    Case("inception_resnet_v1", (("blocks", (1, 2, 2)), ("scales", (0.5, 0.3, 0.7))), size=(83, 91)),
    Case("inception_resnet_v2", size=(79, 83)),
    Case("inception_resnet_v2", (("stem", "inception_v4"), ("blocks", (2, 1, 2))), size=(79, 83)),
    Case("inception_v2", size=(64, 96)),
    Case("inception_v2", (("separable_stem", True),), size=(64, 64)),
    Case("inception_v3", (("aux_logits", False), ("transform_input", True)), size=(75, 83)),
    Case("inception_v3", (("aux_logits", False), ("count_include_pad", False)), size=(83, 75)),
    Case("inception_v3", size=(139, 141)),
    Case("inception_v4", size=(111, 107)),
    Case("lenet5", size=(32, 32), in_channels=1),
    Case("mini_inception"),
    Case("mini_xception"),
    Case("nin", size=(67, 71)),
    Case("resnet18", size=(33, 40)),
    Case("vgg16", (("width", 0.25),), size=(32, 40)),
    Case("vgg16_bn", (("width", 0.25),), size=(40, 33)),
    Case("xception", size=(38, 45)),
    Case("xception", (("between", "relu"), ("same_pooling", True), ("eps", 1e-3)), size=(47, 38)),
    Case("xception", (("between", "elu"), ("residual", False)), size=(47, 53)),
    Case("xception", (("order", "pointwise_first"),), size=(53, 47)),
    Case("xception41", size=(33, 37)),
    Case("xception65", size=(33, 37)),
    Case("xception71", size=(33, 37)),
]
NATIVE = [
    Case(name, size=(entry.input_size,) * 2, in_channels=entry.in_channels, num_classes=entry.num_classes)
    for name, entry in ((name, models.entry(name)) for name in models.names())
]


def test_every_network_has_a_case():
    assert {case.name for case in CASES} == set(models.names())


def compare(case, batch):
    ours, theirs = case.make()
    images, labels = case.images(batch), case.labels(batch)
    assert_same(logits(ours, images), logits(theirs, images), "logits in evaluation")
    aux_weight = AUX_WEIGHT.get(case.name, 0.0)
    ours_step = our_step(ours.train(), images, labels)
    assert_same_step(ours_step, torch_step(theirs.train(), images, labels, aux_weight))
    assert_same(logits(ours, images), logits(theirs, images), "logits in evaluation, after the step")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equal(case):
    compare(case, 3)


@pytest.mark.slow
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_equal_at_native_size(case):
    compare(case, 2)


SWITCHES = 0.03  # what ReLUs and max pools that switch by rounding make of the gradients, relative


def relative_errors(actual, expected):
    """Of a step's outputs and loss, and, as one vector, of all gradients."""
    gradients = [np.concatenate([g.ravel() for g in step.gradients.values()]) for step in (actual, expected)]
    results = [np.concatenate([*map(np.ravel, step.outputs), [step.loss]]) for step in (actual, expected)]
    return [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in (results, gradients)]


@pytest.mark.parametrize("case", [case for case in CASES if not case.options], ids=str)
def test_float32_is_as_exact_as_that_of_torch(case):
    """Both against float64, which ours may miss by up to three times torch's error, or 12 roundings.

    Gradients jump where a ReLU or max pool switches, which is chance: of two correct implementations one errs by 1e-6
    and the other by some percent. The kernels' gradients are held to their own roundings in tests/table.
    """
    images, labels = case.images(3), case.labels(3)
    aux_weight = AUX_WEIGHT.get(case.name, 0.0)
    exact = torch_step(case.make()[1], images, labels, aux_weight)
    ours, theirs = case.make(np.float32)
    ours_errors = relative_errors(our_step(ours, images.astype(np.float32), labels), exact)
    torch_errors = relative_errors(torch_step(theirs, images.astype(np.float32), labels, aux_weight), exact)
    least = [4 * torch.finfo(torch.float32).eps, SWITCHES / 3]
    for what, error, torch_error, floor in zip(("outputs", "gradients"), ours_errors, torch_errors, least, strict=True):
        assert error <= 3 * max(torch_error, floor), f"{what}: {error:.3g}, torch {torch_error:.3g}"
