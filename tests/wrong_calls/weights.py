"""Wrong calls of minception.weights; what is wrong with files is in tests/weights."""

import minception as mc
from minception import nn, weights

from .table import wrong

TINY = nn.Linear(3, 2)
NO_FILE = "/no/such/file"


def no_module(call):
    return wrong("no module", lambda: call(3), TypeError, "model must be a Module, got int")


LOAD_WEIGHTS = [
    no_module(lambda model: mc.load_weights(model, NO_FILE)),
    wrong("path 3", lambda: mc.load_weights(TINY, 3), TypeError, "path must be a str or Path, got int"),
    wrong("head True", lambda: mc.load_weights(TINY, NO_FILE, head=True), ValueError, 'head must be None or "new"'),
]
SAVE_WEIGHTS = [no_module(lambda model: mc.save_weights(model, NO_FILE))]
TABLES = {
    "minception.load_weights": LOAD_WEIGHTS,
    "minception.save_weights": SAVE_WEIGHTS,
    "weights.load_weights": LOAD_WEIGHTS,
    "weights.save_weights": SAVE_WEIGHTS,
    "weights.read_weights": [
        wrong("path None", lambda: weights.read_weights(None), TypeError, "path must be a str or Path, got NoneType"),
    ],
    "weights.head_names": [
        no_module(weights.head_names),
        wrong("no head", lambda: weights.head_names(nn.ReLU()), ValueError, "ReLU has no linear layer"),
    ],
    "weights.freeze": [
        no_module(weights.freeze),
        wrong("a name alone", lambda: weights.freeze(TINY, "fc"), TypeError, "a sequence of strings, got 'fc'"),
        wrong("no name", lambda: weights.freeze(TINY, ["fc"]), ValueError, "Linear has no module 'fc'"),
    ],
    "weights.unfreeze": [no_module(weights.unfreeze)],
    "weights.download_weights": [
        wrong("no weights", lambda: weights.download_weights("lenet5"), ValueError, "no torch weights of 'lenet5'"),
        wrong(
            "source unknown",
            lambda: weights.download_weights("xception", source="jax"),
            ValueError,
            'source must be "torch" or "keras", got',
        ),
    ],
}
