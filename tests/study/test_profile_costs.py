"""Floating-point operations and bytes of single calls, counted by hand."""

import numpy as np
import pytest

from minception import kernels
from minception.kernels import reference
from minception.study.profile_costs import FLOPS, Cost, cost_of_kernel, cost_of_operation, kind_of_kernel

NOT_OF_NETWORKS = {
    "BatchNormGradients",
    "BatchNormSteps",
    "PreparedConv2d",
    "batch_norm_backward_steps",
    "batch_norm_forward_steps",
    "col2im",
    "conv2d_prepare",
    "im2col",
    "separable_conv2d",
    "separable_conv2d_backward",
}
rng = np.random.default_rng(0)


def draw(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def cost(name, *args, **kwargs):
    return cost_of_kernel(name, args, kwargs, getattr(kernels, name)(*args, **kwargs))


def test_every_kernel_has_a_formula():
    assert set(reference.__all__) - NOT_OF_NETWORKS <= FLOPS.keys()


def test_convolution():
    x, weight, grad = draw(2, 3, 8, 8), draw(4, 3, 3, 3), draw(2, 4, 6, 6)
    products = 2 * 4 * 6 * 6 * 3 * 3 * 3
    of_x, of_weight, of_grad = 4 * 2 * 3 * 64, 4 * 4 * 27, 4 * 2 * 4 * 36
    everything = Cost(2 * products, of_x + of_weight + of_grad)
    assert cost("conv2d", x, weight) == everything
    assert cost("conv2d_backward_input", grad, weight, x.shape) == everything
    assert cost("conv2d_backward_weight", grad, x, weight.shape) == everything
    sum_so_far = np.zeros_like(x)
    added = cost("conv2d_backward_input", grad, weight, x.shape, add_to=sum_so_far)
    assert added == Cost(2 * products, everything.bytes + of_x)  # the sum is read, too
    assert cost("conv2d_backward_bias", grad) == Cost(grad.size, of_grad + 4 * 4)


def test_groups_multiply_less():
    x = draw(2, 4, 8, 8)
    assert cost("conv2d", x, draw(6, 2, 1, 1), groups=2).flops == 2 * 2 * 6 * 64 * 2
    assert cost("depthwise_conv2d", x, draw(4, 1, 3, 3), padding=1).flops == 2 * 2 * 4 * 64 * 9


def test_views_cost_nothing():
    x = draw(2, 4, 8, 8)
    assert cost("concatenate_backward", x, [1, 3]) == Cost()
    assert cost("add_backward", x) == Cost()
    assert cost("scaled_add_backward", x, 0.5) == Cost(x.size, 2 * x.nbytes)
    assert cost_of_operation((x,), x.reshape(2, -1)) == Cost()
    assert cost_of_operation((x, x), x + x) == Cost(x.size, 2 * x.nbytes)  # one array is read once


def test_copies_compute_nothing():
    x = draw(2, 4, 8, 8)
    assert cost("concatenate", [x, x.copy()]) == Cost(0, 4 * x.nbytes)


def test_what_is_broadcast_is_there_once():
    x = np.broadcast_to(draw(2, 4, 1, 1), (2, 4, 8, 8))
    y = draw(2, 4, 8, 8)
    assert cost("add", x, y) == Cost(y.size, 2 * y.nbytes + 4 * 8)


def test_updates_write_what_they_read():
    parameter, grad, momentum = draw(5, 4), draw(5, 4), draw(5, 4)
    assert cost("sgd_update", parameter, grad, momentum, lr=0.1, momentum=0.9).bytes == 5 * parameter.nbytes
    assert cost("sgd_update", parameter, grad, None, lr=0.1).bytes == 3 * parameter.nbytes
    mean, var = draw(4), np.ones(4, np.float32)
    moved = cost("batch_norm_update_running", mean.copy(), var.copy(), mean, var, 10, 0.1)
    assert moved.bytes == 6 * mean.nbytes


def test_pools():
    x = draw(2, 4, 8, 8)
    assert cost("max_pool2d", x, 2) == Cost(4 * 2 * 4 * 16, x.nbytes + 2 * 4 * 16 * (4 + 1))  # taps of a byte
    assert cost("avg_pool2d", x, (2, 4)).flops == 9 * 2 * 4 * 4 * 2
    assert cost("global_avg_pool2d", x).flops == x.size


@pytest.mark.parametrize(
    ("name", "args", "options", "kind"),
    [
        ("conv2d", (draw(1, 4, 8, 8), draw(2, 4, 1, 7)), {}, "conv 1x7"),
        ("conv2d", (draw(1, 4, 8, 8), draw(2, 4, 3, 3)), {"stride": 2}, "conv 3x3 /2"),
        ("conv2d", (draw(1, 4, 8, 8), draw(2, 4, 3, 3)), {"stride": (2, 1)}, "conv 3x3 /2x1"),
        ("conv2d", (draw(1, 4, 8, 8), draw(2, 2, 3, 3)), {"groups": 2}, "conv 3x3, 2 groups"),
        ("depthwise_conv2d", (draw(1, 4, 8, 8), draw(4, 1, 3, 3)), {}, "depthwise 3x3"),
        ("global_avg_pool2d", (draw(1, 4, 8, 8),), {}, "average pool"),
        ("sgd_update", (draw(2), draw(2), None), {"lr": 1.0}, "optimizer"),
        ("relu", (draw(2),), {}, "relu"),
        ("local_response_norm", (draw(2), 5), {}, "local response norm"),
    ],
)
def test_kinds(name, args, options, kind):
    assert kind_of_kernel(name, args, options) == kind
