"""Wrong calls of the networks, the same for every constructor, and of the functions around them."""

import inspect
from functools import partial

import numpy as np

from minception import Tensor, models, nn

from .table import wrong

NETWORKS = [name for name in models.names() if name in models.__all__]


def constructor(name):
    """What the constructor of a network must refuse; built narrow where it can be, since layers refuse late."""
    make = getattr(models, name)
    parameters = inspect.signature(make).parameters
    if "width" in parameters:
        make = partial(make, width=0.1)
    table = [
        wrong("num_classes zero", partial(make, num_classes=0), ValueError, "must be a positive integer, got 0"),
        wrong("num_classes 1.5", partial(make, num_classes=1.5), TypeError, "must be an integer, got 1.5"),
        wrong("in_channels zero", partial(make, in_channels=0), ValueError, "must be a positive integer, got 0"),
    ]
    if "dropout" in parameters:
        table.append(wrong("dropout 2", partial(make, dropout=2.0), ValueError, "Dropout", "probability"))
    if "stem" in parameters:
        words = f"{name}: stem must be one of", "'no'"
        table.append(wrong("stem unknown", partial(make, stem="no"), ValueError, *words))
    for option, known in (("between", "'relu'"), ("order", "'pointwise_first'")):
        if option in parameters:
            call = partial(make, **{option: "no"})
            table.append(wrong(f"{option} unknown", call, ValueError, f"{option} must be one of", known, "'no'"))
    if "width" in parameters:
        table += [
            wrong(f"width {bad!r}", partial(make, width=bad), ValueError, "width must be a positive number", repr(bad))
            for bad in (0, -1.0, float("inf"), float("nan"), True, "wide")
        ]
    return table


def registered(paper="-", **facts):
    return models.register(paper=paper, input_size=32, **facts)


TINY = nn.Linear(3, 2)
LOGITS = Tensor(np.zeros((2, 3)))

def spectrum(segments):
    return models.SegmentedInception(6, 12, segments)


TABLES = {
    "models.SegmentedInception": [
        *(
            wrong(f"{bad} segments of 12", partial(spectrum, bad), ValueError, "segments must be a positive divisor")
            for bad in (0, -1, 5, 24)
        ),
        wrong("segments 1.5", partial(spectrum, 1.5), TypeError, "segments must be an integer, got 1.5"),
    ],
    **{f"models.{name}": constructor(name) for name in NETWORKS},
    "models.create": [
        wrong("unknown", lambda: models.create("resnet"), ValueError, "unknown model 'resnet'", "mini_inception"),
        wrong("None", lambda: models.create(None), ValueError, "unknown model None", "mini_inception"),
    ],
    "models.entry": [
        wrong("unknown", lambda: models.entry("resnet"), ValueError, "unknown model 'resnet'", "mini_inception"),
    ],
    "models.register": [
        wrong("no function", lambda: registered()(3), TypeError, "expected a function that builds a network, got 3"),
        wrong(
            "a name that is taken",
            lambda: registered()(models.mini_inception),
            ValueError,
            "there is a model 'mini_inception' already",
        ),
    ],
    "models.count_parameters": [
        wrong("no module", lambda: models.count_parameters(3), TypeError, "model must be a Module, got 3"),
    ],
    "models.count_multiply_accumulates": [
        wrong(
            "no module", lambda: models.count_multiply_accumulates(3, 32), TypeError, "model must be a Module, got 3"
        ),
        wrong(
            "size zero",
            lambda: models.count_multiply_accumulates(TINY, 0),
            ValueError,
            "input_size must be positive, got 0",
        ),
        wrong(
            "size of three",
            lambda: models.count_multiply_accumulates(TINY, (3, 4, 5)),
            ValueError,
            "input_size must be an integer or a pair (height, width), got (3, 4, 5)",
        ),
    ],
    "models.classification_loss": [
        wrong("a number", lambda: models.classification_loss(3, [0]), TypeError, "outputs must be a Tensor", "got 3"),
        wrong(
            "labels out of range",
            lambda: models.classification_loss(LOGITS, np.array([0, 7])),
            ValueError,
            "labels[1] is 7",
        ),
    ],
}
