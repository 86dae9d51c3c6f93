"""Parameters and multiply-accumulates of layers that can be counted by hand."""

import pytest

from minception import models, nn


@pytest.mark.parametrize(
    ("layer", "size", "parameters", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), 5, 8 * 27 + 8, 25 * 8 * 27),
        (nn.Conv2d(3, 8, (1, 7), stride=2, bias=False), (9, 11), 8 * 21, 5 * 3 * 8 * 21),
        (nn.Conv2d(6, 4, 3, groups=2), 4, 4 * 27 + 4, 4 * 4 * 27),
        (nn.DepthwiseConv2d(3, 3, depth_multiplier=2), 5, 6 * 9 + 6, 9 * 6 * 9),
        (nn.SeparableConv2d(3, 8, 3, padding=1, bias=False), 4, 27 + 24, 16 * 3 * 9 + 16 * 24),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 10), nn.ReLU()), 4, 490, 480),
        (nn.Sequential(nn.BatchNorm2d(3), nn.MaxPool2d(2)), 4, 6, 0),
    ],
)
def test_counts(layer, size, parameters, macs):
    in_channels = 6 if isinstance(layer, nn.Conv2d) and layer.groups == 2 else 3
    assert models.count_parameters(layer) == parameters
    assert models.count_multiply_accumulates(layer, size, in_channels) == macs


def test_a_layer_used_twice_counts_twice_its_parameters_once():
    layer = nn.Conv2d(3, 3, 1, bias=False)
    model = nn.Sequential(layer, layer)
    assert models.count_parameters(model) == 9
    assert models.count_multiply_accumulates(model, 2) == 2 * 4 * 9


def test_statistics_of_batch_norm_stay():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    models.count_multiply_accumulates(model, 4)
    assert int(model[1].num_batches_tracked) == 0
    assert not any(module._forward_hooks for module in model.modules())
