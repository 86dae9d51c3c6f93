"""Rows and totals of summaries against counts by hand, and against the registry's."""

import inspect
import json

import pytest

import minception.functional as F
from minception import models, nn
from minception.models.blocks import ConvBNReLU
from minception.study import Row, summarize
from tests.study.networks import Forked, Gated, TwoHeads

PLANE = 8 * 8 * 4  # bytes of one float32 channel of 8x8 pixels


class Small(nn.Module):
    """A bit of everything: modules, operations of its own, a parameter of its own, a layer used twice."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter([[[2.0]]])
        self.stem = ConvBNReLU(3, 4, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.Sequential(nn.MaxPool2d(2), nn.ReLU()))
        self.pool = nn.AvgPool2d(2)
        self.never = nn.Linear(7, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.body(self.stem(x)) * self.scale
        x = self.pool(self.pool(x))
        return self.fc(F.flatten(x, 1))


def test_rows():
    summary = summarize(Small(), 8)
    assert summary.rows == (
        Row("Small", "Small", (2,), 1, 0, 0, (10, 10)),
        Row("stem", "ConvBNReLU", (4, 8, 8), 4 * 27 + 8, 64 * 4 * 27, 4 * PLANE + 4 * 4 * 4, (3, 3)),
        Row("body.0", "Conv2d", (4, 8, 8), 16, 64 * 16, 4 * PLANE, (3, 3)),
        Row("body.1.0", "MaxPool2d", (4, 4, 4), 0, 0, 4 * 16, (4, 4)),
        Row("body.1.1", "ReLU", (4, 4, 4), 0, 0, 4 * 16 * 4, (4, 4)),
        Row("(multiply)", "function", (4, 4, 4), 0, 0, 0, (4, 4)),
        Row("pool", "AvgPool2d", (4, 2, 2), 0, 0, 0, (6, 6)),
        Row("pool", "AvgPool2d", (4, 1, 1), 0, 0, 0, (10, 10)),
        Row("(reshape)", "function", (4,), 0, 0, 0, (10, 10)),
        Row("fc", "Linear", (2,), 10, 8, 4 * 4, (10, 10)),
        Row("never", "Linear", None, 24),
    )


def test_totals():
    summary = summarize(Small(), 8)
    assert summary.model == "Small"
    assert (summary.input_size, summary.in_channels, summary.batch_size) == ((8, 8), 3, 1)
    assert summary.parameters == 1 + 116 + 16 + 10 + 24
    assert summary.multiply_accumulates == 64 * 4 * 27 + 64 * 16 + 8
    assert summary.activation_bytes == 2 * 4 * PLANE + 64 + 64 + 256 + 16
    assert (summary.last_layer, summary.receptive_field) == ("pool", (10, 10))
    assert summary.auxiliary_parameters == 0


def test_depth():
    """One level shows the chain as one, three levels every layer; the totals are the same."""
    names = {depth: [row.name for row in summarize(Small(), 8, depth=depth).rows] for depth in (1, 2, 3, 9)}
    assert names[1] == ["Small", "stem", "body", "(multiply)", "pool", "pool", "(reshape)", "fc", "never"]
    assert names[2] == [
        *("Small", "stem.conv", "stem.bn", "body.0", "body.1"),
        *("(multiply)", "pool", "pool", "(reshape)", "fc", "never"),
    ]
    assert names[3] == names[9] == [*names[2][:4], "body.1.0", "body.1.1", *names[2][5:]]


@pytest.mark.parametrize("depth", [None, 1, 2, 3, 99])
@pytest.mark.parametrize(("build", "size"), [(TwoHeads, 9), (Small, 8), (models.mini_xception, (16, 24))])
def test_rows_add_up(build, size, depth):
    model = build()
    summary = summarize(model, size, depth=depth, batch_size=3)
    assert sum(row.parameters for row in summary.rows) == summary.parameters == models.count_parameters(model)
    macs = models.count_multiply_accumulates(model, size)
    assert sum(row.multiply_accumulates for row in summary.rows) == summary.multiply_accumulates == macs
    bytes_kept = summarize(model, size, batch_size=3, depth=1).activation_bytes
    assert sum(row.activation_bytes for row in summary.rows) == summary.activation_bytes == bytes_kept


def test_auxiliary_heads():
    model = TwoHeads()
    summary = summarize(model, 9)
    rows = {row.name: row for row in summary.rows}
    assert [name for name, row in rows.items() if row.auxiliary] == ["aux1", "aux2"]
    assert rows["aux1"].parameters == 16 * 6 + 12 + 24 * 5 + 5
    assert rows["aux1"].multiply_accumulates == 0 < rows["aux1"].activation_bytes
    assert rows["aux1"].output_shape == (5,)
    assert summary.auxiliary_parameters == 2 * rows["aux1"].parameters
    assert summary.last_layer == "third" and summary.receptive_field == (15, 15)
    assert [name for name in rows if not name.startswith("(")] == [
        "stem", "first", "aux1", "second", "aux2", "third", "fc",
    ]  # fmt: skip


def test_heads_in_a_list_are_auxiliary_too():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])
            self.fc = nn.Linear(3, 2)

        def forward(self, x):
            x = F.flatten(F.global_avg_pool2d(x), 1)
            return (self.fc(x), *(head(x) for head in self.heads)) if self.training else self.fc(x)

    for depth in (None, 1, 2):
        assert summarize(Listed(), 2, depth=depth).auxiliary_parameters == 16


def test_a_layer_that_runs_twice_has_two_rows():
    layer = nn.Conv2d(3, 3, 1, bias=False)
    summary = summarize(nn.Sequential(layer, nn.ReLU(), layer), 2)
    assert [(row.name, row.parameters, row.multiply_accumulates) for row in summary.rows] == [
        ("0", 9, 4 * 9),
        ("1", 0, 0),
        ("0", 0, 4 * 9),
    ]


class Flat(nn.Module):
    """Two modules whose layers are children of the network, with names as in the published Inception v2."""

    def __init__(self):
        super().__init__()
        for name in ("mixed_a", "mixed_b"):
            self.add_module(f"{name}_1x1", nn.Conv2d(4, 2, 1))
            self.add_module(f"{name}_3x3", nn.Conv2d(4, 2, 3, padding=1))
            self.add_module(f"{name}_3x3_bn", nn.BatchNorm2d(2))
        self.mixed_fc = nn.Conv2d(4, 3, 1)

    def forward(self, x):
        for name in ("mixed_a", "mixed_b"):
            layers = dict(self.named_children())
            y = F.relu(layers[f"{name}_3x3_bn"](layers[f"{name}_3x3"](x)))
            x = F.cat([layers[f"{name}_1x1"](x), y], dim=1)
        return self.mixed_fc(x)


def test_layers_of_one_module_with_flat_names():
    summary = summarize(Flat(), 8, in_channels=4)
    costs = {"parameters": 10 + 74 + 4, "multiply_accumulates": 64 * (8 + 72)}
    bytes_kept = 2 * PLANE + 2 * 2 * 4 + 2 * PLANE  # batch norm's input, mean and variance, ReLU's output
    assert summary.rows == (
        Row("mixed_a", "layers", (4, 8, 8), activation_bytes=bytes_kept, receptive_field=(3, 3), **costs),
        Row("mixed_b", "layers", (4, 8, 8), activation_bytes=bytes_kept + 4 * PLANE, receptive_field=(5, 5), **costs),
        Row("mixed_fc", "Conv2d", (3, 8, 8), 15, 64 * 12, 4 * PLANE, (5, 5)),
    )
    assert len(summarize(Flat(), 8, in_channels=4, depth=1).rows) == 2 * 5 + 1


def test_branches_with_flat_names_of_one_module_are_rows():
    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch_0, self.branch_1, self.up = (nn.Conv2d(3, 3, 1) for _ in range(3))

        def forward(self, x):
            return self.up(self.branch_0(x) + self.branch_1(x))

    assert [row.name for row in summarize(Module(), 4).rows] == ["branch_0", "branch_1", "(add)", "up"]


def test_a_single_layer():
    (row,) = summarize(nn.Conv2d(2, 3, 3, bias=False), (5, 6), in_channels=2).rows
    assert row == Row("Conv2d", "Conv2d", (3, 3, 4), 54, 12 * 54, 0, (3, 3))


def test_only_the_last_layer_with_a_place_in_the_image_counts():
    summary = summarize(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), 2)
    assert summary.last_layer is None and summary.receptive_field is None
    assert summarize(Gated(3), 8).receptive_field == (3, 3)
    assert summarize(Forked(3), 8).last_layer == "(concatenate)"


@pytest.mark.parametrize("name", models.names())
def test_registered_networks(name):
    """Small versions: rows add up to the counts, and the table fits on a page."""
    entry = models.entry(name)
    accepted = inspect.signature(entry.constructor).parameters
    options = {"width": 0.125, "num_classes": 3, **entry.small_images}
    model = models.create(name, **{option: value for option, value in options.items() if option in accepted})
    size = 32 if "stem" in entry.small_images else entry.input_size
    summary = summarize(model, size, entry.in_channels)
    assert summary.parameters == models.count_parameters(model)
    assert summary.multiply_accumulates == models.count_multiply_accumulates(model, size, entry.in_channels)
    assert max(map(len, str(summary).splitlines())) <= 120


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
def test_registered_costs(name):
    entry = models.entry(name)
    summary = summarize(entry.constructor(), entry.input_size, entry.in_channels)
    assert summary.parameters == entry.parameters
    assert summary.multiply_accumulates == entry.multiply_accumulates
    assert max(map(len, str(summary).splitlines())) <= 120


def test_table():
    summary = summarize(TwoHeads(), 9, batch_size=1000)
    head, rule, *rows, end, total, _, parameters, macs, memory, field = str(summary).splitlines()
    assert head.split() == "module type output parameters MACs (M) memory (MiB) receptive field".split()
    assert rule == end == "-" * len(head)
    assert [line.split()[0] for line in rows if not line.startswith("(")] == [
        "stem", "first", "aux1", "second", "aux2", "third", "fc",
    ]  # fmt: skip
    # What it keeps: 8 planes of 9x9 values, and the 3 planes of the scaled images.
    assert rows[2].split() == "stem ConvBNReLU 8 x 9 x 9 232 0.02 3.40 3 x 3".split()
    assert rows[4].startswith("aux1 *") and rows[4].endswith("whole image")
    assert total.startswith("total") and f"{summary.parameters:,}" in total
    assert parameters.startswith(f"Parameters: {summary.parameters:,}, 466 of them in auxiliary heads (*)")
    assert macs == f"Multiply-accumulates: {summary.multiply_accumulates:,} for 1 image in evaluation"
    assert memory.startswith(f"Activation memory: {summary.activation_bytes / 2**20:,.2f} MiB for 1,000 images")
    assert field == "Receptive field: 15 x 15 pixels of the image for one value of third"


def test_as_plain_values():
    plain = json.loads(json.dumps(summarize(Small(), 8).to_dict()))
    assert plain["rows"][1]["output_shape"] == [4, 8, 8]
    assert plain["parameters"] == 167 and plain["input_size"] == [8, 8]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: summarize("googlenet", 8), TypeError, "model must be a Module, got 'googlenet'"),
        (lambda: summarize(Small(), 0), ValueError, "input_size must be positive"),
        (lambda: summarize(Small(), (8, 8, 8)), ValueError, "input_size must be an integer or a pair"),
        (lambda: summarize(Small(), 8, batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: summarize(Small(), 8, depth=0), ValueError, "depth must be at least 1, got 0"),
        (lambda: summarize(Small(), 8, depth=1.5), TypeError, "depth must be an integer, got 1.5"),
        (lambda: summarize(Small(), 8, in_channels=4), ValueError, "4"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
