"""Which parameters weight decay reaches."""

import numpy as np

from minception import Tensor, nn, optim


def network():
    return nn.Sequential(
        nn.Conv2d(3, 4, (1, 3)), nn.BatchNorm2d(4), nn.ReLU(), nn.DepthwiseConv2d(4, 3), nn.Flatten(), nn.Linear(8, 2)
    )


def names_in(model, group):
    members = {id(p) for p in group["params"]}
    return [name for name, p in model.named_parameters() if id(p) in members]


def test_weights_are_decayed_and_batch_norm_and_biases_are_not():
    model = network()
    decayed, others = optim.split_weight_decay(model, 0.1)
    assert names_in(model, decayed) == ["0.weight", "3.weight", "5.weight"]
    assert names_in(model, others) == ["0.bias", "1.weight", "1.bias", "3.bias", "5.bias"]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_frozen_parameters_are_left_out():
    model = network()
    model[0].requires_grad_(False)
    decayed, others = optim.split_weight_decay(model, 0.1)
    assert names_in(model, decayed) == ["3.weight", "5.weight"]
    assert names_in(model, others) == ["1.weight", "1.bias", "3.bias", "5.bias"]


def test_a_step_without_gradient_signal_shrinks_only_the_weights():
    model = network()
    before = {name: np.array(p.numpy()) for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = Tensor(np.zeros(p.shape, p.dtype))
    optim.SGD(optim.split_weight_decay(model, 0.5), lr=1.0, weight_decay=0.9).step()
    for name, p in model.named_parameters():
        factor = 0.5 if p.ndim > 1 else 1.0
        np.testing.assert_allclose(p.numpy(), factor * before[name], rtol=1e-6)


def test_a_model_without_weights_gives_an_empty_group_that_optimizers_accept():
    model = nn.BatchNorm1d(3)
    decayed, others = optim.split_weight_decay(model, 0.1)
    assert (decayed["params"], len(others["params"])) == ([], 2)
    optim.SGD([decayed, others], lr=0.1).step()
