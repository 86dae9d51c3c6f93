"""Layers read as torch's do: their arguments in torch's order, with torch's defaults, in a repr like torch's."""

import inspect

import pytest
import torch

from minception import nn

CALLS = [
    ("Conv2d", (3, 5, 3), {}),
    ("Conv2d", (4, 2, (1, 3)), {"stride": (2, 1), "padding": (0, 2)}),
    ("Conv2d", (2, 3, (7, 1)), {"padding": (3, 0), "bias": False}),
    ("Conv2d", (6, 3, (2, 3), 2, 1, (2, 3), 3, False), {}),
    ("Conv2d", (3, 2, (3, 5)), {"padding": "same", "dilation": (2, 1)}),
    ("Conv2d", (3, 2, 3), {"padding": "valid", "stride": 2}),
    ("BatchNorm1d", (4,), {}),
    ("BatchNorm2d", (4, 1e-3, 0.25, False, True), {}),
    ("BatchNorm2d", (4,), {"momentum": None, "track_running_stats": False}),
    ("BatchNorm2d", (4,), {"bias": False}),
    ("LocalResponseNorm", (5,), {}),
    ("LocalResponseNorm", (3, 0.5, 0.6, 2.0), {}),
    ("MaxPool2d", (2,), {}),
    ("MaxPool2d", ((3, 2), (2, 1), (1, 0)), {}),
    ("MaxPool2d", ([2, 3],), {"stride": [1, 2]}),
    ("MaxPool2d", (3, 2, 1, 1, False, True), {}),
    ("MaxPool2d", (2, 1), {"dilation": (2, 3)}),
    ("AvgPool2d", (2,), {}),
    ("AvgPool2d", (3, 2, 1, True, False), {}),
    ("AvgPool2d", (3, 1), {"divisor_override": 5}),
    *(("AdaptiveAvgPool2d", (size,), {}) for size in (1, (2, 5), (None, 2), [3, 1])),
    ("Linear", (4, 5), {}),
    ("Linear", (4, 5, False), {}),
    ("ReLU", (), {}),
    ("ELU", (), {}),
    ("ELU", (0.3,), {}),
    ("Softmax", (1,), {}),
    ("LogSoftmax", (), {"dim": -1}),
    ("Dropout", (), {}),
    ("Dropout", (0.3,), {}),
    ("Flatten", (), {}),
    ("Flatten", (0, -2), {}),
    ("Identity", (), {}),
    ("CrossEntropyLoss", (), {}),
    ("CrossEntropyLoss", (), {"ignore_index": 2, "reduction": "sum", "label_smoothing": 0.1}),
]


@pytest.mark.parametrize(("name", "args", "options"), CALLS)
def test_repr_is_torchs(name, args, options):
    assert repr(getattr(nn, name)(*args, **options)) == repr(getattr(torch.nn, name)(*args, **options))


def test_global_pooling_has_no_options():
    assert repr(nn.GlobalAvgPool2d()) == "GlobalAvgPool2d()"


@pytest.mark.parametrize("name", sorted({name for name, _, _ in CALLS} - {"Identity"}))
def test_arguments_are_torchs(name):
    """In the same order and with the same defaults, but for those that have no meaning here."""
    ours, theirs = (inspect.signature(getattr(home, name)).parameters for home in (nn, torch.nn))
    assert [name for name in ours if name in theirs] == [name for name in theirs if name in ours]
    for argument in set(ours) & set(theirs):
        # torch guesses an axis that is not given, and warns.
        expected = inspect.Parameter.empty if argument == "dim" else theirs[argument].default
        assert ours[argument].default == expected, argument
    assert set(theirs) - set(ours) <= {"device", "dtype", "inplace", "size_average", "reduce"}
