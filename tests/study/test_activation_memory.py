"""What training keeps for the backward pass, against counts by hand and against what Python's allocator says."""

import gc
import tracemalloc

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import models, nn
from minception.kernels.workspace import nothing_kept
from minception.models.blocks import ConvBNReLU
from minception.study import summarize
from tests.study.networks import TwoHeads

PLANE = 8 * 8 * 4  # bytes of one float32 channel of 8x8 pixels


def kept(model, in_channels=3, **options):
    return summarize(model, 8, in_channels, **options).activation_bytes


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (nn.Conv2d(3, 5, 3, padding=1), 0),  # it keeps the images, which do not count
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU()), 5 * PLANE),  # ReLU keeps its output
        # Batch norm keeps its input, the mean and the variance of each channel; ReLU its output; both together only
        # the input, and for each channel scale and shift too.
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.ReLU()), 5 * PLANE + 2 * 5 * 4 + 5 * PLANE),
        (ConvBNReLU(3, 5, 3, padding=1), 5 * PLANE + 4 * 5 * 4),
        # The second convolution keeps what ReLU keeps already.
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Conv2d(5, 6, 1)), 5 * PLANE),
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 6, 1)), 5 * PLANE),
        # A max pool keeps one byte for each output, an average pool nothing.
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.MaxPool2d(2)), 5 * 4 * 4),
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.AvgPool2d(2), nn.GlobalAvgPool2d()), 0),
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.Dropout(0.5)), 5 * PLANE),
        # What is not learned needs nothing; nor does what lies before it.
        (nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), 0),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(3, 5, 1)), 3 * PLANE),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 10), nn.Linear(10, 2)), 10 * 4),
    ],
)
def test_by_hand(model, expected):
    assert kept(model) == expected


def test_of_a_batch():
    """Means and variances do not grow with the batch."""
    model = ConvBNReLU(3, 5, 3, padding=1)
    assert kept(model, batch_size=7) == 7 * 5 * PLANE + 4 * 5 * 4


def test_of_a_double_network():
    assert kept(ConvBNReLU(3, 5, 3, padding=1).double()) == 2 * (5 * PLANE + 4 * 5 * 4)


def test_frozen_layers_keep_nothing():
    model = nn.Sequential(ConvBNReLU(3, 4, 1), nn.Conv2d(4, 5, 1), nn.ReLU())
    model[0].requires_grad_(False)
    assert kept(model) == (4 + 5) * PLANE  # the input of the second convolution, the output of ReLU
    assert kept(model.requires_grad_(False)) == 0


def test_is_that_of_the_first_to_keep_it():
    """A concatenation counts in the module that reads it first. Its branches keep it once, and one byte a pixel for the
    max pool, which needs nothing kept where it reads images."""
    model = nn.Sequential(models.mini_inception().inception3a, models.mini_inception().inception3b)
    first, second = summarize(model, 8, 224).rows
    inside = summarize(models.mini_inception().inception3b, 8, 448)
    assert second.activation_bytes == inside.activation_bytes + 448 * PLANE + 448 * 8 * 8
    assert first.activation_bytes == sum(row.activation_bytes for row in summarize(model[0], 8, 224).rows)


@pytest.mark.parametrize("build", [models.mini_inception, models.mini_xception, TwoHeads])
def test_is_what_a_forward_pass_leaves_allocated(build):
    """Bytes still allocated after a training step's forward pass, but for outputs and the graph's own objects."""
    model, batch = build(), 6
    images = mc.Tensor(np.random.randn(batch, 3, 32, 32).astype(np.float32))
    with mc.use_kernels("reference"), nothing_kept():
        model(images)
        gc.collect()
        tracemalloc.start()
        try:
            outputs = model(images)
            gc.collect()
            allocated, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    expected = summarize(model, 32, batch_size=batch).activation_bytes
    assert outputs is not None
    assert expected < allocated < expected + 400_000


def test_nothing_is_left_behind():
    model = nn.Sequential(ConvBNReLU(3, 4, 1), nn.Dropout(0.5)).train()
    model[1].eval()
    before = model.state_dict()
    state = mc.default_generator().bit_generator.state
    summarize(model, 4)
    after = model.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert mc.default_generator().bit_generator.state == state
    assert model.training and not model[1].training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_nothing_is_left_behind_by_an_error():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm2d(3)

        def forward(self, x):
            raise ValueError(f"not for {self.bn(x).shape}")

    model = Broken().eval()
    with pytest.raises(ValueError, match="not for"):
        summarize(model, 4)
    assert not model.training and not model.bn.training
    assert int(model.bn.num_batches_tracked) == 0
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_works_where_nothing_is_recorded():
    with mc.no_grad():
        assert kept(nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU())) == 5 * PLANE


def test_an_output_that_is_not_used_is_not_kept():
    class Wasteful(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 5, 1)

        def forward(self, x):
            F.relu(self.unused(x))
            return F.relu(self.used(x))

    summary = summarize(Wasteful(), 8)
    assert summary.activation_bytes == 4 * PLANE
    unused = next(row for row in summary.rows if row.name == "unused")
    assert unused.parameters == 20 and unused.output_shape == (5, 8, 8) and unused.receptive_field is None
