"""Dropout as an operation: its mask, and where it draws from."""

import numpy as np

import minception as mc
from minception import functional as F


def test_dropout_gradient_is_the_mask(rng):
    x = mc.Tensor(rng.standard_normal((40, 50)) + 10, requires_grad=True)
    y = F.dropout(x, 0.3, generator=np.random.default_rng(1))
    mask = y.numpy() / x.numpy()
    cotangent = rng.standard_normal(x.shape)
    y.backward(cotangent)
    np.testing.assert_allclose(x.grad.numpy(), mask * cotangent, rtol=1e-14)
    np.testing.assert_allclose(np.unique(mask.round(12)), [0, 1 / 0.7])
    assert abs((mask == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / mask.size)


def test_dropout_draws_from_the_default_generator():
    x = mc.Tensor(np.ones((8, 8), np.float32))
    mc.manual_seed(3)
    first, second = F.dropout(x), F.dropout(x)
    mc.manual_seed(3)
    again = F.dropout(x)
    assert first.tolist() == again.tolist()
    assert first.tolist() != second.tolist()
    state = mc.default_generator().bit_generator.state
    F.dropout(x, generator=np.random.default_rng(0))
    assert mc.default_generator().bit_generator.state == state


def test_dropout_that_drops_nothing_or_everything():
    x = mc.Tensor(np.ones(5), requires_grad=True)
    assert F.dropout(x, 0.9, training=False) is x
    assert F.dropout(x, 0.0) is x
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert y.tolist() == x.grad.tolist() == [0] * 5
