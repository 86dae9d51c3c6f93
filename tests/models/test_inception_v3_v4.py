"""Inception v3 and v4: costs, initial values, options, and the smallest images that they take."""

import math
from importlib import import_module

import numpy as np
import pytest

from minception import Tensor, models, nn, no_grad
from minception.models import inception_v3, inception_v4
from minception.models.auxiliary import InceptionOutputs
from minception.models.inception_v3_blocks import AuxiliaryHead
from minception.models.inception_v3_blocks import InceptionA as V3InceptionA
from minception.models.inception_v4 import InceptionA as V4InceptionA

NARROW = {"num_classes": 5, "width": 0.125}
PUBLISHED = {"inception_v3": (27_161_264, 5_713_216_096), "inception_v4": (42_679_816, 12_253_974_624)}


def images(*size, batch=2, channels=3):
    return Tensor(np.random.default_rng(0).standard_normal((batch, channels, *size)).astype(np.float32))


def logits(model, x):
    with no_grad():
        return model.eval()(x).numpy()


def sizes_reaching(model, x, names):
    """Height and width of what reaches each of the named modules."""
    seen = {}
    modules = dict(model.named_modules())
    for name in names:
        modules[name].register_forward_pre_hook(lambda module, args, name=name: seen.update({name: args[0].shape[2:]}))
    logits(model, x)
    return [seen[name] for name in names]


@pytest.fixture(scope="module", params=sorted(PUBLISHED))
def published(request):
    return request.param, models.create(request.param)


def test_costs(published):
    name, model = published
    parameters, macs = PUBLISHED[name]
    assert models.count_parameters(model) == parameters
    assert models.count_multiply_accumulates(model, 299) == macs


def test_cost_of_the_head():
    assert models.count_parameters(inception_v3(aux_logits=False)) == 27_161_264 - 3_326_696


def test_eps(published):
    assert {module.eps for module in published[1].modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


def convolutions(model):
    return {name: module.weight.numpy() for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}


@pytest.mark.parametrize("published", ["inception_v3"], indirect=True)
def test_initial_values_of_v3(published):
    _, model = published
    expected = dict.fromkeys(convolutions(model), 0.1) | {"AuxLogits.conv1.conv": 0.01}
    values = convolutions(model) | {"fc": model.fc.weight.numpy(), "AuxLogits.fc": model.AuxLogits.fc.weight.numpy()}
    expected |= {"fc": 0.1, "AuxLogits.fc": 0.001}
    for layer, weight in values.items():
        n, std = weight.size, expected[layer]
        assert abs(weight.std() / std - 1) < 6 / math.sqrt(2 * n), layer
        assert abs(weight.mean()) < 6 * std / math.sqrt(n), layer
    # Normal, not uniform: among two million values some lie beyond four deviations, and none beyond 2.
    largest = np.abs(values["fc"]).max()
    assert 0.4 < largest < 2
    for layer in (model.fc, model.AuxLogits.fc):
        assert 0 < np.abs(layer.bias.numpy()).max() <= 1 / math.sqrt(layer.in_features)


@pytest.mark.parametrize("published", ["inception_v4"], indirect=True)
def test_initial_values_of_v4(published):
    _, model = published
    for layer, weight in convolutions(model).items():
        std = math.sqrt(2 / weight[0].size)
        # 1.3 makes up for the cut at two deviations but for 0.3 %.
        assert abs(weight.std() / std - 1) < 0.004 + 6 / math.sqrt(2 * weight.size), layer
        assert 0.9 < np.abs(weight).max() / (2 * math.sqrt(1.3) * std) <= 1 + 1e-6, layer
    bound = math.sqrt(6 / (1536 + 1000))
    assert 0.999 < np.abs(model.last_linear.weight.numpy()).max() / bound <= 1 + 1e-6
    assert not model.last_linear.bias.numpy().any()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
@pytest.mark.parametrize(("stem", "least"), [("imagenet", 75), ("cifar", 7)])
def test_least_size(name, stem, least, monkeypatch):
    model = models.create(name, stem=stem, **NARROW)
    assert logits(model, images(least, least + 3)).shape == (2, 5)
    for size in ((least - 1, least + 3), (least + 3, least - 1)):
        with pytest.raises(ValueError, match=f"{name}: .*at least {least}x{least} pixels, got {size[0]}x{size[1]}"):
            model(images(*size))
    # The check is no stricter than the network is.
    monkeypatch.setattr(import_module(f"minception.models.{name}"), "check_images", lambda *arguments: None)
    with pytest.raises(ValueError, match="does not fit"):
        model(images(least - 1, least + 3))


@pytest.mark.parametrize(("stem", "least"), [("imagenet", 75), ("cifar", 7)])
def test_the_head_needs_no_larger_images(stem, least):
    outputs = inception_v3(stem=stem, **NARROW)(images(least, least + 6))
    assert [o.shape for o in outputs] == [(2, 5), (2, 5)]


@pytest.mark.parametrize(
    ("grid", "seen", "first"),
    [((17, 17), (5, 5), (5, 5)), ((19, 26), (5, 8), (5, 5)), ((16, 40), (5, 5), (4, 8)), ((1, 20), (5, 5), (1, 4))],
)
def test_what_the_head_sees(grid, seen, first):
    """From 17x17 the published windows; smaller grids are averaged to the 5x5 that the head needs."""
    head = AuxiliaryHead(4, 5, 0.125).eval()
    x = np.random.default_rng(0).standard_normal((2, 4, *grid))
    pooled = []
    head.conv0.register_forward_pre_hook(lambda module, args: pooled.append(args[0].numpy()))
    with no_grad():
        assert head.double()(Tensor(x)).shape == (2, 5)
    assert pooled[0].shape == (2, 4, *seen)
    np.testing.assert_allclose(pooled[0][:, :, 0, 0], x[:, :, : first[0], : first[1]].mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("inception_v3", ["Mixed_5b", "Mixed_6a", "Mixed_6b", "Mixed_7b"]),
        ("inception_v4", ["features.6", "features.10", "features.11", "features.19"]),
    ],
)
def test_grids(name, modules):
    native = sizes_reaching(models.create(name, **NARROW), images(299, 299, batch=1), modules)
    assert native == [(35, 35), (35, 35), (17, 17), (8, 8)]
    small = sizes_reaching(models.create(name, stem="cifar", **NARROW), images(32, 32), modules)
    assert small == [(32, 32), (32, 32), (15, 15), (7, 7)]


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_stem_cifar(name):
    small, large = (models.create(name, stem=stem, **NARROW) for stem in ("cifar", "imagenet"))
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (small, large)]
    assert list(shapes[0].items()) == list(shapes[1].items())
    outputs = small(images(32, 32))
    if name == "inception_v3":
        assert isinstance(outputs, InceptionOutputs) and outputs.aux_logits.shape == (2, 5)
        sum(outputs.aux_logits.sum(1)).backward()
        assert small.AuxLogits.conv1.conv.weight.grad is not None
        assert small.Mixed_7a.branch3x3_1.conv.weight.grad is None
        outputs = outputs.logits
    assert outputs.shape == (2, 5)
    assert logits(small, images(32, 32)).shape == (2, 5)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_stems_are_named(name):
    with pytest.raises(ValueError, match=f"{name}: stem must be one of 'imagenet', 'cifar', got 'small'"):
        models.create(name, stem="small")


@pytest.mark.parametrize("name", sorted(PUBLISHED))
@pytest.mark.parametrize("width", [0.3, 0.55])
def test_any_width_fits_together(name, width):
    model = models.create(name, num_classes=5, in_channels=2, width=width, stem="cifar").train()
    outputs = model(images(9, 8, channels=2))
    assert (outputs[0] if name == "inception_v3" else outputs).shape == (2, 5)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_dropout_is_before_the_last_layer(name):
    model = models.create(name, stem="cifar", dropout=1.0, **NARROW).train()
    outputs = model(images(7, 7))
    last, answer = (model.fc, outputs.logits) if name == "inception_v3" else (model.last_linear, outputs)
    np.testing.assert_array_equal(answer.numpy(), np.broadcast_to(last.bias.numpy(), (2, 5)))
    assert not np.allclose(logits(model, images(7, 7)), last.bias.numpy())


def test_without_the_head():
    model = inception_v3(aux_logits=False, stem="cifar", **NARROW)
    assert isinstance(model.train()(images(32, 32)), Tensor)
    assert not any(key.startswith("AuxLogits") for key in model.state_dict())


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_count_include_pad(count_include_pad):
    ones = Tensor(np.ones((1, 4, 5, 5), np.float32))
    pooled = V3InceptionA(4, 8, 1.0, count_include_pad).pool(ones).numpy()
    corner, edge = (4 / 9, 6 / 9) if count_include_pad else (1, 1)
    np.testing.assert_allclose(pooled[0, 0, 0], [corner, edge, edge, edge, corner], rtol=1e-6)
    np.testing.assert_allclose(pooled[:, :, 2, 2], 1, rtol=1e-6)

    model = inception_v3(count_include_pad=count_include_pad, stem="cifar", **NARROW)
    pools = [m for m in model.modules() if isinstance(m, nn.AvgPool2d)]
    assert [pool.count_include_pad for pool in pools] == [count_include_pad] * 9


def test_count_include_pad_changes_what_v3_says():
    options = {"stem": "cifar", "aux_logits": False, "dropout": 0.0, **NARROW}
    counting, other = (inception_v3(count_include_pad=c, **options) for c in (True, False))
    other.load_state_dict(counting.state_dict())
    x = images(16, 16)
    assert not np.allclose(counting(x).numpy(), other(x).numpy(), atol=0.01)


def test_average_pools_of_v4_count_no_padding():
    pool = V4InceptionA(4, 1.0).branch3[0]
    np.testing.assert_allclose(pool(Tensor(np.ones((1, 4, 5, 5), np.float32))).numpy(), 1, rtol=1e-6)
    pools = [m for m in inception_v4(stem="cifar", **NARROW).modules() if isinstance(m, nn.AvgPool2d)]
    assert [pool.count_include_pad for pool in pools] == [False] * 14


def test_transform_input():
    plain, transforming = (inception_v3(transform_input=t, stem="cifar", **NARROW).double() for t in (False, True))
    transforming.load_state_dict(plain.state_dict())
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 12))
    mean, std = (np.array(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    pixels = x * std + mean  # from 0 to 1
    halves = (pixels - 0.5) / 0.5
    given = Tensor(x)
    np.testing.assert_allclose(logits(transforming, given), logits(plain, Tensor(halves)), rtol=1e-10)
    np.testing.assert_array_equal(given.numpy(), x)
    assert logits(transforming.float(), Tensor(x.astype(np.float32))).dtype == np.float32


def test_transform_input_is_for_colours():
    with pytest.raises(ValueError, match="transform_input needs in_channels=3, got in_channels=1"):
        inception_v3(in_channels=1, transform_input=True, **NARROW)


def test_preprocessing_of_the_published_weights():
    v3, v4 = (models.entry(name).preprocessing for name in ("inception_v3", "inception_v4"))
    assert (v3.resize, v3.crop, v3.mean, v3.std) == (342, 299, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (v3.interpolation, v4.interpolation) == ("bilinear", "bicubic")
    assert (v4.resize, v4.crop, v4.mean, v4.std) == (int(299 / 0.875), 299, (0.5,) * 3, (0.5,) * 3)
