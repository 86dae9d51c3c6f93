"""Wrong calls of minception.study and minception.predict; wrong files and pictures are in their own tests."""

import numpy as np

from minception import nn, predict, study
from minception.models import Preprocessing
from minception.train.config import ConfigError
from minception.train.errors import RunError
from minception.weights import WeightsError

from .table import of_devices, wrong

NO_FILE = "/no/such/file"
TINY = nn.Linear(3, 2)
UNITS = Preprocessing(8, 8)
CLASSIFIER = predict.Classifier("tiny", TINY, UNITS, ("a", "b"))
PICTURE = np.zeros((8, 8, 3), np.uint8)


def of_graph(call):
    """Wrong arguments of what runs a network once to look at it."""
    return [
        wrong("no module", lambda: call(3, 32), TypeError, "model must be a Module, got 3"),
        wrong("size zero", lambda: call(TINY, 0), ValueError, "input_size must be positive, got 0"),
        wrong("in_channels zero", lambda: call(TINY, 8, 0), ValueError, "in_channels must be at least 1, got 0"),
        wrong("in_channels 1.5", lambda: call(TINY, 8, 1.5), TypeError, "in_channels must be an integer, got 1.5"),
    ]


def of_pictures(call):
    """Wrong arguments that `predict` and `probabilities` share."""
    return [
        wrong("no classifier", lambda: call(TINY, [PICTURE]), TypeError, "must be", "Classifier", "got Linear"),
        wrong("one path", lambda: call(CLASSIFIER, "a.jpg"), TypeError, "images must be a list", "got str"),
        wrong("crops 2", lambda: call(CLASSIFIER, [PICTURE], crops=2), ValueError, "crops must be one of 1, 10, 144"),
        wrong("batch 0", lambda: call(CLASSIFIER, [], batch_size=0), ValueError, "batch_size must be at least 1"),
        wrong("batch 1.5", lambda: call(CLASSIFIER, [], batch_size=1.5), TypeError, "batch_size must be an integer"),
    ]


TABLES = {
    "study.summarize": [
        *of_graph(study.summarize),
        wrong("depth 0", lambda: study.summarize(TINY, 8, depth=0), ValueError, "depth must be at least 1, got 0"),
        wrong("batch 0", lambda: study.summarize(TINY, 8, batch_size=0), ValueError, "batch_size must be at least 1"),
    ],
    "study.draw": of_graph(study.draw),
    "study.profile": [
        *of_graph(study.profile),
        wrong("batch 0", lambda: study.profile(TINY, 8, batch_size=0), ValueError, "batch_size must be at least 1"),
        wrong("repeat 0", lambda: study.profile(TINY, 8, repeat=0), ValueError, "repeat must be at least 1, got 0"),
    ],
    "study.measure_roof": of_devices(study.measure_roof),
    "study.roofline": [
        wrong("jpeg", lambda: study.roofline(None, "jpg"), ValueError, 'format must be "svg" or "png", got \'jpg\''),
    ],
    "predict.Classifier": [
        wrong("no module", lambda: predict.Classifier("x", 3, UNITS, ()), TypeError, "model must be a Module, got int"),
        wrong("no units", lambda: predict.Classifier("x", TINY, 3, ()), TypeError, "must be a Preprocessing, got 3"),
    ],
    "predict.predict": [
        *of_pictures(predict.predict),
        wrong("no classifiers", lambda: predict.predict([], [PICTURE]), ValueError, "classifiers must not be empty"),
        wrong("top 0", lambda: predict.predict(CLASSIFIER, [PICTURE], top=0), ValueError, "top must be at least 1"),
    ],
    "predict.probabilities": of_pictures(predict.probabilities),
    "predict.open_picture": [
        wrong("None", lambda: predict.open_picture(None), TypeError, "image must be a path", "got NoneType"),
        wrong("floats", lambda: predict.open_picture(np.zeros((8, 8))), TypeError, "must be uint8, got float64"),
        wrong("channels first", lambda: predict.open_picture(PICTURE.T), ValueError, "(H, W, 3)", "(3, 8, 8)"),
        wrong("no file", lambda: predict.open_picture(NO_FILE), predict.PictureError, NO_FILE, "no such file"),
    ],
    "predict.crops_of": [
        wrong("count 2", lambda: predict.crops_of(None, UNITS, 2), ValueError, "count must be one of 1, 10, 144"),
    ],
    "predict.prepare": [
        wrong(
            "too narrow",
            lambda: predict.prepare(predict.open_picture(np.zeros((1, 60_000), np.uint8)), Preprocessing(256, 224)),
            predict.PictureError,
            "60000 x 1 pixels are too long and narrow",
        ),
    ],
    "predict.read_class_names": [
        wrong("no file", lambda: predict.read_class_names(NO_FILE), RunError, NO_FILE, "cannot be read"),
    ],
    "predict.load_classifier": [
        wrong("nothing", predict.load_classifier, ConfigError, "name a network"),
        wrong("no model", lambda: predict.load_classifier(NO_FILE), ConfigError, NO_FILE, "which network"),
        wrong("unknown model", lambda: predict.load_classifier(NO_FILE, "resnet"), ConfigError, "resnet: unknown"),
        wrong("no file", lambda: predict.load_classifier(NO_FILE, "lenet5"), WeightsError, NO_FILE, "no such file"),
        wrong(
            "nothing to fetch",
            lambda: predict.load_classifier(model="mini_inception"),
            ConfigError,
            "--model mini_inception: its weights cannot be fetched",
        ),
    ],
}
