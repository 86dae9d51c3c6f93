"""GoogLeNet in three versions and Inception v2: grids, least sizes, images that do not fit, small images, widths."""

from importlib import import_module

import numpy as np
import pytest

from minception import Tensor, models, nn
from minception.models.auxiliary import GoogLeNetOutputs
from tests.models.googlenet_family import COSTS, NAMES, NARROW, WITH_HEADS, evaluate, images, logits_of, shapes

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
TOO_SMALL = {"googlenet_teaching": "conv2d: x .* must be at least", "inception_v2": "cat: .* must have the shape"}
LONGER = {"imagenet": 95, "cifar": 12}


def shapes_of(name, **options):
    with nn.init.skip_init():
        return shapes(models.create(name, **options))


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
