"""Every kind of block alone against the same block of the PyTorch twin, with drawn inputs and drawn cotangents.

A block is a module of the networks that is not a layer of `minception.nn`; the twin has the same part under the same
name. Of blocks that differ in nothing but their channels one is enough.
"""

import numpy as np
import pytest
import torch

from minception import Tensor, no_grad
from tests.models.equality import Case, assert_same

CASES = [
    Case("googlenet", size=(64, 80)),
    Case("googlenet_paper", size=(64, 80)),
    Case("inception_v3", size=(139, 171)),
    Case("inception_v4", size=(107, 139)),
    Case("inception_resnet_v1", size=(107, 139)),
    Case("inception_resnet_v2", size=(107, 139)),
    Case("inception_resnet_v2", (("stem", "inception_v4"), ("blocks", (1, 1, 2))), size=(107, 139)),
    Case("xception", size=(64, 80)),
    Case("xception", (("between", "relu"), ("order", "pointwise_first"), ("residual", False)), size=(64, 80)),
    Case("xception", (("between", "elu"), ("same_pooling", True), ("eps", 1e-3)), size=(64, 79)),
    Case("xception41", size=(64, 80)),
    Case("resnet18", size=(48, 64)),
    Case("mini_inception"),
    Case("mini_xception"),
]


def blocks(model):
    """Pairs (name, block) of the network, one for each class and structure."""
    seen = set()
    for name, module in model.named_modules():
        kind = (type(module).__name__, tuple(sub for sub, _ in module.named_modules()))
        if name and type(module).__module__.startswith("minception.models") and kind not in seen:
            seen.add(kind)
            yield name, module


def inputs_of(model, images):
    """Shape of what each module is called with, by name, in training mode so that heads run too."""
    shapes = {}
    handles = [
        module.register_forward_pre_hook(lambda _, args, name=name: shapes.setdefault(name, args[0].shape) and None)
        for name, module in model.named_modules()
    ]
    with no_grad():
        model(Tensor(images))
    for handle in handles:
        handle.remove()
    return shapes


def step(module, x, cotangent, tensor):
    """Output, gradients and buffers after one training step of a block; `tensor` is its framework's constructor."""
    x = tensor(x, requires_grad=True)
    y = module(x)
    y.backward(tensor(cotangent))
    gradients = {name: np.asarray(p.grad) for name, p in module.named_parameters()}
    buffers = {name: np.asarray(b) for name, b in module.named_buffers()}
    return np.asarray(y.detach()), np.asarray(x.grad), gradients, buffers


@pytest.mark.parametrize("case", CASES, ids=str)
def test_blocks(case):
    ours, twin = case.make()
    shapes = inputs_of(ours, case.images(2))
    rng = np.random.default_rng(5)
    compared = list(blocks(ours))
    assert compared
    for name, block in compared:
        theirs = twin.get_submodule(name)
        x = rng.standard_normal(shapes[name])
        cotangent = rng.standard_normal(block(Tensor(x)).shape)
        block.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
        block.zero_grad()
        theirs.zero_grad()
        actual = step(block, x, cotangent, Tensor)
        expected = step(theirs, x, cotangent, torch.tensor)
        what = f"{case}: {name} ({type(block).__name__})"
        assert_same(actual[0], expected[0], f"output of {what}")
        assert_same(actual[1], expected[1], f"input gradient of {what}")
        largest = max((np.abs(g).max() for g in expected[2].values()), default=0.0)
        for kind, (found, wanted) in {"gradient": (actual[2], expected[2]), "buffer": (actual[3], expected[3])}.items():
            assert found.keys() == wanted.keys(), what
            for key in wanted:
                assert_same(found[key], wanted[key], f"{kind} of {key} of {what}", least=1e-3 * largest)
