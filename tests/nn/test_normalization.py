"""Batch norm over several steps: its running statistics, its modes, its state; wrong calls that change nothing."""

import numpy as np
import pytest
import torch

import minception as mc
from minception import nn
from tests.compare import assert_close
from tests.nn.twins import assert_same, copy_state, fill_randomly

OPTIONS = [{"momentum": None}, {"track_running_stats": False}, {"affine": False, "track_running_stats": False}]
INPUTS = {
    "images": ("BatchNorm2d", (3, 4, 5, 2)),
    "rows": ("BatchNorm1d", (6, 4)),
    "sequences": ("BatchNorm1d", (3, 4, 5)),
}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", INPUTS)
def test_cumulative_averages_and_no_statistics_at_all_are_torchs(name, options, rng):
    """In both modes; without statistics, evaluation normalises by those of the batch."""
    kind, shape = INPUTS[name]
    layer = getattr(nn, kind)(shape[1], **options)
    twin = getattr(torch.nn, kind)(shape[1], **options)
    x = 3.0 * rng.normal(size=shape) + 1.5
    # Normalising subtracts values of the size of x from each other, and divides by a deviation of 1 or so.
    assert_same(layer, twin, x, rng, magnitude=np.abs(x).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_follow_torch_over_several_steps(momentum, dtype, rng):
    layer = nn.BatchNorm2d(3, momentum=momentum).to(dtype)
    twin = torch.nn.BatchNorm2d(3, momentum=momentum).double()
    for step in range(5):
        x = rng.normal(loc=step, scale=1 + step, size=(4, 3, 5 + step, 2)).astype(dtype)
        layer(mc.Tensor(x))
        twin(torch.tensor(x.astype(np.float64)))
        if step == 2:  # evaluation in between leaves the statistics alone
            layer.eval()(mc.Tensor(x))
            layer.train()
    assert int(layer.num_batches_tracked) == 5
    assert_close(layer.running_mean, twin.running_mean.numpy().astype(dtype), terms=200)
    assert_close(layer.running_var, twin.running_var.numpy().astype(dtype), terms=200)
    x = rng.normal(size=(2, 3, 4, 4)).astype(dtype)
    expected = twin.eval()(torch.tensor(x.astype(np.float64))).detach().numpy().astype(dtype)
    assert_close(layer.eval()(mc.Tensor(x)), expected, terms=200)


def test_cumulative_average_is_the_mean_over_all_batches(rng):
    layer = nn.BatchNorm1d(2, momentum=None).double()
    batches = rng.normal(size=(7, 5, 2))
    for batch in batches:
        layer(mc.Tensor(batch))
    np.testing.assert_allclose(np.asarray(layer.running_mean), batches.mean(axis=1).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(layer.running_var), batches.var(axis=1, ddof=1).mean(axis=0), rtol=1e-12)


def test_initial_state():
    layer = nn.BatchNorm2d(3)
    state = layer.state_dict()
    assert list(state) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    np.testing.assert_array_equal(state["weight"], np.ones(3, np.float32), strict=True)
    np.testing.assert_array_equal(state["bias"], np.zeros(3, np.float32), strict=True)
    np.testing.assert_array_equal(state["running_mean"], np.zeros(3, np.float32), strict=True)
    np.testing.assert_array_equal(state["running_var"], np.ones(3, np.float32), strict=True)
    np.testing.assert_array_equal(state["num_batches_tracked"], np.array(0, np.int64), strict=True)


def test_resets(rng):
    layer = nn.BatchNorm1d(3)
    twin = torch.nn.BatchNorm1d(3)
    fill_randomly(twin, rng)
    copy_state(twin, layer)
    weight = layer.state_dict()["weight"]
    layer.reset_running_stats()
    state = layer.state_dict()
    np.testing.assert_array_equal(state["weight"], weight)
    assert (state["running_mean"] == 0).all() and (state["running_var"] == 1).all()
    assert state["num_batches_tracked"] == 0
    layer.reset_parameters()
    fresh = nn.BatchNorm1d(3).state_dict()
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, fresh[name])


def test_switching_tracking_off_normalises_by_the_batch_and_freezes_the_buffers(rng):
    layer = nn.BatchNorm1d(3).double()
    twin = torch.nn.BatchNorm1d(3).double()
    layer.track_running_stats = twin.track_running_stats = False
    x = rng.normal(size=(5, 3)) + 4.0
    assert_close(layer(mc.Tensor(x)), twin(torch.tensor(x)), terms=100, scale=8.0)
    assert int(layer.num_batches_tracked) == 0
    np.testing.assert_array_equal(np.asarray(layer.running_mean), 0)
    assert_close(layer.eval()(mc.Tensor(x)), twin.eval()(torch.tensor(x)), terms=100, scale=8.0)


def test_double_leaves_the_count_of_batches_an_integer():
    layer = nn.BatchNorm2d(3).double()
    assert [np.asarray(b).dtype for b in layer.buffers()] == [np.float64, np.float64, np.int64]


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (nn.BatchNorm2d(3), (4, 3), r"expected 4D input \(got 2D input\)"),
        (nn.BatchNorm2d(3), (4, 3, 2), r"expected 4D input \(got 3D input\)"),
        (nn.BatchNorm1d(3), (4,), r"expected 2D or 3D input \(got 1D input\)"),
        (nn.BatchNorm1d(3), (4, 3, 2, 2), r"expected 2D or 3D input \(got 4D input\)"),
        (nn.BatchNorm2d(3), (4, 2, 5, 5), r"expected 3 channels \(num_features\)"),
        (nn.BatchNorm1d(3, affine=False, track_running_stats=False), (4, 2), "expected 3 channels"),
        (nn.BatchNorm2d(3), (1, 3, 1, 1), "Expected more than 1 value per channel when training"),
        (nn.BatchNorm1d(3), (1, 3), "Expected more than 1 value per channel when training"),
    ],
)
def test_wrong_inputs_fail_and_change_nothing(layer, shape, words):
    before = layer.state_dict()
    with pytest.raises(ValueError, match=words):
        layer(mc.Tensor(np.zeros(shape, np.float32)))
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


class Named(torch.nn.BatchNorm2d):
    """torch's batch norm and ReLU under the names of one layer, for `assert_same`."""

    def forward(self, input):
        return torch.relu(super().forward(input))

    def __repr__(self):
        return super().__repr__().replace("Named", "BatchNormReLU2d")


@pytest.mark.parametrize("options", [{}, *OPTIONS], ids=str)
def test_with_relu_is_torchs_batch_norm_and_relu(options, rng):
    """In both modes, in float32 and float64: output, gradients, statistics."""
    layer = nn.BatchNormReLU2d(4, **options)
    assert_same(layer, Named(4, **options), 3.0 * rng.normal(size=(3, 4, 5, 2)) + 1.5, rng, magnitude=8.0)


@pytest.mark.parametrize("training", [True, False])
def test_with_relu_exchanges_its_state_with_torchs_sequential(training, rng):
    twin = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.ReLU())
    fill_randomly(twin, rng)
    model = nn.Sequential(nn.BatchNormReLU2d(3), nn.Identity()).double()
    copy_state(twin, model)
    x = rng.normal(size=(4, 3, 5, 2))
    for step in range(2):
        y, expected = model.train(training)(mc.Tensor(x + step)), twin.train(training)(torch.tensor(x + step))
        assert_close(y, expected, terms=100, scale=8.0)
    state = model.state_dict()
    assert list(state) == list(twin.state_dict())
    twin.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    assert_close(model.eval()(mc.Tensor(x)), twin.eval()(torch.tensor(x)), terms=100, scale=8.0)


def test_with_relu_is_a_batch_norm():
    """So that what looks for batch norms, to freeze them for example, finds it."""
    layer = nn.BatchNormReLU2d(3, eps=1e-3)
    assert isinstance(layer, nn.BatchNorm2d)
    assert repr(layer) == repr(nn.BatchNorm2d(3, eps=1e-3)).replace("BatchNorm2d", "BatchNormReLU2d")
