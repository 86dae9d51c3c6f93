"""GoogLeNet in three versions and Inception v2: costs, modules, heads, dropout, initial values."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from minception import Tensor, manual_seed, models, nn
from minception.models.auxiliary import GoogLeNetOutputs
from minception.models.blocks import ConvBNReLU
from minception.models.inception_v1 import ConvReLU, Inception, InceptionNaive, inception_modules
from tests.models.equality import random_state
from tests.models.googlenet_family import COSTS, NAMES, NARROW, WITH_HEADS, evaluate, images, logits_of, normal, shapes
from tests.models.twins import inception_v1_modules as twins


@pytest.fixture(scope="module", params=NAMES)
def network(request):
    """Name and full network; module scope builds each once."""
    manual_seed(0)
    return request.param, models.create(request.param)


def test_costs(network):
    name, model = network
    size, channels, parameters, macs = COSTS[name]
    assert models.count_parameters(model) == parameters
    assert models.count_multiply_accumulates(model, size, channels) == macs


@pytest.mark.parametrize(("name", "without"), [("googlenet", 13_004_888 - 6_379_984), ("googlenet_paper", 6_998_552)])
def test_cost_without_heads(name, without):
    with nn.init.skip_init():
        assert models.count_parameters(models.create(name, aux_logits=False)) == without
    with_heads, model = (models.create(name, aux_logits=heads, **NARROW) for heads in (True, False))
    macs = models.count_multiply_accumulates(model, 224)
    assert models.count_multiply_accumulates(with_heads, 224) == macs, "heads do not run in evaluation"


def test_true_5x5_would_cost_more():
    """torchvision's network with the paper's kernels: 7,005,832 parameters without heads."""
    counts = [
        sum(map(models.count_parameters, inception_modules(192, unit=ConvBNReLU, large_kernel=k).values()))
        for k in (3, 5)
    ]
    assert counts[1] - counts[0] == 7_005_832 - (13_004_888 - 6_379_984)


def weights(layer):
    return sum(m.weight.numel() for m in layer.modules() if isinstance(m, nn.Conv2d))


def test_what_a_reduction_saves():
    """From 256 channels to 64 by 5x5: 409,600 weights; through 32 channels, 59,392."""
    naive, reduced = InceptionNaive(256, 8, 8, 64), Inception(256, 8, (8, 8), (32, 64), 8)
    assert weights(naive.branch3) == 409_600
    assert weights(reduced.branch3) == 59_392
    assert shapes(naive.branch3)["conv.weight"] == (64, 256, 5, 5)
    assert naive(images(6, 7, channels=256)).shape[1] == 256 + 80
    assert reduced(images(6, 7, channels=256)).shape[1] == 88


def test_widths_of_table_1():
    modules = inception_modules(192)
    assert [module.out_channels for module in modules.values()] == [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    assert [f"inception{name}" for name in modules] == list(twins.TABLE_1)
    for module, row in zip(modules.values(), twins.TABLE_1.values(), strict=True):
        assert tuple(m.out_channels for m in module.modules() if isinstance(m, nn.Conv2d)) == row


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kernel", [None, 3, 5], ids=["naive", "3x3", "5x5"])
def test_modules_against_twins(kernel, batch_norm):
    """Output, and the gradients of the input and of every parameter, in training."""
    unit = partial(ConvBNReLU, eps=1e-3) if batch_norm else ConvReLU
    if kernel is None:
        ours, twin, channels = InceptionNaive(6, 8, 12, 4, unit), twins.InceptionNaive(6, 8, 12, 4, batch_norm), 30
    else:
        ours = Inception(6, 8, (5, 12), (3, 4), 7, unit, kernel)
        twin, channels = twins.Inception(6, 8, 5, 12, 3, 4, 7, batch_norm, kernel), 31
    state = random_state(ours.state_dict())
    ours.double().load_state_dict(state)
    twin.double().load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    assert list(shapes(ours).items()) == [(key, tuple(value.shape)) for key, value in twin.state_dict().items()]
    x, cotangent = normal(2, 6, 7, 9), normal(2, channels, 7, 9, seed=1)
    our_x, torch_x = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = ours(our_x), twin(torch_x)
    y.backward(Tensor(cotangent))
    expected.backward(torch.tensor(cotangent))
    assert ours.out_channels == y.shape[1]
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(our_x.grad.numpy(), torch_x.grad.numpy(), rtol=0, atol=1e-11)
    for (name, p), q in zip(ours.named_parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=0, atol=1e-11, err_msg=name)


def test_eps(network):
    name, model = network
    expected = {"googlenet": {1e-3}, "inception_v2": {1e-5}}.get(name, set())
    assert {module.eps for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == expected


@pytest.mark.parametrize("name", WITH_HEADS)
def test_heads_run_in_training_only(name):
    model = models.create(name, stem="cifar", **NARROW)
    modules, calls = dict(model.named_modules()), []
    for head in ("aux1", "aux2"):
        modules[head].register_forward_hook(lambda *arguments, head=head: calls.append(head))
    outputs = model(images(16, 16))
    assert isinstance(outputs, GoogLeNetOutputs) and calls == ["aux1", "aux2"]
    assert isinstance(evaluate(model, images(16, 16)), Tensor) and calls == ["aux1", "aux2"]
    for field, reached, not_reached in [
        ("aux_logits1", "inception4a", "inception4b"),
        ("aux_logits2", "inception4d", "inception4e"),
    ]:
        model.train().zero_grad()
        getattr(model(images(16, 16)), field).sum().backward()
        assert modules[reached].branch1.conv.weight.grad is not None
        assert modules[not_reached].branch1.conv.weight.grad is None


@pytest.mark.parametrize("name", WITH_HEADS)
def test_without_heads(name):
    model = models.create(name, stem="cifar", aux_logits=False, **NARROW)
    assert isinstance(model.train()(images(16, 16)), Tensor)
    full = models.create(name, stem="cifar", **NARROW).state_dict()
    assert list(model.state_dict()) == [key for key in full if not key.startswith(("aux1.", "aux2."))]


def test_default_dropout(network):
    name, model = network
    found = {key: m.p for key, m in model.named_modules() if isinstance(m, nn.Dropout)}
    heads = {"aux1.dropout": 0.7, "aux2.dropout": 0.7}
    expected = {
        "googlenet": {"dropout": 0.2, **heads},
        "googlenet_paper": {"dropout": 0.4, **heads},
        "googlenet_teaching": {},
        "inception_v2": {"dropout": 0.0},
    }
    assert found == expected[name]


@pytest.mark.parametrize("name", [*WITH_HEADS, "inception_v2"])
def test_dropout_is_before_the_last_layer(name):
    heads = {"dropout_aux": 0.0} if name in WITH_HEADS else {}
    model = models.create(name, stem="cifar", dropout=1.0, **heads, **NARROW)
    model.load_state_dict(random_state(model.state_dict()))
    outputs = model(images(16, 16))
    bias = (model.last_linear if name == "inception_v2" else model.fc).bias.numpy()
    np.testing.assert_array_equal(logits_of(outputs).numpy(), np.stack([bias] * 3))
    for logits in outputs[1:] if heads else []:
        assert np.ptp(logits.numpy(), axis=0).min() > 0
    assert np.ptp(evaluate(model, images(16, 16)).numpy(), axis=0).min() > 0


@pytest.mark.parametrize("name", WITH_HEADS)
def test_dropout_of_the_heads_is_before_their_last_layer(name):
    model = models.create(name, stem="cifar", dropout=0.0, dropout_aux=1.0, **NARROW)
    outputs = model(images(16, 16))
    assert np.ptp(outputs.logits.numpy(), axis=0).min() > 0
    for logits, head in [(outputs.aux_logits1, model.aux1), (outputs.aux_logits2, model.aux2)]:
        np.testing.assert_array_equal(logits.numpy(), np.stack([head.fc2.bias.numpy()] * 3))


@pytest.mark.parametrize("training", [False, True])
def test_transform_input(training):
    options = {"stem": "cifar", "dropout": 0.0, "aux_logits": False, **NARROW}
    plain, transforming = (models.googlenet(transform_input=t, **options).double() for t in (False, True))
    for model in (plain, transforming):
        model.load_state_dict(random_state(model.state_dict()))
    plain.train(training), transforming.train(training)
    x = normal(3, 3, 12, 12)
    mean, std = (np.array(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    halves = x * std / 0.5 + (mean - 0.5) / 0.5
    given = Tensor(x)
    np.testing.assert_allclose(transforming(given).numpy(), plain(Tensor(halves)).numpy(), rtol=0, atol=1e-11)
    np.testing.assert_array_equal(given.numpy(), x)
    assert np.abs(transforming(given).numpy() - plain(given).numpy()).max() > 1e-6
    assert transforming.float()(images(12, 12)).dtype == np.float32


def test_transform_input_is_for_colours():
    with pytest.raises(ValueError, match="googlenet: transform_input needs in_channels=3, got in_channels=1"):
        models.googlenet(**NARROW | {"in_channels": 1}, transform_input=True)


def test_teaching_gives_log_probabilities():
    model = models.googlenet_teaching(stem="cifar", **NARROW)
    for training in (True, False):
        y = model.train(training)(images(16, 16)).numpy()
        np.testing.assert_allclose(np.exp(y.astype(np.float64)).sum(1), 1, rtol=1e-6)


def test_initial_values(network):
    """torchvision's normal ones for googlenet, those of bvlc_googlenet for googlenet_paper, else PyTorch's default."""
    name, model = network
    logits = {"fc", "aux1.fc2", "aux2.fc2", "last_linear"}
    for key, layer in model.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight.numpy() == 1).all() and (layer.bias.numpy() == 0).all(), key
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        weight, bias = layer.weight.numpy().astype(np.float64), layer.bias
        fan_in = weight[0].size
        default = 1 / math.sqrt(fan_in)
        bound = {"googlenet": 0.01 * math.sqrt(3), "googlenet_paper": math.sqrt(3) * default}.get(name, default)
        std = bound / math.sqrt(3)
        assert abs(weight.std() / std - 1) < 6 / math.sqrt(2 * weight.size), key
        assert abs(weight.mean()) < 6 * std / math.sqrt(weight.size), key
        if name == "googlenet":
            assert 3 < np.abs(weight).max() / std < 7, key
        else:
            assert 0.99 < np.abs(weight).max() / bound <= 1 + 1e-6, key
        if name == "googlenet_paper":
            assert (bias.numpy() == np.float32(0 if key in logits else 0.2)).all(), key
        elif bias is not None:
            assert 0 < np.abs(bias.numpy()).max() <= default * (1 + 1e-6) and bias.numpy().std() > 0.4 * default, key


def test_registered_facts():
    imagenet = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255, "RGB")
    expected = {
        "googlenet": ("Szegedy et al. 2015, with batch norm", 256, *imagenet),
        "googlenet_paper": ("Szegedy et al. 2015", 256, (104, 117, 123), (1, 1, 1), 1, "BGR"),
        "googlenet_teaching": ("after Szegedy et al. 2015", 96, (0,), (1,), 1 / 255, "L"),
        "inception_v2": ("Ioffe and Szegedy 2015", 256, (104, 117, 128), (1, 1, 1), 1, "BGR"),
    }
    for name, (paper, resize, mean, std, scale, channels) in expected.items():
        entry = models.entry(name)
        assert (entry.input_size, entry.in_channels, entry.parameters, entry.multiply_accumulates) == COSTS[name]
        assert (entry.paper, entry.num_classes) == (paper, 10 if name == "googlenet_teaching" else 1000)
        assert entry.preprocessing == models.Preprocessing(resize, COSTS[name][0], mean, std, scale, channels)
        assert entry.small_images == {"stem": "cifar"} | ({"aux_logits": False} if name in WITH_HEADS else {})
