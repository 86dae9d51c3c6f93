"""`Module.fuse`: the same results from fewer passes over memory, in a copy, and only where nobody can tell."""

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import models, nn
from minception.nn.fuse import FusedConv2d

NORMS = (nn.BatchNorm2d, nn.BatchNormReLU2d)


def randomize(model, seed=0):
    """Statistics, scales of both signs and shifts as after training, so that a mistake in folding shows."""
    rng = np.random.default_rng(seed)
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith("running_var"):
            state[name] = rng.uniform(0.5, 2, value.shape)
        elif name.endswith("running_mean"):
            state[name] = rng.normal(0, 0.3, value.shape)
        elif value.ndim == 1 and value.dtype.kind == "f":
            state[name] = value + rng.normal(0, 0.4, value.shape) * np.where(rng.random(value.shape) < 0.1, -3, 1)
    model.load_state_dict({name: np.asarray(value) for name, value in state.items()})
    return model.eval()


def images(size=16, channels=3, batch=2, dtype=np.float32):
    return mc.Tensor(np.random.default_rng(1).standard_normal((batch, channels, size, size)).astype(dtype))


def outputs(model, x):
    with mc.no_grad():
        found = model(x)
    return found.numpy() if isinstance(found, mc.Tensor) else found


def count(model, kinds):
    return sum(type(module) in kinds for module in model.modules())


def assert_same(model, fused, x, tolerance=1e-12):
    expected = outputs(model, x)
    np.testing.assert_allclose(outputs(fused, x), expected, rtol=0, atol=tolerance * abs(expected).max())


class Chain(nn.Module):
    """A convolution, a batch norm and a ReLU, the ways that networks write them."""

    def __init__(self, norm=nn.BatchNorm2d, layer=True, convolution=None, **options):
        super().__init__()
        self.conv = convolution or nn.Conv2d(3, 8, 3, padding=1)
        self.bn = norm(8, **options)
        self.relu = nn.ReLU() if layer else None

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu(x) if self.relu is None else self.relu(x)


SIZES = {"lenet5": 32, "alexnet": 63, "googlenet_teaching": 96, "googlenet_paper": 64, "xception71": 64}


@pytest.mark.parametrize("name", models.names())
def test_networks(name):
    channels = 1 if name in ("lenet5", "googlenet_teaching") else 3
    mc.manual_seed(0)
    options = {} if name in ("mini_inception", "mini_xception", "lenet5") else {"num_classes": 10}
    model = randomize(models.create(name, **options)).double()
    fused = model.fuse()
    size = SIZES.get(name, 96)
    assert_same(model, fused, images(size, channels, 1, np.float64), 1e-10)
    assert count(fused, (FusedConv2d,)) > 0


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("layer", [True, False])
def test_chain_becomes_one_convolution(norm, layer):
    model = randomize(Chain(norm, layer).double())
    fused = model.fuse()
    assert count(fused, NORMS) == 0 and count(fused, (FusedConv2d,)) == 1
    assert count(fused, (nn.ReLU,)) == int(layer and norm is nn.BatchNormReLU2d)
    for size in (16, 5):
        assert_same(model, fused, images(size, dtype=np.float64))


@pytest.mark.parametrize(
    "convolution",
    [nn.Conv2d(3, 8, (3, 1), 2, (1, 0), bias=False), nn.Conv2d(3, 8, 3, dilation=2), nn.Conv2d(4, 8, 1, groups=4)],
)
def test_all_kinds_of_convolutions(convolution):
    model = randomize(Chain(convolution=convolution).double())
    x = images(9, convolution.in_channels, dtype=np.float64)
    fused = model.fuse(x)
    assert count(fused, NORMS) == 0
    assert_same(model, fused, x)


def test_depthwise():
    model = randomize(nn.Sequential(nn.DepthwiseConv2d(8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()).double())
    fused = model.fuse()
    assert count(fused, NORMS) == 0
    assert_same(model, fused, images(9, 8, dtype=np.float64))


def test_statistics_of_the_batch_are_not_folded():
    model = randomize(Chain(track_running_stats=False).double())
    fused = model.fuse()
    assert count(fused, NORMS) == 1
    assert_same(model, fused, images(dtype=np.float64))


def test_norm_without_scale_and_shift():
    model = randomize(Chain(affine=False).double())
    fused = model.fuse()
    assert count(fused, NORMS) == 0
    assert_same(model, fused, images(dtype=np.float64))


class ReadTwice(Chain):
    """What the convolution makes is read by the batch norm and by the sum."""

    def forward(self, x):
        x = self.conv(x)
        return x + self.relu(self.bn(x))


class CalledTwice(Chain):
    """One convolution for two images, with one batch norm for the second only."""

    def forward(self, x):
        return self.conv(x * 2) + self.relu(self.bn(self.conv(x)))


class Returned(Chain):
    """What the convolution makes leaves the model too."""

    def forward(self, x):
        x = self.conv(x)
        return {"before": x, "after": [self.relu(self.bn(x))]}


class NormTwice(Chain):
    def forward(self, x):
        return self.bn(self.relu(self.bn(self.conv(x))))


@pytest.mark.parametrize("kind", [ReadTwice, CalledTwice, NormTwice])
def test_what_others_read_is_not_folded(kind):
    model = randomize(kind().double())
    fused = model.fuse()
    assert count(fused, NORMS) == 1 and count(fused, (nn.ReLU,)) == 1
    assert_same(model, fused, images(dtype=np.float64))


def test_what_is_returned_is_not_folded():
    model = randomize(Returned().double())
    x = images(dtype=np.float64)
    expected, found = outputs(model, x), outputs(model.fuse(), x)
    np.testing.assert_allclose(found["before"].numpy(), expected["before"].numpy(), atol=1e-12)
    np.testing.assert_allclose(found["after"][0].numpy(), expected["after"][0].numpy(), atol=1e-12)


def test_layers_with_hooks_stay():
    model = randomize(Chain().double())
    seen = []
    model.bn.register_forward_hook(lambda module, arguments, output: seen.append(output.shape))
    fused = model.fuse()
    assert count(fused, NORMS) == 1
    seen.clear()
    assert_same(model, fused, images(dtype=np.float64))
    assert len(seen) == 2


def test_the_original_stays_as_it_is():
    model = randomize(Chain())
    model.bn.train()
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    x = images()
    expected = outputs(model.eval(), x)
    model.bn.train()
    fused = model.fuse()
    assert [module.training for module in model.modules()] == [False, False, True, False]
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert all(p.requires_grad for p in model.parameters()) and not model.conv._forward_hooks
    np.testing.assert_allclose(outputs(fused, x), expected, rtol=1e-5, atol=1e-5)
    model.load_state_dict({name: value * 0 for name, value in before.items()})
    np.testing.assert_allclose(outputs(fused, x), expected, rtol=1e-5, atol=1e-5)


def test_fused_model_only_evaluates():
    fused = randomize(Chain()).fuse()
    assert not fused.training and not any(p.requires_grad for p in fused.parameters())
    with pytest.raises(RuntimeError, match="only evaluates"):
        fused.train()
    assert fused.train(False) is fused and fused.eval() is fused
    with pytest.raises(RuntimeError, match="has no gradient"):
        fused(images().requires_grad_())
    assert not fused(images()).requires_grad


def test_fusing_again_changes_nothing():
    model = randomize(Chain())
    once = model.fuse()
    np.testing.assert_array_equal(outputs(once.fuse(images()), images()), outputs(once, images()))


def test_text_says_what_was_folded():
    assert "3, 8" in repr(randomize(Chain()).fuse().conv)
    assert repr(randomize(Chain()).fuse().conv).count("batch norm, ReLU") == 1


def test_example_decides_what_runs():
    """A model that takes no square image of the usual sizes."""

    class Wide(Chain):
        def forward(self, x):
            if x.shape[3] != 3 * x.shape[2]:
                raise ValueError("three times as wide as high")
            return super().forward(x)

    model = randomize(Wide())
    with pytest.raises(ValueError, match="three times as wide"):
        model.fuse()
    x = mc.Tensor(np.ones((1, 3, 4, 12), np.float32))
    np.testing.assert_allclose(outputs(model.fuse(x), x), outputs(model, x), rtol=1e-5, atol=1e-6)
