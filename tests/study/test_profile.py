"""What is found out about a training step; the times are only required to be times."""

import tracemalloc

import numpy as np
import pytest

import minception as mc
import minception.functional as F
from minception import models, nn
from minception.models.blocks import ConvBNReLU
from minception.study import Roof, profile, roofline, summarize
from minception.study.profile_result import ENGINE
from minception.study.profile_table import as_text

from .networks import TwoHeads

ROOF = Roof(1e11, 1e10, 2)  # not measured again and again


class Small(nn.Module):
    """A residual block with a layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBNReLU(3, 4, 3)
        self.twice = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        y = self.stem(x)
        y = y + self.twice(self.twice(y))
        return self.fc(F.flatten(F.global_avg_pool2d(y), 1))


@pytest.fixture(scope="module")
def small():
    return profile(Small(), (9, 8), batch_size=4, repeat=2, roof=ROOF)


def rows_of(found, **fields):
    return [row for row in found.rows if all(getattr(row, name) == value for name, value in fields.items())]


def test_layers_and_kinds(small):
    found = {(row.layer, row.kind, row.kernel, row.direction): row.calls for row in small.rows}
    assert found["stem.conv", "conv 3x3", "conv2d", "forward"] == 1
    assert found["stem.conv", "conv 3x3", "conv2d_backward_weight", "backward"] == 1
    assert ("stem.conv", "conv 3x3", "conv2d_backward_input", "backward") not in found  # images need no gradient
    assert found["twice", "conv 1x1", "conv2d", "forward"] == 2
    assert found["twice", "conv 1x1", "conv2d_backward_input", "backward"] == 2
    assert found["", "add", "Add", "forward"] == 1
    assert found["", "average pool", "global_avg_pool2d", "forward"] == 1
    assert found["(outside the network)", "loss", "softmax_cross_entropy_backward", "backward"] == 1
    assert {direction for _, kind, _, direction in found if kind == ENGINE} == {"forward", "backward", "update"}
    assert {row.direction for row in rows_of(small, kind="optimizer")} == {"update"}


def test_work(small):
    """FLOPs as counted from the layers' shapes, and the floor that follows from them."""
    (conv,) = rows_of(small, layer="stem.conv", direction="forward")
    assert conv.flops == 2 * 4 * 4 * 7 * 6 * 27
    assert conv.bytes == 4 * (4 * 3 * 9 * 8 + 4 * 27 + 4 * 4 * 7 * 6)
    assert conv.floor_seconds == max(conv.flops / 1e11, conv.bytes / 1e10)
    assert conv.intensity == conv.flops / conv.bytes and conv.of_floor == conv.floor_seconds / conv.seconds


def test_times(small):
    assert all(row.seconds > 0 for row in small.rows if row.kind != ENGINE)
    assert all(row.seconds >= 0 for row in small.rows)
    assert small.seconds == pytest.approx(sum(row.seconds for row in small.by("layer")))
    assert small.step_seconds > 0


@pytest.mark.parametrize("network", ["mini_inception", "mini_xception"])
def test_multiply_accumulates_of_a_network(network):
    found = profile(models.create(network), 32, batch_size=2, training=False, repeat=1, roof=ROOF)
    weighty = [row.flops for row in found.rows if row.kernel in ("conv2d", "depthwise_conv2d", "linear")]
    assert sum(weighty) == 2 * 2 * models.entry(network).multiply_accumulates
    assert {row.direction for row in found.rows} == {"forward"} and found.saved_bytes == 0


@pytest.mark.parametrize(("model", "size"), [(Small, 8), (TwoHeads, 16), (models.mini_xception, 32)])
def test_memory_is_that_of_the_summary(model, size):
    """Two ways to measure it: all nodes of a step as large as this, and two images, of which the rest follows."""
    model = model()
    found = profile(model, size, batch_size=6, repeat=1, roof=ROOF)
    of_loss = sum(row.saved_bytes for row in found.rows if row.kind in ("loss", ENGINE))  # of heads, too: their weight
    assert found.saved_bytes - of_loss == summarize(model, size, batch_size=6).activation_bytes
    assert found.peak_bytes > 0.9 * found.saved_bytes
    assert not tracemalloc.is_tracing()


def test_nothing_is_changed():
    model = TwoHeads()
    model.stem.eval()
    before, modes = model.state_dict(), [module.training for module in model.modules()]
    state = mc.default_generator().bit_generator.state
    profile(model, 16, batch_size=2, repeat=1, roof=ROOF)
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert mc.default_generator().bit_generator.state == state
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_who_traces_memory_goes_on():
    tracemalloc.start()
    try:
        profile(Small(), 8, batch_size=2, repeat=1, roof=ROOF)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_a_network_that_changes_its_mind():
    class Moody(Small):
        runs = 0

        def forward(self, x):
            self.__dict__["runs"] = self.runs + 1
            y = super().forward(x)
            return F.relu(y) if self.runs > 3 else y

    with pytest.raises(RuntimeError, match="does not do the same in every step"):
        profile(Moody(), 8, batch_size=2, repeat=2, roof=ROOF)


def test_sums(small):
    by_kind = {(row.kind, row.direction): row for row in small.by("kind", "direction")}
    assert by_kind["conv 1x1", "forward"].flops == 2 * (2 * 4 * 4 * 7 * 6 * 4)
    (whole,) = small.by()
    assert (whole.layer, whole.kind, whole.flops) == ("", "", sum(row.flops for row in small.rows))
    with pytest.raises(ValueError, match="not in 'colour'"):
        small.by("colour")


def test_text(small):
    text = str(small)
    assert "conv 3x3" in text and "engine" in text
    assert "Roof, 2 threads: 100 GFLOP/s (matrix product), 10.0 GB/s" in text
    assert "backward weight" in text and "(Small)" in text
    assert f"The slowest of {len(small.rows) - 3}:" in text
    assert "slowest" not in as_text(small, top=0)
    by_layer = as_text(small, by="layer", top=2).splitlines()
    assert any(line.startswith("the network itself ") for line in by_layer)


@pytest.mark.parametrize(("format", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_roofline(small, format, begin):
    picture = roofline(small, format)
    assert picture.startswith(begin)
    if format == "svg":
        assert picture == roofline(small, format) or b"clip" in picture
        evaluation = profile(Small(), 8, batch_size=2, training=False, repeat=1, roof=ROOF)
        assert roofline(evaluation, format, "another").startswith(begin)
