"""Convolution layers that torch does not have: their hooks and their repr."""

import numpy as np

import minception as mc
from minception import nn


def test_separable_children_run_their_hooks():
    layer = nn.SeparableConv2d(2, 3, 3)
    seen = []
    for name, child in layer.named_children():
        child.register_forward_hook(lambda module, args, output, name=name: seen.append((name, output.shape)))
    layer(mc.Tensor(np.zeros((1, 2, 5, 4), np.float32)))
    assert seen == [("depthwise", (1, 2, 3, 2)), ("pointwise", (1, 3, 3, 2))]


def test_depthwise_repr_names_the_multiplier_only_if_there_is_one():
    assert repr(nn.DepthwiseConv2d(4, 3, padding=1)) == (
        "DepthwiseConv2d(4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"
    )
    assert repr(nn.DepthwiseConv2d(4, 3, dilation=2, depth_multiplier=2, bias=False)) == (
        "DepthwiseConv2d(4, kernel_size=(3, 3), stride=(1, 1), dilation=(2, 2), depth_multiplier=2, bias=False)"
    )
