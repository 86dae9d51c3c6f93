"""Inception-ResNet v1 and v2: costs, initial values, residual blocks, options, and the smallest images."""

import math
from importlib import import_module

import numpy as np
import pytest

from minception import Tensor, models, nn, no_grad
from minception.models import inception_resnet_v1, inception_resnet_v2, inception_v4
from minception.models.inception_resnet_blocks import Block8, Block17, Block35, ResidualBlock
from minception.models.inception_resnet_v1 import to_unit_length

NARROW = {"num_classes": 5, "width": 0.125}
SHALLOW = {**NARROW, "blocks": (1, 2, 2)}
NAMES = ("inception_resnet_v1", "inception_resnet_v2")
# parameters, multiply-accumulates, size
PUBLISHED = {NAMES[0]: (23_995_624, 1_418_174_304, 160), NAMES[1]: (55_843_464, 13_155_794_016, 299)}
STEMS = [(NAMES[0], "imagenet"), (NAMES[0], "cifar"), *((NAMES[1], s) for s in ("imagenet", "cifar", "inception_v4"))]


def images(*size, batch=2, channels=3):
    return Tensor(np.random.default_rng(0).standard_normal((batch, channels, *size)).astype(np.float32))


def answer(model, x):
    with no_grad():
        return model.eval()(x).numpy()


@pytest.fixture(scope="module", params=NAMES)
def published(request):
    return request.param, models.create(request.param)


def test_costs(published):
    name, model = published
    parameters, macs, size = PUBLISHED[name]
    assert models.count_parameters(model) == parameters
    assert models.count_multiply_accumulates(model, size) == macs


def test_eps(published):
    norms = [module for module in published[1].modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert {norm.eps for norm in norms} == {1e-3}


def test_initial_values(published):
    """Glorot uniform, biases 0."""
    layers = [(name, m) for name, m in published[1].named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for name, layer in layers:
        weight = layer.weight.numpy()
        fans = weight[0].size + weight.shape[0] * math.prod(weight.shape[2:])
        bound = math.sqrt(6 / fans)
        assert 0.98 < np.abs(weight).max() / bound <= 1 + 1e-6, name
        assert abs(weight.std() * math.sqrt(3) / bound - 1) < 6 / math.sqrt(weight.size), name
        assert layer.bias is None or not layer.bias.numpy().any(), name


def test_widths(published):
    name, model = published
    widths = {NAMES[0]: (256, 896, 1792), NAMES[1]: (320, 1088, 2080)}[name]
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    assert sorted({block.conv2d.out_channels for block in blocks}) == list(widths)
    counts = [sum(block.conv2d.out_channels == width for block in blocks) for width in widths]
    assert counts == {NAMES[0]: [5, 10, 6], NAMES[1]: [10, 20, 10]}[name]
    scales = [[block.scale for block in blocks if block.conv2d.out_channels == width] for width in widths]
    assert scales == [[0.17] * counts[0], [0.10] * counts[1], [0.20] * (counts[2] - 1) + [1.0]]


@pytest.mark.parametrize(("name", "stem"), STEMS)
def test_least_size(name, stem, monkeypatch):
    least = 7 if stem == "cifar" else 75
    model = models.create(name, stem=stem, **SHALLOW)
    assert answer(model, images(least, least + 3)).shape == (2, 5)
    for size in ((least - 1, least + 3), (least + 3, least - 1)):
        with pytest.raises(ValueError, match=f"{name}: .*at least {least}x{least} pixels, got {size[0]}x{size[1]}"):
            model(images(*size))
    # The check is no stricter than the network is.
    monkeypatch.setattr(import_module(f"minception.models.{name}"), "check_images", lambda *arguments: None)
    with pytest.raises(ValueError, match="does not fit"):
        model(images(least - 1, least + 3))


@pytest.mark.parametrize(("name", "stem"), STEMS)
def test_grids(name, stem):
    """What reaches the residual blocks: 35x35, 17x17 and 8x8 in the paper."""
    model = models.create(name, stem=stem, **SHALLOW)
    seen = []
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_pre_hook(lambda module, args: seen.append((type(module), args[0].shape[2:])))
    answer(model, images(32, 32) if stem == "cifar" else images(299, 299, batch=1))
    a, b, c = (32, 15, 7) if stem == "cifar" else (35, 17, 8)
    assert seen == [(Block35, (a, a)), *[(Block17, (b, b))] * 2, *[(Block8, (c, c))] * 2]


@pytest.mark.parametrize("name", NAMES)
def test_stem_cifar(name):
    small, large = (models.create(name, stem=stem, **SHALLOW) for stem in ("cifar", "imagenet"))
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (small, large)]
    assert list(shapes[0].items()) == list(shapes[1].items())
    assert small.train()(images(32, 32)).shape == (2, 5)
    assert answer(small, images(32, 32)).shape == (2, 5)


def test_stems_are_named():
    with pytest.raises(ValueError, match="inception_resnet_v1: stem must be one of 'imagenet', 'cifar', got"):
        inception_resnet_v1(stem="inception_v4", **SHALLOW)
    with pytest.raises(ValueError, match=r"inception_resnet_v2: stem must be one of .*'inception_v4', got 'v4'"):
        inception_resnet_v2(stem="v4", **SHALLOW)


@pytest.mark.parametrize(("name", "stem"), [(name, stem) for name, stem in STEMS if stem != "imagenet"])
@pytest.mark.parametrize("width", [0.3, 0.55])
def test_any_width_fits_together(name, stem, width):
    model = models.create(name, num_classes=5, in_channels=2, width=width, stem=stem, blocks=(1, 1, 1)).train()
    side = 9 if stem == "cifar" else 78
    assert model(images(side, side - 1, channels=2)).shape == (2, 5)


BLOCKS = [
    lambda scale: Block35(12, 4, (5, 6), (5, 6, 7), scale),
    lambda scale: Block17(12, 4, (5, 6, 7), scale),
    lambda scale: Block8(12, 4, (5, 6, 7), scale),
]


@pytest.mark.parametrize("make", BLOCKS)
@pytest.mark.parametrize("scale", [0.17, 1.0, 0.0])
def test_block_adds_a_linear_projection(make, scale):
    block = make(scale).double().eval()
    x = np.random.default_rng(0).standard_normal((2, 12, 9, 8))
    projected = []
    block.conv2d.register_forward_hook(lambda module, inputs, output: projected.append(output.numpy()))
    y = block(Tensor(x)).numpy()
    assert (projected[0] < 0).any(), "no activation after the 1x1 convolution"
    assert block.conv2d.bias is not None and block.conv2d.kernel_size == (1, 1)
    np.testing.assert_allclose(y, np.maximum(x + scale * projected[0], 0), rtol=1e-12, atol=1e-14)
    block.activation = False
    np.testing.assert_allclose(block(Tensor(x)).numpy(), x + scale * projected[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_last_block_has_scale_1_and_no_relu(name):
    model = models.create(name, stem="cifar", scales=(0.3, 0.2, 0.1), **SHALLOW)
    seen, projected = {}, []
    for key, module in model.named_modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_hook(
                lambda module, inputs, output, key=key: seen.update({key: (inputs[0].numpy(), output.numpy())})
            )
    model.block8.conv2d.register_forward_hook(lambda module, inputs, output: projected.append(output.numpy()))
    answer(model, images(32, 32))
    x, y = seen.pop("block8")
    assert (y < 0).mean() > 0.05
    np.testing.assert_allclose(y, x + projected[0], rtol=1e-5, atol=1e-5)
    assert len(seen) == 4
    assert all((output >= 0).all() for _, output in seen.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", [0, 1, 2])
def test_scales_act_on_their_grid(name, grid):
    """At scale 0 the weights of the branches do not matter."""
    chains = {NAMES[0]: ("repeat_1", "repeat_2", "repeat_3"), NAMES[1]: ("repeat", "repeat_1", "repeat_2")}[name]
    for scale in (0.0, 0.5):
        scales = [0.1, 0.1, 0.1]
        scales[grid] = scale
        model = models.create(name, stem="cifar", scales=scales, **SHALLOW)
        x = images(10, 10)
        before = answer(model, x)
        for block in getattr(model, chains[grid]):
            nn.init.normal_(block.conv2d.weight.detach())
        assert np.array_equal(before, answer(model, x)) == (scale == 0.0)


@pytest.mark.parametrize("blocks", [(5, 10, 5), (2, 3, 4), (1, 1, 1)])
def test_blocks(blocks):
    v1 = inception_resnet_v1(stem="cifar", blocks=blocks, **NARROW)
    v2 = inception_resnet_v2(stem="inception_v4", blocks=blocks, **NARROW)
    assert (len(v1.repeat_1), len(v1.repeat_2), len(v1.repeat_3) + 1) == blocks
    assert (len(v2.repeat), len(v2.repeat_1), len(v2.repeat_2) + 1) == blocks
    assert answer(v1, images(8, 8)).shape == (2, 5)
    assert answer(v2, images(75, 75)).shape == (2, 5)


@pytest.mark.parametrize("make", [inception_resnet_v1, inception_resnet_v2])
def test_wrong_blocks_and_scales(make):
    name = make.__name__
    for blocks in ((1, 1), 3, (1, 1, 1, 1)):
        with pytest.raises(ValueError, match=f"{name}: blocks must be three integers, got"):
            make(blocks=blocks, **NARROW)
    with pytest.raises(ValueError, match=f"{name}: blocks must be at least 1 each, got"):
        make(blocks=(1, 1, 0), **NARROW)
    with pytest.raises(TypeError, match=f"{name}: blocks must be an integer, got 1.5"):
        make(blocks=(1, 1.5, 1), **NARROW)
    for scales in (0.1, (0.1, 0.1)):
        with pytest.raises(ValueError, match=f"{name}: scales must be three numbers, got"):
            make(scales=scales, **NARROW)
    with pytest.raises(TypeError, match=f"{name}: scales must be a real number, got 'a'"):
        make(scales=(0.1, "a", 0.1), **NARROW)


def test_stem_of_inception_v4():
    """The paper's network: its keys and values are those of inception_v4's first six modules, 384 channels follow."""
    model = inception_resnet_v2(stem="inception_v4", blocks=(5, 10, 5))
    for block, channels in ((model.repeat[0], 384), (model.repeat_1[0], 1152), (model.block8, 2144)):
        assert block.conv2d.out_channels == channels
    assert not any(key.startswith(("conv2d_1a", "conv2d_4a", "mixed_5b")) for key in model.state_dict())

    narrow, v4 = inception_resnet_v2(stem="inception_v4", **SHALLOW), inception_v4(**NARROW)
    state = {key.replace("features.", "stem.", 1): value for key, value in v4.features[:6].state_dict().items()}
    assert [f"stem.{key}" for key in state] == [key for key in narrow.state_dict() if key.startswith("stem.")]
    narrow.stem.load_state_dict(state)
    x = images(79, 83)
    np.testing.assert_array_equal(answer(narrow.stem, x), answer(v4.features[:6], x))


def test_embedding():
    model = inception_resnet_v1(classify=False, stem="cifar", **SHALLOW)
    classifier = inception_resnet_v1(stem="cifar", **SHALLOW)
    assert list(model.state_dict()) == list(classifier.state_dict())
    model.load_state_dict(classifier.state_dict())
    features = []
    classifier.last_bn.register_forward_hook(lambda module, inputs, output: features.append(output.numpy()))
    answer(classifier, images(12, 12))
    embedding = answer(model, images(12, 12))
    assert embedding.shape == (2, 64)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(embedding, features[0] / np.linalg.norm(features[0], axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(model.train()(images(12, 12)).numpy(), axis=1), 1, rtol=1e-6)


def test_embedding_has_512_features():
    model = inception_resnet_v1(classify=False, stem="cifar", blocks=(1, 1, 1))
    assert answer(model, images(7, 7)).shape == (2, 512)


def test_unit_length_of_nothing():
    x = Tensor(np.zeros((2, 4)), requires_grad=True)
    y = to_unit_length(x)
    (y * np.arange(8.0).reshape(2, 4)).sum().backward()
    assert not y.numpy().any() and np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", NAMES)
def test_dropout(name):
    """It comes before the last linear layer, in v1 before the embedding."""
    model = models.create(name, stem="cifar", dropout=1.0, **SHALLOW).train()
    last = model.logits if name == NAMES[0] else model.classif
    nn.init.normal_(last.bias.detach())
    np.testing.assert_array_equal(model(images(7, 7)).numpy(), np.broadcast_to(last.bias.numpy(), (2, 5)))
    assert not np.allclose(answer(model, images(7, 7)), last.bias.numpy())


def test_preprocessing_of_the_published_weights():
    v1, v2 = (models.entry(name).preprocessing for name in NAMES)
    assert (v1.resize, v1.crop, v1.mean, v1.std, v1.scale) == (160, 160, (127.5,) * 3, (128.0,) * 3, 1.0)
    assert (v2.resize, v2.crop, v2.mean, v2.std) == (int(299 / 0.8975), 299, (0.5,) * 3, (0.5,) * 3)
    assert v2.interpolation == "bicubic"


def test_repr_tells_the_blocks_apart():
    model = models.inception_resnet_v2(num_classes=2, width=0.05, blocks=(1, 1, 2))
    assert "scale=0.17, activation=True" in repr(model.repeat[0])
    assert "scale=1.0, activation=False" in repr(model.block8)
