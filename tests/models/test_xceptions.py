"""Xception and its relatives: costs, every option against a short PyTorch computation, least sizes, initial weights."""

import importlib
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

from minception import Tensor, manual_seed, models, nn

# At 299x299: parameters, multiply-accumulates, eps of batch norm.
COSTS = {
    "xception": (22_855_952, 8_357_403_496, 1e-5),
    "xception41": (26_969_560, 9_204_134_312, 1e-3),
    "xception65": (39_916_312, 13_852_682_216, 1e-3),
    "xception71": (42_338_736, 17_946_553_928, 1e-3),
}
NAMES = list(COSTS)
NARROW = {"num_classes": 5, "width": 0.05}


@pytest.fixture(scope="module", params=NAMES)
def network(request):
    """Name and full network; module scope builds each once."""
    manual_seed(0)
    return request.param, models.create(request.param)


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def batch_norms(model):
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def convolutions(model):
    return {k: m for k, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.DepthwiseConv2d))}


# What the networks are


def test_costs(network):
    name, model = network
    parameters, macs, eps = COSTS[name]
    assert models.count_parameters(model) == parameters
    assert models.count_multiply_accumulates(model, 299) == macs
    assert {bn.eps for bn in batch_norms(model)} == {eps}


def test_first_block_of_xception_has_no_leading_relu():
    state = models.xception(**NARROW).state_dict()

    def indices(block):
        return sorted({int(key.split(".")[2]) for key in state if key.startswith(f"{block}.rep.")})

    assert indices("block1") == [0, 1, 3, 4]
    assert indices("block2") == indices("block12") == [1, 2, 4, 5]
    assert indices("block4") == indices("block11") == [1, 2, 4, 5, 7, 8]


def test_skips_of_deeplab():
    """A convolution where the entry flow or the exit changes the image, also where a narrow network has equal
    channels on both ends; nothing in the last module."""
    for name, projecting, count in [("xception41", [0, 1, 2], 13), ("xception71", [0, 1, 2, 3, 4], 23)]:
        blocks = models.create(name, num_classes=5, width=0.01).blocks
        assert len(blocks) == count
        assert [block.skip for block in blocks[len(projecting) : -2]] == ["sum"] * (count - 2 - len(projecting))
        found = [i for i, block in enumerate(blocks) if any("shortcut" in k for k in block.state_dict())]
        assert found == [*projecting, count - 2]
        assert blocks[-1].skip == "none"


@pytest.mark.parametrize("name", NAMES)
def test_small_images(name):
    """32x32 pixels reach the first module, 2x2 the last, in training and in evaluation."""
    model = models.create(name, stem="cifar", **NARROW)
    full = models.create(name, **NARROW)
    assert {k: v.shape for k, v in model.state_dict().items()} == {k: v.shape for k, v in full.state_dict().items()}
    first, last = (model.block1, model.conv4) if name == "xception" else (model.blocks[0], model.blocks[-1])
    sizes = []
    for module in (first, last):
        module.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[2:]))
    images = Tensor(normal(3, 3, 32, 32, dtype=np.float32))
    for training in (True, False):
        logits = model.train(training)(images)
        assert logits.shape == (3, 5) and np.isfinite(logits.numpy()).all()
    assert sizes == [(32, 32), (2, 2)] * 2


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_before_the_classifier_in_training_only(name):
    model = models.create(name, dropout=1.0, stem="cifar", **NARROW)
    images = Tensor(normal(2, 3, 8, 8, dtype=np.float32))
    bias = (model.fc if name == "xception" else model.head.fc).bias.numpy()
    np.testing.assert_array_equal(model(images).numpy(), np.stack([bias, bias]))
    assert np.abs(model.eval()(images).numpy() - bias).max() > 0


@pytest.mark.parametrize(
    ("name", "stem", "least"),
    [("xception", "imagenet", 7), ("xception", "cifar", 1), ("xception41", "imagenet", 1), ("xception71", "cifar", 1)],
)
def test_least_size(name, stem, least, monkeypatch):
    model = models.create(name, stem=stem, **NARROW)
    for training in (True, False):
        logits = model.train(training)(Tensor(normal(2, 3, least, least + 3, dtype=np.float32)))
        assert np.isfinite(logits.numpy()).all()
    below = Tensor(np.zeros((2, 3, least + 3, least - 1), np.float32))
    with pytest.raises(ValueError, match=f"{name}: images must have at least {least}x{least} pixels"):
        model(below)
    module = importlib.import_module(type(model).__module__)
    monkeypatch.setattr(module, "check_images", lambda *arguments, **least_size: None)
    with pytest.raises(ValueError, match="2d"):  # some kernel's own complaint
        model(below)


# Options of Xception against PyTorch


def torch_same_pool(x):
    """TensorFlow's rule: as many windows as ceil(size / stride), the padding they need split, its larger half after."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
        pads += [total // 2, total - total // 2]
    return TF.max_pool2d(TF.pad(x, pads, value=float("-inf")), 3, stride=2)


def torch_xception(
    state,
    x,
    training,
    stem="cifar",
    between=None,
    residual=True,
    order="depthwise_first",
    eps=1e-5,
    same_pooling=False,
):
    """Figure 5 of Chollet 2017 with the parameters `state`."""
    activation = {None: lambda t: t, "relu": torch.relu, "elu": TF.elu}[between]
    stride, padding = (2, 0) if stem == "imagenet" else (1, 1)

    def norm(x, name):
        mean, var = state[f"{name}.running_mean"].clone(), state[f"{name}.running_var"].clone()
        return TF.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], training, eps=eps)

    def depthwise(x, name):
        return TF.conv2d(x, state[f"{name}.conv1.weight"], padding=1, groups=x.shape[1])

    def separable(x, name):
        if order == "pointwise_first":
            return depthwise(activation(TF.conv2d(x, state[f"{name}.pointwise.weight"])), name)
        return TF.conv2d(activation(depthwise(x, name)), state[f"{name}.pointwise.weight"])

    def block(x, number):
        count, halve = (3, False) if 4 <= number <= 11 else (2, True)
        y = x
        for step in range(count):
            if number > 1 or step > 0:
                y = torch.relu(y)
            index = 3 * step + (number > 1)
            y = norm(separable(y, f"block{number}.rep.{index}"), f"block{number}.rep.{index + 1}")
        if halve:
            y = torch_same_pool(y) if same_pooling else TF.max_pool2d(y, 3, stride=2, padding=1)
        if not residual:
            return y
        if halve:
            x = norm(TF.conv2d(x, state[f"block{number}.skip.weight"], stride=2), f"block{number}.skipbn")
        return y + x

    x = torch.relu(norm(TF.conv2d(x, state["conv1.weight"], stride=stride, padding=padding), "bn1"))
    x = torch.relu(norm(TF.conv2d(x, state["conv2.weight"], padding=padding), "bn2"))
    for number in range(1, 13):
        x = block(x, number)
    x = torch.relu(norm(separable(x, "conv3"), "bn3"))
    x = torch.relu(norm(separable(x, "conv4"), "bn4"))
    return TF.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


OPTIONS = [
    {},
    {"stem": "imagenet"},
    {"between": "relu"},
    {"between": "elu"},
    {"residual": False},
    {"order": "pointwise_first"},
    {"order": "pointwise_first", "between": "elu", "residual": False},
    {"same_pooling": True, "eps": 1e-3},
    {"eps": 0.5},
]


def without_special_values(state):
    """Every array of a state_dict drawn anew, so that no scale is 1, no shift 0 and no mean 0."""
    rng = np.random.default_rng(3)
    for name, array in state.items():
        if array.ndim > 1:
            state[name] = rng.standard_normal(array.shape) * np.sqrt(2 / np.prod(array.shape[1:]))
        elif array.ndim == 1:
            positive = name.endswith(("running_var", ".weight"))
            state[name] = rng.uniform(0.5, 1.5, array.shape) if positive else 0.1 * rng.standard_normal(array.shape)
    return state


@pytest.mark.parametrize("size", [(36, 52), (33, 41), (34, 43)], ids=["even", "odd", "both"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_against_torch(options, size):
    """Evaluation, training and the images' gradient; the pools meet even and odd sides (36, 18, 9, 5; 33, 17, 9, 5)."""
    model = models.xception(**{"stem": "cifar", "dropout": 0.0, **NARROW, **options}).double()
    model.load_state_dict(without_special_values(model.state_dict()))
    state = {name: torch.tensor(array) for name, array in model.state_dict().items()}
    images, cotangent = normal(3, 3, *size), normal(3, 5, seed=1)
    x, our_x = torch.tensor(images, requires_grad=True), Tensor(images, requires_grad=True)
    evaluated = torch_xception(state, x, training=False, **options)
    trained = torch_xception(state, x, training=True, **options)
    trained.backward(torch.tensor(cotangent))
    our_evaluated, our_trained = model.eval()(our_x), model.train()(our_x)
    our_trained.backward(Tensor(cotangent))
    for actual, expected in [(our_evaluated, evaluated), (our_trained, trained), (our_x.grad, x.grad)]:
        expected = expected.detach().numpy()
        np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_options_change_only_the_keys_that_they_say():
    plain = models.xception(**NARROW).state_dict()
    for options in OPTIONS:
        state = models.xception(**NARROW, **options).state_dict()
        skips = [key for key in plain if ".skip" in key] if options.get("residual") is False else []
        assert list(state) == [key for key in plain if key not in skips]
        widens = options.get("order") == "pointwise_first"
        assert state["conv3.conv1.weight"].shape[0] == state["conv3.pointwise.weight"].shape[0 if widens else 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"between": "gelu"}, "xception: between must be one of None, 'relu', 'elu', got 'gelu'"),
        ({"order": "both"}, "xception: order must be one of 'depthwise_first', 'pointwise_first', got 'both'"),
        ({"stem": "none"}, "xception: stem must be one of 'imagenet', 'cifar', got 'none'"),
    ],
)
def test_unknown_options(options, words):
    with pytest.raises(ValueError, match=words):
        models.xception(**NARROW, **options)


# The spectrum between convolution and separable convolution


@pytest.mark.parametrize(("segments", "kernel"), [*product([1, 2, 3, 6, 12], [3]), (3, (1, 5)), (4, 5)])
def test_segments_are_convolutions_side_by_side(segments, kernel):
    """Figure 2 from figure 3: each segment is a tower, a 1x1 convolution and a spatial convolution of its own."""
    model = models.SegmentedInception(5, 12, segments, kernel).double()
    images = normal(2, 5, 7, 6)
    pointwise = torch.tensor(model.pointwise.weight.numpy()).split(12 // segments)
    spatial = torch.tensor(model.spatial.weight.numpy()).split(12 // segments)
    towers = [
        TF.conv2d(TF.conv2d(torch.tensor(images), first), second, padding="same")
        for first, second in zip(pointwise, spatial, strict=True)
    ]
    expected = torch.cat(towers, 1).numpy()
    np.testing.assert_allclose(model(Tensor(images)).numpy(), expected, rtol=0, atol=1e-13)


def test_the_ends_of_the_spectrum():
    images = Tensor(normal(2, 5, 7, 6))
    for segments, end in [(1, nn.Conv2d(8, 8, 3, padding=1)), (8, nn.DepthwiseConv2d(8, 3, padding=1))]:
        model = models.SegmentedInception(5, 8, segments).double()
        end.double().load_state_dict({"weight": model.spatial.weight, "bias": np.zeros(8)})
        np.testing.assert_array_equal(model(images).numpy(), end(model.pointwise(images)).numpy())


def test_parameters_along_the_spectrum():
    counts = [models.count_parameters(models.SegmentedInception(5, 12, n)) for n in (1, 2, 3, 4, 6, 12)]
    assert counts == [60 + 9 * 12 * 12 // n for n in (1, 2, 3, 4, 6, 12)]
    assert models.count_parameters(models.SegmentedInception(5, 12, 12)) == 60 + 9 * 12


@pytest.mark.parametrize("segments", [0, -1, 5, 24])
def test_segments_that_do_not_divide(segments):
    words = f"SegmentedInception: segments must be a positive divisor of out_channels = 12, got {segments}"
    with pytest.raises(ValueError, match=words):
        models.SegmentedInception(5, 12, segments)


def test_segments_are_whole():
    with pytest.raises(TypeError, match=r"SegmentedInception: segments must be an integer, got 1\.5"):
        models.SegmentedInception(5, 12, 1.5)


# Initial weights


def test_initial_weights(network):
    """timm's: He normal by fan out, where every output channel of a depthwise convolution counts. DeepLab's: normal
    with deviation 0.09, cut off at twice that, which leaves 0.880 of the deviation."""
    name, model = network
    for key, layer in convolutions(model).items():
        weight = layer.weight.numpy()
        fan_out = weight.shape[0] * weight.shape[2] * weight.shape[3]
        expected = np.sqrt(2 / fan_out) if name == "xception" else 0.8796 * 0.09
        noise = expected / np.sqrt(weight.size)
        assert abs(weight.mean()) < 5 * noise and abs(weight.std() - expected) < 5 * noise, key
        if name != "xception":
            assert 0.17 < np.abs(weight).max() <= 0.18, key
    for bn in batch_norms(model):
        assert (bn.weight.numpy() == 1).all() and (bn.bias.numpy() == 0).all()
    fc = model.fc if name == "xception" else model.head.fc
    if name == "xception":  # PyTorch's default
        assert 0.99 < np.abs(fc.weight.numpy()).max() * np.sqrt(2048) <= 1 + 1e-6
    else:
        assert (fc.bias.numpy() == 0).all() and abs(fc.weight.numpy().std() - 0.8796 * 0.09) < 1e-3
