"""GoogLeNet in three versions and Inception v2: costs, modules, every option against a short PyTorch computation, least
sizes, initial values."""

import math
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

from minception import Tensor, manual_seed, models, nn, no_grad
from minception.models.auxiliary import GoogLeNetOutputs
from minception.models.blocks import ConvBNReLU
from minception.models.inception_v1 import ConvReLU, Inception, InceptionNaive, inception_modules
from tests.models.equality import random_state
from tests.models.twins import inception_v1_modules as twins

# Native size and channels, parameters, multiply-accumulates.
COSTS = {
    "googlenet": (224, 3, 13_004_888, 1_498_376_192),
    "googlenet_paper": (224, 3, 13_378_280, 1_582_671_872),
    "googlenet_teaching": (96, 1, 5_977_530, 276_066_304),
    "inception_v2": (224, 3, 11_295_240, 2_032_600_064),
}
NAMES = list(COSTS)
WITH_HEADS = ["googlenet", "googlenet_paper"]
LEAST = {
    ("googlenet", "imagenet"): 15,
    ("googlenet", "cifar"): 2,
    ("googlenet_paper", "imagenet"): 31,
    ("googlenet_paper", "cifar"): 4,
    ("googlenet_teaching", "imagenet"): 1,
    ("googlenet_teaching", "cifar"): 1,
    ("inception_v2", "imagenet"): 31,
    ("inception_v2", "cifar"): 4,
}
NARROW = {"num_classes": 5, "width": 0.125, "in_channels": 3}
# What breaks below that.
TOO_SMALL = {"googlenet_teaching": "conv2d: x .* must be at least", "inception_v2": "cat: .* must have the shape"}
# The longer side of rectangles: inception_v2 takes few sizes.
LONGER = {"imagenet": 95, "cifar": 12}


@pytest.fixture(scope="module", params=NAMES)
def network(request):
    """Name and full network; module scope builds each once."""
    manual_seed(0)
    return request.param, models.create(request.param)


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


def shapes_of(name, **options):
    with nn.init.skip_init():
        return shapes(models.create(name, **options))


# What the networks cost


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


# Modules


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


# Whole networks against PyTorch


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


def test_eps(network):
    name, model = network
    expected = {"googlenet": {1e-3}, "inception_v2": {1e-5}}.get(name, set())
    assert {module.eps for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == expected


# Sizes


def sizes_reaching(model, x, names):
    """Height and width of what reaches each of the named modules in evaluation."""
    seen = {}
    modules = dict(model.named_modules())
    for name in names:
        modules[name].register_forward_pre_hook(lambda module, args, name=name: seen.update({name: args[0].shape[2:]}))
    evaluate(model, x)
    return [seen[name] for name in names]


@pytest.mark.parametrize("name", NAMES)
def test_grids(name):
    pattern = "inception_{}_1x1" if name == "inception_v2" else "inception{}"
    names = [pattern.format(module) for module in ("3a", "4a", "5a")]
    size = COSTS[name][0]
    native = sizes_reaching(models.create(name, **NARROW), images(size, size), names)
    assert native == [(size // 8,) * 2, (size // 16,) * 2, (size // 32,) * 2]
    small = sizes_reaching(models.create(name, stem="cifar", **NARROW), images(32, 32), names)
    assert small == [(32, 32), (16, 16), (8, 8)]


@pytest.mark.parametrize(("name", "stem"), LEAST)
def test_least_size(name, stem, monkeypatch):
    least, longer = LEAST[name, stem], LONGER[stem]
    model = models.create(name, stem=stem, **NARROW)
    for training in (True, False):
        for size in ((least, least), (least, longer), (longer, least)):
            logits = logits_of(model.train(training)(images(*size)))
            assert logits.shape == (3, 5) and np.isfinite(logits.numpy()).all()
    below = [(least - 1, longer), (longer, least - 1)]
    for size in below:
        words = f"{name}: images must have at least {least}x{least} pixels, got {size[0]}x{size[1]}"
        with pytest.raises(ValueError, match=words):
            model(images(*size))
    # The checks are no stricter than the network is.
    module = import_module(f"minception.models.{name}")
    monkeypatch.setattr(module, "check_images", lambda *arguments, **least_size: None)
    if name == "inception_v2":
        monkeypatch.setattr(module.InceptionV2, "check_sizes", lambda *arguments: None)
    for size in below:
        with pytest.raises(ValueError, match=TOO_SMALL.get(name, "max_pool2d: .* does not fit")):
            evaluate(model, images(*size))


@pytest.mark.parametrize(("stem", "sizes"), [("imagenet", range(31, 104)), ("cifar", range(4, 17))])
def test_sizes_of_inception_v2(stem, sizes, monkeypatch):
    """It takes every size at which its branches agree, and no other."""
    model = models.inception_v2(stem=stem, num_classes=5, width=0.01).eval()

    def taken():
        for size in sizes:
            try:
                evaluate(model, images(size, LONGER[stem]))
            except ValueError as error:
                yield size, str(error)

    refused = dict(taken())
    expected = [size for size in sizes if ((size + 1) // 8 if stem == "imagenet" else size) % 4]
    assert list(refused) == expected
    for size, words in refused.items():
        assert words.startswith("inception_v2: the branches of its strided modules fit images only where")
        assert words.endswith(f"got {size}x{LONGER[stem]} pixels")
    monkeypatch.setattr(type(model), "check_sizes", lambda *arguments: None)
    assert list(dict(taken())) == expected


def test_inception_v2_refuses_299():
    with pytest.raises(ValueError, match=r"\(size \+ 1\) // 8 is a multiple of 4, such as 224, got 299x299 pixels"):
        models.inception_v2(**NARROW)(images(299, 299))


@pytest.mark.parametrize("name", NAMES)
def test_wrong_images(name):
    model = models.create(name, stem="cifar", **NARROW)
    with pytest.raises(ValueError, match=rf"{name}: images must have shape \(N, 3, H, W\)"):
        model(images(32, 32, channels=1))
    with pytest.raises(TypeError, match=f"{name}: images must be a Tensor"):
        model(np.zeros((1, 3, 32, 32), np.float32))


# Small images, widths, names


@pytest.mark.parametrize("name", NAMES)
def test_small_images(name):
    model = models.create(name, num_classes=7, stem="cifar", width=0.25, in_channels=3)
    x = images(32, 32)
    outputs = model(x)
    assert isinstance(outputs, GoogLeNetOutputs) == (name in WITH_HEADS)
    for logits in outputs if name in WITH_HEADS else [outputs]:
        assert logits.shape == (3, 7) and logits.dtype == np.float32 and np.isfinite(logits.numpy()).all()
    logits = evaluate(model, x)
    assert isinstance(logits, Tensor) and logits.shape == (3, 7) and np.isfinite(logits.numpy()).all()


@pytest.mark.parametrize("name", NAMES)
def test_stem_cifar_changes_only_the_stem(name):
    """The googlenets lose conv2 and conv3, and conv1 becomes a 3x3 convolution as wide as conv3 was; inception_v2 keeps
    everything."""
    small, full = (shapes_of(name, stem=stem) for stem in ("cifar", "imagenet"))
    if name != "inception_v2":
        assert small["conv1.conv.weight"] == (192, COSTS[name][1], 3, 3)
        stem = [key for key in full if key.startswith(("conv1.", "conv2.", "conv3."))]
        assert [key for key in small if key in stem] == [key for key in stem if key.startswith("conv1.")]
        small, full = ({key: shape for key, shape in s.items() if key not in stem} for s in (small, full))
    assert list(small.items()) == list(full.items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [0.01, 0.3, 0.55])
def test_any_width_fits_together(name, width):
    for stem in ("imagenet", "cifar"):
        model = models.create(name, num_classes=5, in_channels=2, stem=stem, width=width)
        assert logits_of(model(images(32, 32, channels=2))).shape == (3, 5)
        inner = [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)]
        inner += [m.out_features for m in model.modules() if isinstance(m, nn.Linear) and m.out_features != 5]
        assert all(count % 8 == 0 for count in inner)


def test_names_of_the_versions():
    """Batch norm's bias stands where the convolution's is in the other versions."""
    published, paper, teaching = (shapes_of(name, num_classes=10) for name in NAMES[:3])
    renamed = [
        key.replace(".bn.bias", ".conv.bias")
        for key in published
        if not key.endswith((".bn.weight", "running_mean", "running_var", "num_batches_tracked"))
    ]
    assert list(paper) == renamed
    assert list(teaching) == [key for key in paper if not key.startswith("aux")]
    differing = {key for key in teaching if teaching[key] != paper[key]}
    assert differing == {"conv1.conv.weight"} and teaching["conv1.conv.weight"] == (64, 1, 7, 7)
    narrower = {key for key in paper if published.get(key, paper[key]) != paper[key]}
    assert narrower == {f"inception{name}.branch3.1.conv.weight" for name in "3a 3b 4a 4b 4c 4d 4e 5a 5b".split()}
    assert {paper[key][2:] for key in narrower} == {(5, 5)} and {published[key][2:] for key in narrower} == {(3, 3)}


@pytest.mark.parametrize("in_channels", [1, 3])
def test_separable_stem(in_channels):
    plain, separable = (
        shapes_of("inception_v2", in_channels=in_channels, separable_stem=separable) for separable in (False, True)
    )
    assert [key for key in plain if key not in separable] == ["conv1_7x7_s2.weight", "conv1_7x7_s2.bias"]
    assert list(separable.items())[:3] == [
        ("conv1_7x7_s2.depthwise.weight", (8 * in_channels, 1, 7, 7)),
        ("conv1_7x7_s2.pointwise.weight", (64, 8 * in_channels, 1, 1)),
        ("conv1_7x7_s2.pointwise.bias", (64,)),
    ]
    assert list(separable.items())[3:] == list(plain.items())[2:]


@pytest.mark.parametrize("name", NAMES)
def test_stems_are_named(name):
    with pytest.raises(ValueError, match=f"{name}: stem must be one of 'imagenet', 'cifar', got 'small'"):
        models.create(name, stem="small")


# Heads, dropout, units of the input


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


# Initial values


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


# What the registry says


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
