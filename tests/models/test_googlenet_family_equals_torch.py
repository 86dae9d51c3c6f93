"""GoogLeNet in three versions and Inception v2 with every option against a short PyTorch computation."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

from minception import Tensor, models
from minception.models.auxiliary import GoogLeNetOutputs
from tests.models.equality import random_state
from tests.models.googlenet_family import NAMES, NARROW, WITH_HEADS, normal


def torch_unit(state, x, key, stride, training, eps, relu=True):
    """The convolution `key`, which keeps the size but for its stride, its batch norm if it has one, and ReLU."""
    conv, bn = (f"{key}.conv", f"{key}.bn") if f"{key}.conv.weight" in state else (key, f"{key}_bn")
    if f"{conv}.depthwise.weight" in state:
        weight = state[f"{conv}.depthwise.weight"]
        x = TF.conv2d(x, weight, stride=stride, padding=weight.shape[3] // 2, groups=x.shape[1])
        conv, stride = f"{conv}.pointwise", 1
    weight = state[f"{conv}.weight"]
    x = TF.conv2d(x, weight, state.get(f"{conv}.bias"), stride, weight.shape[3] // 2)
    if f"{bn}.weight" in state:
        mean, var = (state[f"{bn}.running_{what}"].clone() for what in ("mean", "var"))
        x = TF.batch_norm(x, mean, var, state[f"{bn}.weight"], state[f"{bn}.bias"], training, eps=eps)
    return TF.relu(x) if relu else x


def torch_googlenet(name, state, x, stem, training):
    """Table 1 of Szegedy et al. 2015 in the version `name`, with the parameters `state`."""
    teaching, paper = name == "googlenet_teaching", name == "googlenet_paper"
    unit = partial(torch_unit, state, training=training, eps=1e-3)

    def pool(x, kernel=3):
        return TF.max_pool2d(x, kernel, 2, padding=1 if teaching else 0, ceil_mode=not teaching)

    def norm(x):
        return TF.local_response_norm(x, 5, 1e-4, 0.75, 1.0) if paper else x

    def head(x, key):
        windows = paper and 14 <= min(x.shape[2:]) and max(x.shape[2:]) <= 16
        x = TF.avg_pool2d(x, 5, 3) if windows else TF.adaptive_avg_pool2d(x, 4)
        x = unit(x, f"{key}.conv", 1).flatten(1)
        x = TF.relu(TF.linear(x, state[f"{key}.fc1.weight"], state[f"{key}.fc1.bias"]))
        return TF.linear(x, state[f"{key}.fc2.weight"], state[f"{key}.fc2.bias"])

    x = unit(x, "conv1", 2 if stem == "imagenet" else 1)
    if stem == "imagenet":
        x = norm(pool(x))
        x = unit(x, "conv2", 1, relu=not teaching)
        x = unit(x, "conv3", 1, relu=not teaching)
        x = pool(norm(x))
    outputs = []
    for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        branches = [unit(x, f"inception{module}.branch1", 1)]
        for branch in ("branch2", "branch3"):
            reduced = unit(x, f"inception{module}.{branch}.0", 1)
            branches.append(unit(reduced, f"inception{module}.{branch}.1", 1))
        branches.append(unit(TF.max_pool2d(x, 3, 1, 1), f"inception{module}.branch4.1", 1))
        x = torch.cat(branches, 1)
        if module in ("4a", "4d") and "aux1.fc1.weight" in state and training:
            outputs.insert(0, head(x, "aux1" if module == "4a" else "aux2"))
        if module == "3b":
            x = pool(x)
        elif module == "4e":
            x = pool(x, 2 if name == "googlenet" else 3)
    logits = TF.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])
    return [torch.log_softmax(logits, 1) if teaching else logits, *outputs]


def torch_inception_v2(name, state, x, stem, training):
    """Figure 5 of Ioffe and Szegedy 2015 with the parameters `state`."""

    def units(x, *keys, stride=1):
        for key in keys:
            x = torch_unit(state, x, key, stride if key == keys[-1] else 1, training, eps=1e-5)
        return x

    def pool(x):
        return TF.max_pool2d(x, 3, 2, ceil_mode=True)

    imagenet = stem == "imagenet"
    x = units(x, "conv1_7x7_s2", stride=2 if imagenet else 1)
    x = units(pool(x) if imagenet else x, "conv2_3x3_reduce", "conv2_3x3")
    x = pool(x) if imagenet else x
    for module in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        key = f"inception_{module}"
        stride = 2 if module in ("3c", "4e") else 1
        branches = [
            units(x, f"{key}_3x3_reduce", f"{key}_3x3", stride=stride),
            units(x, *(f"{key}_double_3x3_{part}" for part in ("reduce", "1", "2")), stride=stride),
        ]
        if stride == 2:
            branches.append(pool(x))
        else:
            pooled = TF.max_pool2d(x, 3, 1, 1) if module == "5b" else TF.avg_pool2d(x, 3, 1, 1)
            branches = [units(x, f"{key}_1x1"), *branches, units(pooled, f"{key}_pool_proj")]
        x = torch.cat(branches, 1)
    return [TF.linear(x.mean((2, 3)), state["last_linear.weight"], state["last_linear.bias"])]


# The pools of the googlenets meet odd and even sides. What reaches inception4a: with 28x33 pixels 14x16, where the 
# heads have the paper's windows, with 27x32 and 26x35 13x16 and 13x17, where one side or both do not suit them.
AGAINST_TORCH = [
    *((name, "imagenet", size, {}) for name in NAMES[:3] for size in [(70, 89), (52, 61)]),
    *((name, "cifar", size, {}) for name in NAMES[:3] for size in [(28, 33), (27, 32), (26, 35)]),
    *((name, "cifar", (13, 10), {"aux_logits": False}) for name in WITH_HEADS),
    *(("inception_v2", "imagenet", (64, 95), {"separable_stem": separable}) for separable in (False, True)),
    *(("inception_v2", "cifar", (12, 20), {"separable_stem": separable}) for separable in (False, True)),
]


@pytest.mark.parametrize(("name", "stem", "size", "options"), AGAINST_TORCH, ids=str)
def test_against_torch(name, stem, size, options):
    """Evaluation, everything that training returns, and the images' gradient."""
    options = options | ({"dropout_aux": 0.0} if name in WITH_HEADS else {})
    options |= {} if name == "googlenet_teaching" else {"dropout": 0.0}
    model = models.create(name, stem=stem, **NARROW, **options).double()
    model.load_state_dict(random_state(model.state_dict()))
    state = {key: torch.tensor(array) for key, array in model.state_dict().items()}
    twin = torch_inception_v2 if name == "inception_v2" else torch_googlenet
    x = normal(3, 3, *size)
    our_x, torch_x = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    evaluated, trained = (twin(name, state, torch_x, stem, training) for training in (False, True))
    our_evaluated, our_trained = model.eval()(our_x), model.train()(our_x)
    heads = name in WITH_HEADS and options.get("aux_logits", True)
    assert isinstance(our_trained, GoogLeNetOutputs) == heads and len(trained) == (3 if heads else 1)
    our_trained = our_trained if heads else [our_trained]
    sum((y * Tensor(normal(3, 5, seed=i))).sum() for i, y in enumerate(our_trained)).backward()
    sum((y * torch.tensor(normal(3, 5, seed=i))).sum() for i, y in enumerate(trained)).backward()
    pairs = [(our_evaluated, *evaluated), *zip(our_trained, trained, strict=True), (our_x.grad, torch_x.grad)]
    for actual, expected in pairs:
        expected = expected.detach().numpy()
        np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=1e-9 * np.abs(expected).max())
