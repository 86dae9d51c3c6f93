"""LeNet-5, AlexNet, Network in Network, VGG-16, ResNet-18: costs, names, small images, least sizes, initial weights."""

import importlib
import math

import numpy as np
import pytest

from minception import Tensor, manual_seed, models, nn

# At the native size: parameters, which are torchvision's where it has the network, and multiply-accumulates.
COSTS = {
    "alexnet": (61_100_840, 714_188_480),
    "lenet5": (61_706, 416_520),
    "nin": (7_595_176, 969_460_864),
    "resnet18": (11_689_512, 1_814_073_344),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg16_bn": (138_365_992, 15_470_264_320),
}
NAMES = list(COSTS)


@pytest.fixture(scope="module", params=NAMES)
def network(request):
    """Name and full network; module scope builds each once."""
    manual_seed(0)
    return request.param, models.create(request.param)


def narrow(name, **options):
    return models.create(name, num_classes=5, width=0.1, **options)


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def layers(model, *kinds):
    return [module for module in model.modules() if isinstance(module, kinds)]


# What the networks are


def test_costs(network):
    name, model = network
    entry = models.entry(name)
    assert models.count_parameters(model) == COSTS[name][0]
    assert models.count_multiply_accumulates(model, entry.input_size, entry.in_channels) == COSTS[name][1]


def test_costs_of_lenet_and_nin_by_hand():
    """Each layer as (inputs of one output, outputs at one pixel, pixels)."""
    lenet = [(25, 6, 28 * 28), (6 * 25, 16, 10 * 10), (16 * 25, 120, 1), (120, 84, 1), (84, 10, 1)]
    nin = [
        *((3 * 121, 96, 54 * 54), (96, 96, 54 * 54), (96, 96, 54 * 54)),
        *((96 * 25, 256, 26 * 26), (256, 256, 26 * 26), (256, 256, 26 * 26)),
        *((256 * 9, 384, 12 * 12), (384, 384, 12 * 12), (384, 384, 12 * 12)),
        *((384 * 9, 1024, 5 * 5), (1024, 1024, 5 * 5), (1024, 1000, 5 * 5)),
    ]
    for name, shapes in [("lenet5", lenet), ("nin", nin)]:
        parameters = sum((inputs + 1) * outputs for inputs, outputs, _ in shapes)
        macs = sum(inputs * outputs * pixels for inputs, outputs, pixels in shapes)
        assert (parameters, macs) == COSTS[name]


def test_costs_of_nin_for_cifar():
    model = models.nin(num_classes=10, stem="cifar")
    assert models.count_parameters(model) == 966_986
    pixels = [32 * 32] * 3 + [16 * 16] * 3 + [8 * 8] * 3
    weights = [layer.weight.numel() for layer in layers(model, nn.Conv2d)]
    assert models.count_multiply_accumulates(model, 32) == np.dot(pixels, weights)


def conv(name, outputs, inputs, size):
    return {f"{name}.weight": (outputs, inputs, size, size), f"{name}.bias": (outputs,)}


def linear(name, outputs, inputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def batch_norm(name, channels):
    vectors = {f"{name}.{key}": (channels,) for key in ("weight", "bias", "running_mean", "running_var")}
    return vectors | {f"{name}.num_batches_tracked": ()}


def vgg_keys(positions, norms):
    """`positions` are those of the convolutions in `features`; with `norms`, a batch norm follows each."""
    channels = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    keys = {}
    for position, before, after in zip(positions, [3, *channels], channels, strict=False):
        keys |= conv(f"features.{position}", after, before, 3)
        if norms:
            keys |= batch_norm(f"features.{position + 1}", after)
    keys |= linear("classifier.0", 4096, 512 * 7 * 7) | linear("classifier.3", 4096, 4096)
    return keys | linear("classifier.6", 1000, 4096)


def resnet_keys():
    def plain(name, outputs, inputs, size):
        return {f"{name}.weight": (outputs, inputs, size, size)}

    keys = plain("conv1", 64, 3, 7) | batch_norm("bn1", 64)
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            halves = stage > 1 and block == 0
            keys |= plain(f"{name}.conv1", channels, channels // 2 if halves else channels, 3)
            keys |= batch_norm(f"{name}.bn1", channels)
            keys |= plain(f"{name}.conv2", channels, channels, 3) | batch_norm(f"{name}.bn2", channels)
            if halves:
                keys |= plain(f"{name}.downsample.0", channels, channels // 2, 1)
                keys |= batch_norm(f"{name}.downsample.1", channels)
    return keys | linear("fc", 1000, 512)


def nin_keys():
    keys, before = {}, 3
    groups = [(0, 96, 96, 11), (7, 256, 256, 5), (14, 384, 384, 3), (22, 1024, 1000, 3)]
    for position, width, last, size in groups:
        keys |= conv(f"features.{position}", width, before, size)
        keys |= conv(f"features.{position + 2}", width, width, 1) | conv(f"features.{position + 4}", last, width, 1)
        before = last
    return keys


KEYS = {
    "alexnet": {
        **conv("features.0", 64, 3, 11),
        **conv("features.3", 192, 64, 5),
        **conv("features.6", 384, 192, 3),
        **conv("features.8", 256, 384, 3),
        **conv("features.10", 256, 256, 3),
        **linear("classifier.1", 4096, 256 * 6 * 6),
        **linear("classifier.4", 4096, 4096),
        **linear("classifier.6", 1000, 4096),
    },
    "lenet5": {
        **conv("conv1", 6, 1, 5),
        **conv("conv2", 16, 6, 5),
        **conv("conv3", 120, 16, 5),
        **linear("fc1", 84, 120),
        **linear("fc2", 10, 84),
    },
    "nin": nin_keys(),
    "resnet18": resnet_keys(),
    "vgg16": vgg_keys([0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28], norms=False),
    "vgg16_bn": vgg_keys([0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40], norms=True),
}


def test_names_and_shapes(network):
    """Those of torchvision, in its order, where it has the network."""
    name, model = network
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    assert {key: tensors[key].shape for key in tensors} == KEYS[name]
    assert list(narrow(name).state_dict()) == list(KEYS[name])
    assert {bn.eps for bn in layers(model, nn.BatchNorm2d)} <= {1e-5}


# How they run


@pytest.mark.parametrize(
    ("name", "watched", "sizes"),
    [  # sizes of what the watched modules are given
        ("alexnet", ["features.3", "features.6", "avgpool"], [32, 15, 7]),
        ("lenet5", ["conv2", "conv3"], [14, 5]),
        ("nin", ["features.8", "features.16"], [16, 8]),
        ("resnet18", ["layer1", "layer2", "layer3", "layer4"], [32, 32, 16, 8]),
        ("vgg16", ["features.0", "avgpool"], [32, 1]),
        ("vgg16_bn", ["features.0", "avgpool"], [32, 1]),
    ],
)
def test_small_images(name, watched, sizes):
    model = narrow(name, stem="cifar", in_channels=3)
    modules = dict(model.named_modules())
    seen = []
    for path in watched:
        modules[path].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[2:]))
    images = Tensor(normal(3, 3, 32, 32))
    for training in (True, False):
        logits = model.train(training)(images)
        assert logits.shape == (3, 5) and np.isfinite(logits.numpy()).all()
    assert seen == [(size, size) for size in sizes] * 2


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nin"])
def test_stems_have_the_same_names(name):
    assert list(narrow(name, stem="cifar").state_dict()) == list(narrow(name).state_dict())


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn"])
def test_classifier_of_vgg_for_cifar(name):
    shapes = [layer.weight.shape for layer in layers(models.create(name, num_classes=10, stem="cifar"), nn.Linear)]
    assert shapes == [(512, 512), (512, 512), (10, 512)]


@pytest.mark.parametrize(
    ("name", "stem", "least"),
    [
        ("alexnet", "imagenet", 63),
        ("alexnet", "cifar", 7),
        ("lenet5", "imagenet", 32),
        ("lenet5", "cifar", 32),
        ("nin", "imagenet", 67),
        ("nin", "cifar", 1),
        ("resnet18", "imagenet", 1),
        ("resnet18", "cifar", 1),
        ("vgg16", "imagenet", 32),
        ("vgg16_bn", "cifar", 32),
    ],
)
def test_least_size(name, stem, least, monkeypatch):
    model = narrow(name, stem=stem, in_channels=3)
    for training in (True, False):
        logits = model.train(training)(Tensor(normal(2, 3, least, least + 9)))
        assert np.isfinite(logits.numpy()).all()
    below = Tensor(np.zeros((2, 3, least + 9, least - 1), np.float32))
    with pytest.raises(ValueError, match=f"{name}: images must have at least {least}x{least} pixels"):
        model(below)
    module = importlib.import_module(type(model).__module__)
    monkeypatch.setattr(module, "check_images", lambda *arguments, **least_size: None)
    with pytest.raises(ValueError, match="2d"):  # some kernel's own complaint
        model(below)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_images(name):
    with pytest.raises(ValueError, match=rf"{name}: images must have shape \(N, 4, H, W\), got \(1, 3, 99, 99\)"):
        narrow(name, in_channels=4)(Tensor(np.zeros((1, 3, 99, 99), np.float32)))


def test_lenet_averages_over_larger_images():
    """40x40 pixels give C5 3x3 positions; where they all look alike their mean is each of them."""
    model = models.lenet5().double().eval()
    repeated = np.tile(normal(1, 1, 4, 4, dtype=np.float64), (1, 1, 10, 10))
    small, large = model(Tensor(repeated[:, :, :32, :32])), model(Tensor(repeated))
    np.testing.assert_allclose(large.numpy(), small.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "stem", "count"),
    [("alexnet", "imagenet", 2), ("nin", "imagenet", 1), ("nin", "cifar", 2), ("vgg16", "imagenet", 2)],
)
def test_dropout_acts_in_training_only(name, stem, count):
    model = narrow(name, stem=stem, dropout=1.0)
    assert [layer.p for layer in layers(model, nn.Dropout)] == [1.0] * count
    images = Tensor(normal(2, 3, 67, 67))
    nothing, logits = model(images).numpy(), model.eval()(images).numpy()
    assert (nothing[0] == nothing[1]).all() and (logits[0] != logits[1]).any()


# Initial weights


def assert_normal(weight, std, what):
    noise = std / np.sqrt(weight.size)
    assert abs(weight.mean()) < 5 * noise and abs(weight.std() - std) < 5 * noise, what
    assert np.abs(weight).max() > 2.5 * std, f"{what}: not normal"


def assert_default(layer):
    """PyTorch's: weight and bias uniform on +-1 / sqrt(fan in)."""
    bound = 1 / math.sqrt(math.prod(layer.weight.shape[1:]))
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert np.abs(values).max() <= bound * (1 + 1e-6)
        assert abs(values.std() - bound / math.sqrt(3)) < 3 * bound / math.sqrt(values.size)


def test_initial_weights(network):
    name, model = network
    for layer in layers(model, nn.Conv2d):
        if name in ("alexnet", "lenet5"):
            assert_default(layer)
        elif name in ("resnet18", "vgg16", "vgg16_bn"):
            outputs, _, height, width = layer.weight.shape
            assert_normal(layer.weight.numpy(), math.sqrt(2 / (outputs * height * width)), name)
    for layer in layers(model, nn.Linear):
        if name.startswith("vgg"):
            assert_normal(layer.weight.numpy(), 0.01, name)
        else:
            assert_default(layer)
    if name.startswith(("vgg", "nin")):
        assert all((layer.bias.numpy() == 0).all() for layer in layers(model, nn.Conv2d, nn.Linear))
    for layer in layers(model, nn.BatchNorm2d):
        assert (layer.weight.numpy() == 1).all() and (layer.bias.numpy() == 0).all()


def test_initial_weights_of_nin():
    """The authors' deviations; in a narrower network larger, so that sums of fewer terms keep their variance."""
    manual_seed(0)
    stds = [0.01, 0.05, 0.05, 0.05, 0.05, 0.05, 0.01, 0.05, 0.05, 0.05, 0.05, 0.01]
    for width, factor in [(1.0, 1.0), (0.25, 2.0)]:
        for index, layer in enumerate(layers(models.nin(width=width), nn.Conv2d)):
            assert_normal(layer.weight.numpy(), stds[index] * (factor if index else 1.0), (width, index))
    for index, layer in enumerate(layers(models.nin(stem="cifar"), nn.Conv2d)):
        assert_normal(layer.weight.numpy(), 0.05, index)
